// What `podweir test` learns from a run: counts, what failed and why, reasons of skipped tests, and tests that leave
// something open.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, it } from 'mocha'
import type { TestOutcome } from '../lib/cli/test-outcome.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const skipModule = join(root, 'test/support/skip.ts')

let folder: string

function runMocha(text: string): { code: number | null; output: string; counts: TestOutcome } {
  const file = join(folder, 'a.test.ts')
  const counts = join(folder, 'counts.json')
  writeFileSync(file, `import { skip } from '${skipModule}'\n${text}`)
  const reporter = ['--reporter', 'test/support/reporter.ts', '--reporter-option', `counts=${counts},lingerMs=100`]
  const mocha = join(root, 'node_modules/mocha/bin/mocha.js')
  const ended = spawnSync(process.execPath, [mocha, ...reporter, file], { cwd: root, encoding: 'utf8' })
  return { code: ended.status, output: ended.stdout, counts: JSON.parse(readFileSync(counts, 'utf8')) }
}

describe('the reporter', () => {
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'podweir-reporter-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('counts what passed, failed and was skipped', () => {
    const { code, counts } = runMocha(`it('a', () => {}); it('b', () => { throw new Error('b') })
      it('c', function () { skip(this, 'no C here') })`)
    assert.deepEqual(counts, { passed: 1, skipped: 1, failures: [{ title: 'b', error: 'b' }] })
    assert.equal(code, 1)
  })

  it('names each failure by its full title and the first line of its error, of a hook too', () => {
    const { counts } = runMocha(`
      describe('suite', () => {
        it('compares', () => { throw new Error('\\n  one thing \\nand another') })
        describe('inner', () => { it('throws a text', () => { throw 'text' }) })
        after(() => { throw new Error('left open') })
      })`)
    assert.deepEqual(
      counts.failures.map(({ title, error }) => `${title}: ${error}`),
      [
        'suite compares: one thing',
        'suite inner throws a text: the string "text" was thrown, throw an Error :)',
        'suite "after all" hook for "compares": left open',
      ],
    )
  })

  it('tells the reason of a test skipped by itself, by its hook and by its suite', () => {
    const { output, counts } = runMocha(`
      it('alone', function () { skip(this, 'first reason') })
      describe('each', () => {
        beforeEach(function () { if (this.currentTest?.title === 'second') skip(this, 'second reason') })
        it('first', () => {}); it('second', () => {}); it('third', () => {})
      })
      describe('suite', () => { before(function () { skip(this, 'third reason') }); it('a', () => {}); it('b', () => {}) })`)
    const leftOut = output.slice(output.indexOf('left out:'))
    assert.deepEqual(counts, { passed: 2, skipped: 4, failures: [] })
    assert.match(leftOut, /alone \(skipped: first reason\)/)
    assert.match(leftOut, /each second \(skipped: second reason\)/)
    assert.match(leftOut, /suite a \(skipped: third reason\)\n.*suite b \(skipped: third reason\)/)
  })

  it('shows a test that was skipped without a reason', () => {
    assert.match(runMocha(`it.skip('silent', () => {})`).output, /silent \(no reason given\)/)
  })

  it('fails a run whose tests leave a timer open, and ends it', () => {
    const { code, output, counts } = runMocha(`it('leaks', () => { setInterval(() => {}, 1000) })`)
    assert.match(output, /still open after the last test: .*Timeout/)
    assert.deepEqual(
      [counts.passed, counts.failures.map(({ title }) => title)],
      [1, ['still open after the last test']],
    )
    assert.equal(code, 1)
  })
})
