import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'mocha'
import { type Config, parseConfig } from '../../lib/config/config.ts'
import { exporterKinds, type OtlpExporterConfig } from '../../lib/config/exporters.ts'
import { extensionSchemas } from '../../lib/config/extensions.ts'
import { NOT_YET } from '../../lib/config/not-yet.ts'
import { processorSchemas } from '../../lib/config/processors.ts'
import { sectionSchemas } from '../../lib/config/schema.ts'
import { signals } from '../../lib/config/signal.ts'
import { withoutPlaces } from '../support/config-text.ts'

const agentFile = new URL('../../otel-config/agent.yaml', import.meta.url)

describe('otel-config/agent.yaml', () => {
  const text = readFileSync(agentFile, 'utf8')
  /** With what is commented out, and what this version can't do yet. */
  const uncommented = text
    .replace(/^(\s*)#(?=[\w.]+:)/gm, '$1')
    .replace('extensions: [api]', 'extensions: [api, file_storage]')
  const everything = parse(uncommented, {}, [])

  it('does what an empty file does', () => {
    assert.deepEqual(parse(text), parse(''))
  })

  it('has every setting', () => {
    const kinds = Object.values(exporterKinds).map(({ schema }) => schema)
    const schemas = [sectionSchemas, processorSchemas, kinds, extensionSchemas].flatMap(each => Object.values(each))
    const keys = schemas.flatMap(schema => keysOf(schema))
    assert.ok(keys.length > 100, `${keys.length} keys found`)
    for (const key of keys) assert.match(text, new RegExp(`^\\s*#?${key}:`, 'm'), `${key} is missing`)
  })

  it('shows the defaults, also of what is commented out', () => {
    const {
      exporters,
      pipelines,
      fileStorages,
      inventoryFile,
      discovery,
      resourceAttributes,
      resolver,
      warnings,
      ...rest
    } = everything
    const [otlp] = exporters as OtlpExporterConfig[]
    const { exporters: defaultExporters, pipelines: _, fileStorages: __, ...defaults } = parse('')
    const { level, intervalMs, collectorNames } = rest.ownTelemetry
    assert.deepEqual(
      { ...rest, ownTelemetry: { level, intervalMs, collectorNames }, resourceAttributes: {}, warnings: [] },
      defaults,
    )
    const ca = {
      caFile: '/etc/podweir/ca.pem',
      certFile: '/etc/podweir/agent.pem',
      keyFile: '/etc/podweir/agent-key.pem',
    }
    const tls = { serverName: 'collector.example', ...ca }
    const [bare] = defaultExporters as OtlpExporterConfig[]
    const expected = signals.map(signal => {
      const target = bare!.targets[signal]
      return [signal, { ...target, tls: { ...target.tls, ...tls }, headers: { authorization: 'Bearer ' } }]
    })
    const { queue, ...common } = bare!
    assert.deepEqual(otlp, {
      ...{ ...common, targets: Object.fromEntries(expected) },
      queue: {
        ...queue,
        storage: { id: 'file_storage', directory: '/var/lib/podweir/spool', maxBytes: 2 ** 28, fsync: 1000 },
      },
    })
  })

  for (const [id, least] of [
    ['otlp_http', '{}'],
    ['file', '{ path: /var/log/podweir/metrics.jsonl }'],
    ['debug', '{}'],
    ['kafka', '{ sasl: { username: podweir, password: none } }'],
    [
      'prometheus',
      '{ tls: { cert_file: /etc/podweir/server.pem, key_file: /etc/podweir/server-key.pem, client_ca_file: /etc/podweir/clients.pem }, bearer_token: none }',
    ],
    ['influx', '{ org: example, bucket: podweir, database: podweir, username: podweir, password: none, token: none }'],
  ] as const)
    it(`shows the defaults of ${id}`, () => {
      const only = (file: string) => parse(file, {}, []).exporters
      assert.deepEqual(
        only(uncommented.replace('exporters: [otlp_grpc]', `exporters: [${id}]`)),
        only(`exporters: { ${id}: ${least} }`),
      )
    })

  for (const id of ['filter', 'attributes', 'batch', 'memory_limiter'])
    it(`shows the defaults of ${id}`, () => {
      const inUse = (file: string) => withoutPlaces(parse(file, {}, []).pipelines[0]?.processors)
      const pipelines = `{ metrics: { processors: [${id}], exporters: [debug] } }`
      const bare = `processors: { ${id}: }\nexporters: { debug: }\nservice: { pipelines: ${pipelines} }`
      assert.deepEqual(inUse(uncommented.replace('processors: []', `processors: [${id}]`)), inUse(bare))
    })

  it('shows the defaults of extensions', () => {
    const on = 'extensions: [api, health_check, zpages, file_storage]'
    const used = (file: string) => {
      const { apiEndpoint, healthCheck, zpages, fileStorages } = parse(file, {}, [])
      return { apiEndpoint, healthCheck, zpages, fileStorages }
    }
    assert.deepEqual(used(uncommented.replace('extensions: [api, file_storage]', on)), used(`service: { ${on} }`))
  })
})

function parse(text: string, environment = {}, notYet = NOT_YET): Config {
  return parseConfig(text, 'a.yaml', environment, notYet)
}

/** Every key that a schema knows, at any depth. */
function keysOf(schema: unknown): string[] {
  const { def } = schema as { def: { type: string; shape?: object; innerType?: unknown; valueType?: unknown } }
  if (def.shape) return Object.entries(def.shape).flatMap(([key, value]) => [key, ...keysOf(value)])
  return [def.innerType, def.valueType].filter(Boolean).flatMap(keysOf)
}
