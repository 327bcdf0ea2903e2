import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'mocha'

describe('config check and print', () => {
  let directory: string
  let file: string

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'podweir-config-'))
    file = join(directory, 'agent.yaml')
  })

  afterEach(() => rmSync(directory, { recursive: true }))

  it('says ok and what it comes to on stdout', () => {
    writeFileSync(file, 'exporters: { debug: }\n')
    const { status, stdout, stderr } = run('check', file)
    assert.equal(status, 0)
    assert.match(
      stdout,
      new RegExp(`^${file}: ok\n[\\s\\S]*detail basic, 10000 series\n[\\s\\S]*debug \\(metrics\\): basic`),
    )
    assert.equal(stderr, '')
  })

  it('ends with 2 and the problems on stderr', () => {
    writeFileSync(file, 'exporters: { debgu: }\n')
    const { status, stdout, stderr } = run('check', file)
    assert.equal(status, 2)
    assert.equal(stdout, '')
    assert.ok(
      stderr.startsWith(`${file}:1:14: exporters.debgu: unknown exporter (did you mean 'debug'?); allowed: `),
      stderr,
    )
  })

  it('checks the inventory too', () => {
    writeFileSync(join(directory, 'pods.yaml'), 'pods: [{ namespace: a }]')
    writeFileSync(file, `receivers: { podweir: { inventory: ${directory}/pods.yaml } }\n`)
    const { status, stderr } = run('check', file)
    assert.equal(status, 2)
    assert.ok(stderr.startsWith(`${directory}/pods.yaml:1:8: pods[0].name: is missing`), stderr)
  })

  it('ends with 1 when a file cannot be read', () => {
    assert.equal(run('check', join(directory, 'missing')).status, 1)
  })

  it('prints what can be used as a file, the environment considered', () => {
    const { status, stdout } = run('print', undefined, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4317' })
    assert.equal(status, 0)
    assert.match(stdout, /endpoint: http:\/\/collector:4317/)
    writeFileSync(file, stdout)
    assert.equal(run('print', file).stdout, stdout)
  })
})

function run(verb: 'check' | 'print', file: string | undefined, env = {}) {
  const sources = JSON.stringify({ files: file === undefined ? [] : [file], set: [] })
  const module = JSON.stringify(new URL('../../lib/cli/config.ts', import.meta.url))
  const program = `import(${module}).then(async config => { process.exitCode = await config.${verb}(${sources}) })`
  return spawnSync(process.execPath, ['-e', program], { env, encoding: 'utf8' })
}
