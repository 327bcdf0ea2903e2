// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are what a settings file holds
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, it } from 'mocha'
import { parse } from 'yaml'
import { settingsSchema } from '../../lib/config/json-schema.ts'
import { settingDescriptions } from '../../lib/config/setting-descriptions.ts'
import { problemsOf } from '../support/config-problems.ts'

const text = readFileSync(new URL('../../otel-config/agent.yaml', import.meta.url), 'utf8')
const everything = text
  .replace(/^(\s*)#(?=[\w.]+:)/gm, '$1')
  .replace('extensions: [api]', 'extensions: [api, file_storage]')
const schema = settingsSchema(text)
const validate = new Ajv2020({ strict: true, strictTypes: false, allowUnionTypes: true }).compile(schema)

/** Where a file is wrong by the JSON Schema: pointers. */
function wrongBySchema(file: string): string[] {
  validate(parse(file) ?? {})
  return (validate.errors ?? []).map(({ instancePath, params }) =>
    `${instancePath} ${params.additionalProperty ?? ''}`.trim(),
  )
}

describe('the JSON Schema of settings', () => {
  it('takes agent.yaml, also with all that is commented out', () => {
    assert.deepEqual(wrongBySchema(text), [])
    assert.deepEqual(wrongBySchema(everything), [])
  })

  for (const file of [
    '',
    'exporters: { otlp_grpc/a: , otlp: , otlphttp/b: { encoding: "${env:E}" } }',
    'receivers: { podweir: { flow_limit: "${env:LIMIT}", zones: "${env:ZONES:-off}", cpu_budget: off } }',
    'receivers: { podweir: { scope: { exclude: { ports: [80, 53/udp] } } } }',
    'exporters: { kafka: { tls: { min_version: 1.2 }, sending_queue: { queue_bytes: 65536 } } }',
  ])
    it(`takes ${file || 'an empty file'}`, () => {
      assert.deepEqual(wrongBySchema(file), [])
      assert.deepEqual(problemsOf(file, [], { E: 'json', LIMIT: '16' }), [])
    })

  for (const [file, where] of [
    ['recievers: {}', 'recievers'],
    ['receivers: { podweir: { atach: pod } }', '/receivers/podweir atach'],
    ['receivers: { podweir: { attach: pood } }', '/receivers/podweir/attach'],
    ['receivers: { podweir: { flow_limit: 1 } }', '/receivers/podweir/flow_limit'],
    ['receivers: { podweir: { drain_interval: 1 } }', '/receivers/podweir/drain_interval'],
    ['exporters: { otlp_gprc: }', '/exporters otlp_gprc'],
    ['exporters: { otlp_grpc/a: { tls: { insecure: maybe } } }', '/exporters/otlp_grpc~1a/tls/insecure'],
    ['exporters: { file: {} }', '/exporters/file'],
    ['processors: { batch: { timeout: [1] } }', '/processors/batch/timeout'],
    ['extensions: { zpages: { port: 1 } }', '/extensions/zpages port'],
    ['service: { pipelines: { metrics: { exporters: debug } } }', '/service/pipelines/metrics/exporters'],
  ] as const)
    it(`refuses ${file}, as the agent does`, () => {
      assert.ok(wrongBySchema(file).includes(where), wrongBySchema(file).join('\n'))
      assert.notEqual(problemsOf(file, []).length, 0)
    })

  it('says of each setting what agent.yaml says', () => {
    const of = (path: string) => settingDescriptions(text).get(path)
    assert.equal(of('receivers.podweir.retire.closed'), 'After a connection was closed or reset.')
    assert.equal(
      of('exporters.otlp_grpc.tls.server_name_override'),
      'The name in the receiver’s certificate, where it is not the endpoint’s.'.replaceAll('’', "'"),
    )
    const { tls } = at(schema, 'properties', 'exporters', 'patternProperties', '^otlp_http(/.+)?$', 'properties') as {
      tls: { properties: Record<string, { description?: string }> }
    }
    assert.match(tls.properties.server_name_override?.description ?? '', /^The name in the receiver's certificate/)
  })
})

function at(value: unknown, ...keys: string[]): unknown {
  return keys.reduce((each, key) => (each as Record<string, unknown>)[key], value)
}
