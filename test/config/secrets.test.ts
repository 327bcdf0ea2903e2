// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are what a settings file holds
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { after, before, describe, it } from 'mocha'
import { configOf, parseConfig } from '../../lib/config/config.ts'
import { describeSettings } from '../../lib/config/describe.ts'
import { destinationText } from '../../lib/config/destination.ts'
import { WrongSettings } from '../../lib/config/problems.ts'
import { settingsText } from '../../lib/config/settings-text.ts'
import { signals } from '../../lib/config/signal.ts'
import { YamlDocument } from '../../lib/config/yaml-document.ts'
import { tried } from '../support/properties.ts'

const main = fileURLToPath(new URL('../../lib/main.ts', import.meta.url))
const canary = 'c4n4ry-5ecret'

/** Every setting that holds a secret, with `SECRET` in its place. */
const holders = `exporters:
  otlp_grpc: { endpoint: "https://c:4317", headers: { Authorization: "Bearer SECRET", x-key: "SECRET" } }
  otlp_http: { endpoint: "http://c:4318", traces_endpoint: "http://c/x?key=SECRET", headers: { a: "SECRET" } }
  prometheus: { bearer_token: "SECRET" }
  influx: { endpoint: "http://i:8086", version: v1, database: d, username: u, password: "SECRET", token: "SECRET", headers: { b: "SECRET" } }
  kafka: { tls: {}, sasl: { username: u, password: "SECRET" } }
`

describe('secrets', () => {
  let folder: string
  let file: string
  let secretFile: string

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'podweir-secrets-'))
    file = join(folder, 'agent.yaml')
    secretFile = join(folder, 'secret')
    writeFileSync(secretFile, `${canary}\n`)
  })

  after(() => rmSync(folder, { recursive: true }))

  function run(args: string[], text: string, env = {}) {
    writeFileSync(file, text)
    const { stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
      env: { CANARY: canary, ...env },
      encoding: 'utf8',
    })
    return stdout + stderr
  }

  for (const [what, secret] of [
    ['in the file', () => canary],
    ['from the environment', () => '${env:CANARY}'],
    ['a variable’s default', () => `\${env:NONE:-${canary}}`],
    ['from a file', () => `\${file:${secretFile}}`],
    ['from a file, behind a part of it', () => `${canary}\${file:${secretFile}}`],
  ] as const) {
    it(`${what} are in nothing that is made of settings for people`, () => {
      const printed = printedOf(holders.replaceAll('SECRET', secret()))
      assert.match(printed, /bearer_token: "\[REDACTED\]"/)
      assert.match(printed, /password: "\[REDACTED\]"/)
      assert.doesNotMatch(printed, new RegExp(canary))
    })

    it(`${what} are in nothing that the command line prints`, () => {
      const text = `exporters: { otlp_grpc: { endpoint: "http://127.0.0.1:9", headers: { a: "Bearer ${secret()}" } } }`
      for (const args of [
        ['config', 'print'],
        ['config', 'print', '--origin'],
        ['config', 'check'],
      ]) {
        const said = run([...args, file], text)
        assert.match(said, /otlp_grpc/)
        assert.doesNotMatch(said, new RegExp(canary), args.join(' '))
      }
      const found = run(['doctor', '-o', 'json', '--config', file], text)
      assert.match(found, /otlp_grpc: /)
      assert.doesNotMatch(found, new RegExp(canary))
    }).timeout(60_000)
  }

  it('of the OTLP variables and of --set are not either', () => {
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://me:${canary}@127.0.0.1:9`,
      OTEL_EXPORTER_OTLP_HEADERS: `a=${canary}`,
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: `${canary}`,
    }
    const set = ['--set', `exporters.otlp_grpc.headers={ b: ${canary} }`]
    for (const verb of ['print', 'check'])
      assert.doesNotMatch(run(['config', verb, file, ...set], '', env), new RegExp(canary))
    assert.doesNotMatch(run(['config', 'print', '--origin', file, ...set], '', env), new RegExp(canary))
  })

  it('are in no message, however wrong what holds them is', () => {
    const marks = [
      '!',
      '!!',
      '!<',
      '&',
      '*',
      '|',
      '>',
      '%',
      '@',
      '`',
      '"',
      "'",
      '{',
      '[',
      '- ',
      '? ',
      ': ',
      '\t',
      '#',
      '$',
      '${',
      '${env:',
      ',',
      '\\',
      '"\\',
      ' ',
      '=',
      ']',
      '}',
      '---',
      '...',
    ]
    const place = fc.constantFrom(
      'exporters: { prometheus: { bearer_token: X } }',
      'exporters:\n  prometheus:\n    bearer_token: X',
      'exporters:\n  kafka:\n    sasl:\n      password: X\n      username: u',
      'exporters:\n  otlp_grpc:\n    headers: X',
      'exporters:\n  otlp_grpc:\n    headers:\n      authorization: X',
      'exporters:\n  otlp_grpc:\n    headers:\n      authorization:\n        X',
      'exporters:\n  otlp_grpc:\n    headers:\n      - X',
      'exporters: { influx: { token: [X], password: { a: X } } }',
    )
    fc.assert(
      fc.property(
        place,
        fc.array(fc.constantFrom(...marks, 'a', 'Bearer '), { maxLength: 3 }),
        fc.constantFrom('', ...marks),
        (text, before, behind) => {
          const message = messageOf(text.replaceAll('X', `${before.join('')}${canary}${behind}`))
          assert.doesNotMatch(message, new RegExp(canary))
        },
      ),
      tried(5000),
    )
  })
})

/** `config print`, with origins and without, warnings, and where exporters send. */
function printedOf(text: string): string {
  const values = { environment: { CANARY: canary }, fileText: (path: string) => readFileSync(path, 'utf8') }
  const document = new YamlDocument([{ name: 'a.yaml', text }], values)
  const config = configOf(document, values.environment, [])
  const settings = describeSettings(config)
  const destinations = config.exporters.map(each => destinationText(each, signals))
  return [false, true].map(origins => settingsText(settings, document, origins)).join() + config.warnings + destinations
}

function messageOf(text: string): string {
  try {
    parseConfig(text, 'a.yaml', {}, [])
    return ''
  } catch (error) {
    assert.ok(error instanceof WrongSettings, String(error))
    return error.message
  }
}
