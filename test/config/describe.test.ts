import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'mocha'
import { type Config, parseConfig } from '../../lib/config/config.ts'
import { describeConfig } from '../../lib/config/describe.ts'
import { exporterSchemas } from '../../lib/config/exporters.ts'
import { sectionSchemas } from '../../lib/config/schema.ts'

const agentFile = new URL('../../otel-config/agent.yaml', import.meta.url)

describe('describeConfig', () => {
  it('reads back as the same configuration', () => {
    const config = parse(`
receivers: { podweir: { attach_pace: off, drain_interval: 1500ms, audit_interval: 90s, cpu_budget: 0.7%, retire: { idle: 70s }, inventory: "a$$b", discovery: auto, modules: { drops: on, dns: on } } }
exporters:
  otlp_grpc/x: { endpoint: "c:1", tls: { insecure: true }, compression: gzip, timeout: 2m }
  file: { path: "$\${not}", rotation: { max_backups: 0 } }
  debug:
extensions: { health_check: { endpoint: "[::1]:7", min_attached: 55% } }
service: { extensions: [health_check], telemetry: { resource: { a: "7" } } }
`)
    assert.deepEqual([config.cpuBudget, config.retire.idleMs, config.auditIntervalMs], [0.007, 70_000, 90_000])
    assert.deepEqual(parse(describeConfig(config)), config)
  })

  it('shows no header value and no password', () => {
    const exporters = 'exporters: { otlp_grpc: { headers: { authorization: Bearer s3cret } } }'
    const text = describeConfig(parse(exporters, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://me:s3cret@c:4317' }))
    assert.doesNotMatch(text, /s3cret/)
    assert.match(text, /authorization: "?\[REDACTED\]/)
    assert.match(text, /\[REDACTED\]@c:4317/)
  })
})

describe('otel-config/agent.yaml', () => {
  const text = readFileSync(agentFile, 'utf8')

  it('does what an empty file does', () => {
    assert.deepEqual(parse(text), parse(''))
  })

  it('has every setting', () => {
    const keys = [...Object.values(sectionSchemas), ...Object.values(exporterSchemas)].flatMap(schema => keysOf(schema))
    assert.ok(keys.length > 30, `${keys.length} keys found`)
    for (const key of keys) assert.match(text, new RegExp(`^\\s*#?${key}:`, 'm'), `${key} is missing`)
  })

  it('shows the defaults, also of what is commented out', () => {
    const uncommented = text.replace(/^(\s*)#(?=[\w.]+:)/gm, '$1')
    const config = parse(uncommented)
    const otlp = config.exporters[0]!
    assert.deepEqual(otlp, {
      type: 'otlp_grpc',
      id: 'otlp_grpc',
      endpoint: 'http://localhost:4317',
      tls: {
        insecure: false,
        caFile: '/etc/podweir/ca.pem',
        certFile: '/etc/podweir/agent.pem',
        keyFile: '/etc/podweir/agent-key.pem',
      },
      headers: { authorization: 'Bearer ' },
      compression: 'none',
      timeoutMs: 10_000,
      target: 'http://localhost:4317',
    })
    const inPipeline = uncommented.replace('exporters: [otlp_grpc]', 'exporters: [file, debug]')
    const defaults = parse('exporters: { file: { path: /var/log/podweir/metrics.jsonl }, debug: }')
    assert.deepEqual(parse(inPipeline).exporters, defaults.exporters)
    const { exporters, inventoryFile, discovery, resourceAttributes, warnings, ...rest } = config
    const { exporters: _, resourceAttributes: __, warnings: ___, ...defaultRest } = parse('')
    assert.deepEqual(rest, defaultRest)
  })
})

function parse(text: string, environment = {}): Config {
  return parseConfig(text, 'a.yaml', environment)
}

/** Every key that a schema knows, at any depth. */
function keysOf(schema: unknown): string[] {
  const { def } = schema as { def: { type: string; shape?: object; innerType?: unknown; valueType?: unknown } }
  if (def.shape) return Object.entries(def.shape).flatMap(([key, value]) => [key, ...keysOf(value)])
  return [def.innerType, def.valueType].filter(Boolean).flatMap(keysOf)
}
