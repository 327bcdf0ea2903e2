// That real data goes into the servers that other tests take for truth, and comes out again.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer'
import { afterEach, before, beforeEach, describe, it } from 'mocha'
import { LogJsonEncoder } from '../../lib/encode/log-json.ts'
import { SpanProtobufEncoder } from '../../lib/encode/span-protobuf.ts'
import { startCollector } from '../support/collector.ts'
import { fullSpan, logRecord, payments, scope, spanRecord } from '../support/event-records.ts'
import { startInfluxDb } from '../support/influxdb.ts'
import { startJaeger } from '../support/jaeger.ts'
import { hasJava, type Kafka, startKafka } from '../support/kafka.ts'
import { promtool, startPrometheus } from '../support/prometheus.ts'
import { point, request, sum } from '../support/resource-metrics.ts'
import { ensureServer } from '../support/server-process.ts'
import { skip } from '../support/skip.ts'
import { until } from '../support/until.ts'

const nowMs = () => Date.now()
let folder: string
let endings: (() => Promise<unknown>)[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podweir-servers-'))
})

afterEach(async () => {
  for (const end of endings.reverse()) await end()
  endings = []
  rmSync(folder, { recursive: true })
})

async function running<S extends { stop(): Promise<void> }>(server: Promise<S>): Promise<S> {
  const started = await server
  endings.push(() => started.stop())
  return started
}

async function post(url: string, contentType: string, body: Uint8Array): Promise<void> {
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': contentType }, body })
  assert.equal(response.status, 200, await response.text())
}

describe('a real Jaeger', () => {
  before('build it, once', async function () {
    this.timeout('30m')
    await ensureServer('jaeger', '1.76.0')
  })

  it('draws an edge from a span and its child on another resource', async () => {
    const jaeger = await running(startJaeger({ folder }))
    const times = { startMs: nowMs() - 1000, endMs: nowMs() }
    const traceId = '00000000000000000000000000000abc'
    const [client, server] = [
      spanRecord(0, { ...times, traceId }),
      spanRecord(1, { ...times, traceId, kind: 'server', resource: payments, parentSpanId: '0000000000000001' }),
    ]
    const [encoded] = new SpanProtobufEncoder(scope).encode([client, server])
    await post(`${jaeger.httpEndpoint}/v1/traces`, 'application/x-protobuf', encoded!.body)
    await until('the trace', async () => (await jaeger.trace(traceId))?.spans.length === 2)
    assert.deepEqual((await jaeger.services()).sort(), ['cart (net)', 'payments (net)'])
    assert.equal((await jaeger.traces('cart (net)')).length, 1)
    assert.deepEqual(await jaeger.dependencies(nowMs() + 1000), [
      { parent: 'cart (net)', child: 'payments (net)', callCount: 1 },
    ])
    assert.equal(await jaeger.trace('00000000000000000000000000000def'), undefined)
  })
})

describe('a real Prometheus', () => {
  before('build it, once', async function () {
    this.timeout('30m')
    await ensureServer('prometheus', '0.315.0')
  })

  it('takes OTLP metrics and answers queries', async function () {
    this.timeout(30_000)
    const prometheus = await running(startPrometheus({ folder }))
    const now = Math.floor(nowMs() / 1000)
    const sample = { ...point(7, { port: 80 }), startTime: [now - 1, 0] as const, endTime: [now, 0] as const }
    const body = ProtobufMetricsSerializer.serializeRequest(request([sum('shop.bytes', [sample as never])]))!
    await post(prometheus.otlpUrl, 'application/x-protobuf', body)
    await until('the sample', async () => (await prometheus.query('shop_bytes_total')).length === 1)
    const [found] = await prometheus.query('shop_bytes_total')
    assert.equal(found!.value, 7)
    assert.equal(found!.metric.port, '80')
    assert.equal(found!.metric.service_name, 'podweir')
  })

  it('comes with promtool, which says what is wrong with a page', async () => {
    const page = '# TYPE shop_bytes counter\nshop_bytes 7\n'
    assert.match((await promtool(['check', 'metrics'], page)).said, /shop_bytes counter metrics should have "_total"/)
    const right = '# HELP shop_bytes_total Bytes.\n# TYPE shop_bytes_total counter\nshop_bytes_total 7\n'
    assert.deepEqual(await promtool(['check', 'metrics'], right), { code: 0, said: '' })
  })
})

