import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { parseConfig } from '../../lib/config/config.ts'
import { defaultDelivery } from '../../lib/config/default-delivery.ts'
import type { ExporterConfig } from '../../lib/config/exporters.ts'
import { problemsOf } from '../support/config-problems.ts'

const retrying =
  'retry_on_failure: { enabled: false, initial_interval: 2s, max_interval: 3s, multiplier: 2, max_elapsed_time: 5m }'
const delivery = `${retrying}, sending_queue: { queue_bytes: 1MB, queue_items: 7, storage: file_storage/s }`
const form = 'resource_mode: pod, temporality: delta, histograms: exponential, resend_unchanged: off'
const tls =
  'tls: { insecure: false, insecure_skip_verify: true, server_name_override: n, ca_file: ca, cert_file: c, key_file: k, min_version: 1.3, reload_interval: off }'

const readForm = { resourceMode: 'pod', temporality: 'delta', histograms: 'exponential', resendUnchangedMs: 0 }
const retry = { enabled: false, initialMs: 2000, maxMs: 3000, multiplier: 2, maxElapsedMs: 300_000 }
const storage = { id: 'file_storage/s', directory: '/s', maxBytes: 2 ** 28, fsync: 'never' }
const readDelivery = { retry, queue: { bytes: 1e6, items: 7, storage } }
const readTls = {
  ...{ insecure: false, insecureSkipVerify: true, serverName: 'n', caFile: 'ca', certFile: 'c', keyFile: 'k' },
  ...{ minVersion: '1.3', reloadMs: 0 },
}

