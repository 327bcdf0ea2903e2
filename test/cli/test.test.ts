// The verb `test` in a tree of its own: how its output ends.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, it } from 'mocha'

const root = fileURLToPath(new URL('../..', import.meta.url))
const copied = [
  ...['lib/cli/test.ts', 'lib/cli/clone-only.ts', 'lib/cli/test-outcome.ts', 'lib/host/failure.ts'],
  ...['test/support/reporter.ts', 'test/support/skip.ts'],
  ...['biome.json', 'package.json', 'tsconfig.json'],
]
const runsOneLevel = `import { run } from './lib/cli/test.ts'
process.exitCode = await run({ only: process.argv[2], list: false })`
const passing = `import { it } from 'mocha'\nit('passes', () => {})\n`

let tree: string

function write(path: string, text: string): void {
  mkdirSync(join(tree, path, '..'), { recursive: true })
  writeFileSync(join(tree, path), text)
}

function runLevel(level: string): { code: number | null; lines: string[] } {
  // Coverage of that tree, not of this one: a variable that is left out Node hands on by itself.
  const env = { ...process.env, NODE_V8_COVERAGE: '' }
  const options = { cwd: tree, encoding: 'utf8', env } as const
  const { status, stdout } = spawnSync(process.execPath, ['run.ts', level], options)
  return { code: status, lines: stdout.trimEnd().split('\n') }
}

describe('podweir test', function () {
  this.timeout(60_000)

  beforeEach(() => {
    tree = mkdtempSync(join(tmpdir(), 'podweir-tree-'))
    for (const path of copied) cpSync(join(root, path), join(tree, path))
    symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'))
    write('run.ts', runsOneLevel)
    // What root's run would leave behind is not what this is about.
    write('test/support/nothing-left.ts', '')
  })
  afterEach(() => rmSync(tree, { recursive: true }))

  it('names what failed behind the coverage and right before its last line', () => {
    write('test/a.test.ts', passing)
    write(
      'test/b.test.ts',
      `import { describe, it } from 'mocha'
      describe('b', () => {
        it('is wrong', () => { throw new Error('for one reason\\nand another') })
        it('is wrong too', () => { throw new Error('so it is') })
      })`,
    )
    const { code, lines } = runLevel('unit')
    assert.match(lines.at(-4)!, /^-+\|/, 'the end of the coverage')
    assert.deepEqual(lines.slice(-3), [
      'failed: b is wrong: for one reason',
      'failed: b is wrong too: so it is',
      '1 passed, 2 failed, 0 skipped',
    ])
    assert.equal(code, 1)
  })

  it('names nothing where nothing failed', () => {
    write('test/a.test.ts', passing)
    const { code, lines } = runLevel('unit')
    assert.match(lines.at(-2)!, /^-+\|/)
    assert.equal(lines.at(-1), '1 passed, 0 failed, 0 skipped')
    assert.equal(code, 0)
  })

  it('names a run that ended before its last test', () => {
    write('test/a.test.ts', `import { it } from 'mocha'\nit('ends it', () => process.exit(0))\n`)
    const { code, lines } = runLevel('unit')
    assert.deepEqual(lines.slice(-2), ['failed: mocha: it ended before its last test', '0 passed, 1 failed, 0 skipped'])
    assert.equal(code, 1)
  })

  it('names the checks that failed, with the first thing that they say', () => {
    write('lib/wrong.ts', `export const wrong: number = 'text'\ndebugger\n`)
    const { code, lines } = runLevel('checks')
    const told = lines.filter(line => line.startsWith('failed: '))
    assert.match(told[0]!, /^failed: types: lib\/wrong\.ts\(1,14\): error TS2322: /)
    assert.match(told[1]!, /^failed: lint: \S/)
    assert.deepEqual(lines.slice(-told.length - 1, -1), told)
    assert.match(lines.at(-1)!, /^\d passed, 2 failed, \d skipped$/)
    assert.equal(code, 1)
  })
})
