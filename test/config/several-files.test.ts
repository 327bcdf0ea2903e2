import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { type Config, loadConfig } from '../../lib/config/config.ts'
import { WrongSettings } from '../../lib/config/problems.ts'
import { Failure } from '../../lib/host/failure.ts'

describe('several files and --set', () => {
  let folder: string
  let written = 0

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'podweir-files-'))
    written = 0
  })

  afterEach(() => rmSync(folder, { recursive: true }))

  function file(text: string): string {
    const path = join(folder, `${++written}.yaml`)
    writeFileSync(path, text)
    return path
  }

  function load(files: string[], ...set: string[]): Config {
    return loadConfig({ files: files.map(file), set }).config
  }

  it('add up: mappings are merged, all else is replaced by what comes later', () => {
    const config = load([
      'receivers: { podweir: { detail: full, zones: on, kubernetes: { labels: [a, b] } } }\nexporters: { debug: { verbosity: normal } }',
      'receivers: { podweir: { zones: off, kubernetes: { labels: [c] } } }\nexporters: { file: { path: x } }',
    ])
    assert.deepEqual([config.detail, config.zones, config.kubernetes.labels], ['full', 'off', ['c']])
    assert.deepEqual(
      config.exporters.map(({ id }) => id),
      ['debug', 'file'],
    )
  })

  it('leave in place what a later one names without a value', () => {
    const config = load(['exporters: { debug: { verbosity: normal } }', 'exporters: { debug: }\nreceivers:\n'])
    assert.equal((config.exporters[0] as { verbosity?: string }).verbosity, 'normal')
  })

  it('are beaten by --set, whose values are YAML', () => {
    const text = 'receivers: { podweir: { flow_limit: 100, kubernetes: { labels: [a] } } }'
    const config = load(
      [text],
      'receivers.podweir.flow_limit=200',
      'receivers.podweir.kubernetes.labels=[b, c]',
      'exporters.debug/x={ verbosity: normal }',
      'receivers.podweir.flow_limit=300',
      'service::telemetry::resource::k8s.cluster.name=blue=green',
    )
    assert.deepEqual([config.flowLimit, config.kubernetes.labels], [300, ['b', 'c']])
    assert.equal(config.exporters[0]?.id, 'debug/x')
    assert.deepEqual(config.resourceAttributes, { 'k8s.cluster.name': 'blue=green' })
  })

  it('are checked where each mistake is', () => {
    assert.deepEqual(
      problems(
        [
          'receivers: { podweir: { detail: ful, flow_limit: 1 } }',
          'receivers:\n  podweir:\n    flow_limit: 2\n    hok: auto\n',
        ],
        'receivers.podweir.level=pdo',
        'exporters.file={}',
        'service.extensions=[api',
      ),
      ['--set service.extensions: service.extensions: Flow sequence must end with a ]'],
    )
    const found = problems(
      [
        'receivers: { podweir: { detail: ful, flow_limit: 1 } }',
        'receivers:\n  podweir:\n    flow_limit: 2\n    hok: auto\n',
      ],
      'receivers.podweir.level=pdo',
      'exporters.file={}',
    )
    assert.deepEqual(
      found.map(each => each.replace(/;.*/, '')),
      [
        `${folder}/3.yaml:1:33: receivers.podweir.detail: 'ful' is not allowed (did you mean 'full'?)`,
        `${folder}/4.yaml:3:17: receivers.podweir.flow_limit: 2 is not allowed`,
        `${folder}/4.yaml:4:5: receivers.podweir.hok: unknown key (did you mean 'hook'?)`,
        `--set receivers.podweir.level: receivers.podweir.level: 'pdo' is not allowed (did you mean 'pod'?)`,
        '--set exporters.file: exporters.file.path: is missing',
      ],
    )
  })

  it('see what is not defined in any of them', () => {
    const found = problems(['exporters: { debug: }', 'service: { pipelines: { metrics: { exporters: [file] } } }'])
    assert.match(found.join(), /2\.yaml:1:48: .*exporter 'file' is not defined; allowed: debug$/)
  })

  it('are remembered, with the files of values', () => {
    const token = file('s3cret\n')
    const config = load([`exporters: { otlp_grpc: { headers: { authorization: "\${file:${token}}" } } }`, ''])
    assert.deepEqual(config.settingsFiles, [`${folder}/2.yaml`, `${folder}/3.yaml`, token])
  })

  for (const [argument, subject, cause] of [
    ['receivers.podweir.detail', '--set ', 'it has no =VALUE'],
    ['receivers..detail=full', '--set receivers..detail', 'it names no setting'],
    ['=full', '--set ', 'it names no setting'],
  ] as const)
    it(`refuse --set ${argument}`, () => {
      assert.throws(
        () => load([], argument),
        (error: Failure) => {
          assert.ok(error instanceof Failure)
          assert.deepEqual([error.subject, error.cause, error.exitCode], [subject, cause, 2])
          return true
        },
      )
    })

  it('show no value of --set in a message', () => {
    const found = problems(
      [],
      'exporters.otlp_grpc.headers={ authorization: [s3cret] }',
      'exporters.influx.token={ s3cret: 1 }',
    )
    assert.ok(found.length >= 2, found.join('\n'))
    assert.doesNotMatch(found.join(), /s3cret/)
  })

  function problems(files: string[], ...set: string[]): readonly string[] {
    try {
      load(files, ...set)
    } catch (error) {
      assert.ok(error instanceof WrongSettings, String(error))
      return error.problems
    }
    assert.fail('no problem found')
  }
})
