// The command line: help, wrong usage, and what a failure looks like.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, it } from 'mocha'
import { skip } from './support/skip.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const nobody = 65_534

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

function podweir(...parameters: string[]): Ended {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['lib/main.ts', ...parameters], {
    cwd: root,
    encoding: 'utf8',
  })
  return { code: status, stdout, stderr }
}

describe('the command line', () => {
  for (const verb of ['agent', 'demo', 'flows', 'config', 'config check', 'config print', 'test', 'version']) {
    it(`gives an example in the help of ${verb}`, () => {
      const { code, stdout, stderr } = podweir(...verb.split(' '), '--help')
      assert.equal(code, 0, stderr)
      assert.match(stdout, new RegExp(`Example:\\n  (sudo )?podweir ${verb}`))
    })
  }

  it('prints its verbs and fails as wrong usage where none is given', () => {
    const { code, stdout, stderr } = podweir()
    assert.deepEqual([code, stdout], [2, ''])
    for (const verb of ['agent', 'demo', 'flows', 'config', 'test', 'version'])
      assert.match(stderr, new RegExp(`^  ${verb}`, 'm'))
  })

  const wrong: readonly [string, string[], RegExp, RegExp][] = [
    ['an unknown verb', ['dmo'], /unknown command 'dmo'\n.*demo/, /→ podweir --help/],
    [
      'an unknown verb of config',
      ['config', 'chek', 'x'],
      /unknown command 'chek'\n.*check/,
      /→ podweir config --help/,
    ],
    ['an unknown option', ['flows', '--folow'], /unknown option '--folow'\n.*--follow/, /→ podweir flows --help/],
    ['a duration without unit', ['demo', '--for', '30'], /--for .*'30'.*30s, 5m/, /→ podweir demo --help/],
    ['no time at all', ['demo', '--for', '0s'], /--for .*'0s'/, /→ podweir demo --help/],
    ['a form that there is not', ['flows', '-o', 'xml'], /'xml'.*table, json, jsonl/, /→ podweir flows --help/],
    ['a missing file', ['config', 'check'], /missing required argument 'files'/, /→ podweir config check --help/],
    ['an argument too many', ['version', 'please'], /too many arguments/, /→ podweir version --help/],
    [
      'an unknown level',
      ['test', '--only', 'all'],
      /test --only all: there is no such level/,
      /→ use one of checks, unit/,
    ],
  ]
  for (const [what, parameters, message, remedy] of wrong) {
    it(`refuses ${what} and says what is allowed`, () => {
      const { code, stdout, stderr } = podweir(...parameters)
      assert.deepEqual([code, stdout], [2, ''], stderr)
      assert.match(stderr, /^podweir: /)
      assert.match(stderr, message)
      assert.match(stderr, remedy)
    })
  }

  it('prints versions on one line of stdout', () => {
    const { code, stdout, stderr } = podweir('version')
    assert.deepEqual([code, stderr], [0, ''])
    assert.match(stdout, /^podweir \d+\.\d+\.\d+ \(node \d\S+, linux \S+ (x64|arm64)\)\n$/)
  })

  it('says on two lines what failed and what to do, where the tests lack root', function () {
    const asNobody = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {}
    const program = `${root}lib/main.ts`
    // Where coverage is measured, nobody could not write its file, and Node hands the variable down unless it is named.
    const ended = spawnSync(process.execPath, [program, 'test'], {
      cwd: '/',
      env: { NODE_V8_COVERAGE: '' },
      encoding: 'utf8',
      ...asNobody,
    })
    if (ended.error) skip(this, 'this tree is closed to other users')
    assert.equal(ended.status, 1)
    assert.match(
      ended.stderr,
      /^podweir: test this machine: .*takes root\n {2}→ run: sudo \.\/podweir test; .*npm test\n$/,
    )
  })

  it('lists every test file under one level', () => {
    const listed = podweir('test', '--list').stdout.match(/^ {2}test\/.*$/gm) ?? []
    const files = globSync('test/**/*.test.ts', { cwd: root })
    assert.deepEqual(listed.map(line => line.trim()).sort(), files.sort())
  })
})