describe('a real InfluxDB', () => {
  before('fetch it, once', async function () {
    this.timeout('10m')
    await ensureServer('influxdb', '1.6.7')
  })

  it('takes lines and says which it does not take', async function () {
    this.timeout(30_000)
    const influx = await running(startInfluxDb({ folder }))
    assert.equal((await influx.write('flow,namespace=shop\\ a bytes=7i 1763730000000000000')).status, 204)
    const refused = await influx.write('flow bytes=7u 1763730000000000000')
    assert.equal(refused.status, 400)
    assert.match(refused.said, /invalid number/)
    const [rows] = await influx.query('SELECT * FROM flow')
    assert.deepEqual(rows!.columns, ['time', 'bytes', 'namespace'])
    assert.deepEqual(rows!.values, [[1763730000000000000, 7, 'shop a']])
    await assert.rejects(influx.query('SELECT'), /error parsing query/)
  })
})

describe('a real Kafka broker', () => {
  let kafka: Kafka

  before('fetch it, once', async function () {
    this.timeout('10m')
    if (!(await hasJava())) skip(this, 'needs Java')
    await ensureServer('kafka', '4.1.0')
  })

  beforeEach(async function () {
    this.timeout(120_000)
    kafka = await running(startKafka({ folder }))
  })

  it('keeps records, and hands them to a Collector that asks for them', async function () {
    this.timeout(120_000)
    await kafka.createTopic('otlp_logs')
    const record = logRecord(0, { body: 'refused' })
    const line = Buffer.from(new LogJsonEncoder(scope).encode([record])[0]!.body).toString()
    await kafka.produce('otlp_logs', [line])
    assert.deepEqual(await kafka.consume('otlp_logs', 1), [line])
    const collector = await running(startCollector({ folder, config: fromKafka(kafka.broker) }))
    await until('the record', () => collector.logsRequests().length === 1, { limitMs: 60_000 })
    const [received] = collector.logsRequests()[0]!.resourceLogs[0]!.scopeLogs[0]!.logRecords
    assert.deepEqual(received!.body, { stringValue: 'refused' })
  })
})

describe('a real Collector', () => {
  before('build it, once', async function () {
    this.timeout('15m')
    await ensureServer('otelcol', '0.155.0-filter')
  })

  it('writes what it received of all three signals, by HTTP', async function () {
    this.timeout(30_000)
    const collector = await running(startCollector({ folder }))
    const url = collector.httpEndpoint
    const [spans] = new SpanProtobufEncoder(scope).encode([fullSpan()])
    const [logs] = new LogJsonEncoder(scope).encode([logRecord()])
    await post(`${url}/v1/traces`, 'application/x-protobuf', spans!.body)
    await post(`${url}/v1/logs`, 'application/json', logs!.body)
    const metrics = ProtobufMetricsSerializer.serializeRequest(request([sum('a', [point(1)])]))!
    await post(`${url}/v1/metrics`, 'application/x-protobuf', metrics)
    await collector.stop()
    assert.equal(collector.points('a').length, 1)
    const [span] = collector.traceRequests()[0]!.resourceSpans[0]!.scopeSpans[0]!.spans
    assert.equal(span!.traceId, fullSpan().traceId)
    assert.equal(collector.logsRequests().length, 1)
  })
})

function fromKafka(broker: string): string {
  return `
receivers:
  kafka:
    brokers: ["${broker}"]
    logs: { topics: [otlp_logs], encoding: otlp_json }
    initial_offset: earliest
exporters:
  file: { path: "\${env:OUT}", append: true, flush_interval: 100ms }
service:
  telemetry: { metrics: { level: none } }
  pipelines:
    logs: { receivers: [kafka], exporters: [file] }
`
}
