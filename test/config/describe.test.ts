import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { type Config, parseConfig } from '../../lib/config/config.ts'
import { configText, withoutPlaces } from '../support/config-text.ts'

const secret = 's3cret'

describe('a printed configuration', () => {
  it('reads back as the same configuration', () => {
    const config = parse(`
receivers: { podweir: { attach_pace: off, drain_interval: 1500ms, level: address, edge_idle: 9m, audit_interval: 90s, cpu_budget: 0.7%, retire: { idle: 70s }, inventory: "a$$b", discovery: auto, modules: { drops: on, dns: on, conntrack: on },
  traces: { connections: slow, slow_threshold: 15ms }, logs: { flows: all } } }
processors: { filter: { exclude: ["dst.port:9100"] }, attributes/x: { profile: obi, rename: { a.b: c }, drop: [d] }, batch: { timeout: 2s }, memory_limiter: { limit_mib: 100 } }
exporters:
  otlp_grpc/x: { endpoint: "c:1", logs_endpoint: "d:1", tls: { insecure: true, min_version: "1.3" }, compression: gzip, timeout: 2m, temporality: delta, sending_queue: { queue_bytes: 1MB, storage: file_storage/a }, retry_on_failure: { max_elapsed_time: 1m } }
  otlp_http: { endpoint: "http://c:4318", encoding: json }
  file: { path: "$\${not}", rotation: { max_backups: 0 } }
  debug:
  prometheus: { endpoint: "[::1]:1", tls: { cert_file: c, key_file: k } }
  influx: { transport: udp, endpoint: "t:8094" }
  influx/v2: { org: o, bucket: b }
  kafka: { brokers: ["b:1"], tls: { ca_file: a } }
extensions: { health_check: { endpoint: "[::1]:7", min_attached: 55% }, file_storage/a: { directory: /a, fsync: never } }
service:
  extensions: [health_check, zpages, file_storage/a]
  pipelines:
    metrics/all: { processors: [filter, attributes/x], exporters: [otlp_grpc/x, otlp_http, file, debug, prometheus, influx, influx/v2, kafka] }
    traces: { processors: [memory_limiter, batch], exporters: [otlp_grpc/x] }
    logs: { exporters: [file] }
  telemetry: { resource: { a: "7" }, metrics: { level: basic, address: "localhost:1" } }
`)
    assert.deepEqual([config.cpuBudget, config.retire.idleMs, config.auditIntervalMs], [0.007, 70_000, 90_000])
    assert.deepEqual(config.warnings, [])
    assert.deepEqual(withoutPlaces(parse(configText(config))), withoutPlaces(config))
  })

  it('shows no secret', () => {
    const text = configText(
      parse(
        `exporters:
  otlp_grpc: { headers: { authorization: Bearer ${secret} } }
  prometheus: { bearer_token: ${secret} }
  influx: { version: v1, database: d, username: u, password: ${secret}, token: ${secret}, headers: { x: ${secret} } }
  kafka: { sasl: { username: u, password: ${secret} } }
`,
        { OTEL_EXPORTER_OTLP_ENDPOINT: `http://me:${secret}@c:4317`, OTEL_EXPORTER_OTLP_HEADERS: `key=${secret}` },
      ),
    )
    assert.doesNotMatch(text, new RegExp(secret))
    assert.match(text, /authorization: "?\[REDACTED\]/)
    assert.match(text, /key: "?\[REDACTED\]/)
    assert.match(text, /\[REDACTED\]@c:4317/)
  })
})

function parse(text: string, environment = {}): Config {
  return parseConfig(text, 'a.yaml', environment, [])
}