describe('exporter settings', () => {
  it('of otlp_grpc are read', () => {
    const settings = `endpoint: "https://c:4317", logs_endpoint: "l:1", headers: { Authorization: Bearer x }, compression: gzip, timeout: 500ms`
    const target = { headers: { authorization: 'Bearer x' }, compression: 'gzip', timeoutMs: 500, tls: readTls }
    assert.deepEqual(read('otlp_grpc/central', `{ ${settings}, ${tls}, ${form}, ${delivery} }`), {
      ...{ type: 'otlp_grpc', id: 'otlp_grpc/central', encoding: 'proto' },
      targets: {
        metrics: { endpoint: 'https://c:4317', ...target },
        traces: { endpoint: 'https://c:4317', ...target },
        logs: { endpoint: 'l:1', ...target },
      },
      ...readForm,
      ...readDelivery,
    })
  })

  it('of otlp_http are read', () => {
    const settings = 'endpoint: "http://c:4318/", traces_endpoint: "https://t/x?y=z", encoding: json'
    const target = { headers: {}, compression: 'none', timeoutMs: 10_000, tls: readTls }
    assert.deepEqual(read('otlp_http', `{ ${settings}, ${tls}, ${form}, ${delivery} }`), {
      ...{ type: 'otlp_http', id: 'otlp_http', encoding: 'json' },
      targets: {
        metrics: { endpoint: 'http://c:4318/v1/metrics', ...target },
        traces: { endpoint: 'https://t/x?y=z', ...target },
        logs: { endpoint: 'http://c:4318/v1/logs', ...target },
      },
      ...readForm,
      ...readDelivery,
    })
  })

  it('of file and debug are read', () => {
    assert.deepEqual(read('file', `{ path: a, rotation: { max_megabytes: 2, max_backups: 0 }, ${form} }`), {
      ...{ type: 'file', id: 'file', path: 'a', maxFileBytes: 2 ** 21, maxBackups: 0 },
      ...readForm,
      ...defaultDelivery,
    })
    assert.deepEqual(read('debug/x', `{ verbosity: normal, ${form} }`), {
      ...{ type: 'debug', id: 'debug/x', verbosity: 'normal' },
      ...readForm,
      ...defaultDelivery,
    })
  })

  it('of prometheus are read', () => {
    const server = 'tls: { cert_file: c, key_file: k, client_ca_file: a, min_version: "1.3", reload_interval: 2h }'
    assert.deepEqual(read('prometheus', `{ endpoint: "[::]:9464", path: /m, ${server}, bearer_token: t }`), {
      ...{ type: 'prometheus', id: 'prometheus', host: '::', port: 9464, path: '/m', bearerToken: 't' },
      tls: { certFile: 'c', keyFile: 'k', clientCaFile: 'a', minVersion: '1.3', reloadMs: 7_200_000 },
    })
  })

  it('of influx are read', () => {
    const settings = `endpoint: "https://i:8086/base", version: v1, database: d, username: u, password: p, headers: { a: b }, profile: netapp, resend_unchanged: 5m, compression: none, timeout: 1s, ${tls}, ${retrying}`
    assert.deepEqual(read('influx', `{ ${settings} }`), {
      ...{ type: 'influx', id: 'influx', transport: 'http', endpoint: 'https://i:8086/base', version: 'v1' },
      ...{ database: 'd', username: 'u', password: 'p', headers: { a: 'b' }, profile: 'netapp', temporality: 'delta' },
      ...{ resendUnchangedMs: 300_000, compression: 'none', timeoutMs: 1000, tls: readTls, retry },
    })
    const socket = read('influx', '{ transport: udp, endpoint: "telegraf:8094", temporality: delta }') as {
      type: 'influx'
      temporality: string
    }
    assert.equal(socket.temporality, 'delta')
  })

  it('of kafka are read', () => {
    const settings = `brokers: ["a:9092", "b:9092"], client_id: me, metrics: { topic: m }, logs: { topic: l }, encoding: otlp_json, required_acks: leader, compression: none, timeout: 3s, sasl: { mechanism: PLAIN, username: u, password: p }`
    assert.deepEqual(read('kafka', `{ ${settings}, ${tls}, ${form}, ${delivery} }`), {
      ...{ type: 'kafka', id: 'kafka', brokers: ['a:9092', 'b:9092'], clientId: 'me', encoding: 'otlp_json' },
      ...{ acks: 'leader', compression: 'none', timeoutMs: 3000 },
      topics: { metrics: 'm', traces: 'otlp_spans', logs: 'l' },
      tls: readTls,
      sasl: { mechanism: 'PLAIN', username: 'u', password: 'p' },
      ...readForm,
      ...readDelivery,
    })
  })

  it('take the Collector’s old names, with a warning', () => {
    const { exporters, warnings } = parse('exporters: { otlp/x: { endpoint: "c:4317" }, otlphttp: }')
    assert.deepEqual(
      exporters.map(({ type, id }) => [type, id]),
      [
        ['otlp_grpc', 'otlp/x'],
        ['otlp_http', 'otlphttp'],
      ],
    )
    assert.deepEqual(warnings, [
      "a.yaml:1:14: exporters.otlp/x: 'otlp' is a deprecated alias; write otlp_grpc/x",
      "a.yaml:1:46: exporters.otlphttp: 'otlphttp' is a deprecated alias; write otlp_http",
    ])
  })

  it('warn where nobody is asked who he is, or a password can be read on the way', () => {
    const text = `exporters:
  otlp_grpc: { endpoint: "https://c:1", tls: { insecure_skip_verify: true } }
  kafka: { sasl: { mechanism: PLAIN, username: u, password: p } }`
    assert.deepEqual(parse(text).warnings, [
      'a.yaml:2:48: exporters.otlp_grpc.tls.insecure_skip_verify: whoever answers is believed, and gets everything',
      'a.yaml:3:12: exporters.kafka.sasl: without tls whoever is on the way can read the password',
    ])
  })

  for (const [what, exporters, ...lines] of [
    [
      'half a client certificate',
      'otlp_grpc: { tls: { cert_file: a } }',
      '1:27: exporters.otlp_grpc.tls: one half of a client certificate; allowed: cert_file with key_file',
    ],
    [
      'https:// without TLS',
      'otlp_http: { logs_endpoint: "https://c:1", tls: { insecure: true } }',
      '1:74: exporters.otlp_http.tls.insecure: contradicts https:// in the endpoint; allowed: false, or http://',
    ],
    [
      'an HTTP endpoint without a scheme, or with a password',
      'otlp_http: { endpoint: "http://me:s3cret@c" }',
      "1:37: exporters.otlp_http.endpoint: 'http://[REDACTED]@c' is not allowed; allowed: http://HOST:PORT, https://HOST:PORT, each with an optional /PATH",
    ],
    [
      'one file for two',
      'file: { path: a }, file/2: { path: a }',
      '1:49: exporters.file/2.path: is the file of file too; allowed: another file',
    ],
    [
      'one port for two',
      'prometheus: , prometheus/2: { path: /b }',
      '1:42: exporters.prometheus/2.endpoint: is the endpoint of prometheus too; allowed: another endpoint',
    ],
    [
      'a storage that is not there',
      'otlp_grpc: { sending_queue: { storage: file_storage } }',
      "1:53: exporters.otlp_grpc.sending_queue.storage: 'file_storage' is not in service.extensions (did you mean 'file_storage/s'?); allowed: file_storage/s",
    ],
    [
      'an amount that is none',
      'otlp_grpc: { sending_queue: { queue_bytes: 16 mb } }',
      "1:57: exporters.otlp_grpc.sending_queue.queue_bytes: '16 mb' is not allowed; allowed: 64KiB to 1GiB, such as 64MiB",
    ],
    [
      'InfluxDB without its target',
      'influx: { version: v2, bucket: b }',
      "1:14: exporters.influx.org: is missing: InfluxDB's v2 writes to org and bucket; allowed: a name",
    ],
    [
      'a URL for a socket, and what only HTTP has',
      'influx: { transport: tcp, endpoint: "http://c:1", token: s3cret }',
      '1:50: exporters.influx.endpoint: is no HOST:PORT, which tcp needs; allowed: HOST:PORT',
      '1:64: exporters.influx.token: has no meaning with transport tcp; allowed: http',
    ],
    [
      'SASL without a password',
      'kafka: { sasl: { username: u } }',
      '1:29: exporters.kafka.sasl.password: is missing; allowed: a password',
    ],
    [
      'secrets that are none, without showing them',
      'prometheus: { bearer_token: "s3 cret" }',
      '1:42: exporters.prometheus.bearer_token: this value is not allowed; allowed: text of printable ASCII characters without spaces',
    ],
    [
      'tokens and passwords that are no text, without showing them',
      'influx: { token: 1234, password: 5678 }',
      '1:31: exporters.influx.token: this value is not allowed; allowed: a token',
      '1:47: exporters.influx.password: this value is not allowed; allowed: a password',
    ],
  ] as const satisfies readonly (readonly [string, string, ...string[]])[])
    it(`refuse ${what}`, () => {
      const text = `exporters: { ${exporters} }\n${extensions}`
      const expected = lines.map(each => `a.yaml:${each}`)
      assert.deepEqual(problemsOf(text, []).slice(0, expected.length), expected)
    })
})

const extensions =
  'extensions: { file_storage/s: { directory: /s, fsync: never } }\nservice: { extensions: [file_storage/s] }\n'

function parse(text: string) {
  return parseConfig(text, 'a.yaml', {}, [])
}

function read(id: string, settings: string): ExporterConfig {
  return parse(`exporters: { ${id}: ${settings} }\n${extensions}`).exporters[0]!
}
