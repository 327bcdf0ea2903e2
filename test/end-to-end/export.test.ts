import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Attributes } from '@opentelemetry/api'
import { after, afterEach, before, beforeEach, describe, it } from 'mocha'
import { defaultDelivery } from '../../lib/config/default-delivery.ts'
import { defaultMetricForm } from '../../lib/config/metric-form.ts'
import type { MetricEncoder } from '../../lib/encode/metric-encoder.ts'
import { MetricJsonEncoder } from '../../lib/encode/metric-json.ts'
import { MetricProtobufEncoder } from '../../lib/encode/metric-protobuf.ts'
import { FileSender } from '../../lib/export/file-sender.ts'
import { MetricOutlet } from '../../lib/export/metric-outlet.ts'
import { OtlpGrpcSender } from '../../lib/export/otlp-grpc-sender.ts'
import type { Sender } from '../../lib/export/sender.ts'
import { createSender } from '../../lib/export/senders.ts'
import { systemClock } from '../../lib/host/clock.ts'
import { AttributeSet } from '../../lib/signals/attribute-set.ts'
import type { MetricSink } from '../../lib/signals/metric-sink.ts'
import { GrowingCounters } from '../export/growing-counters.ts'
import { type CapturedLog, capturedLog } from '../support/captured-log.ts'
import { type Collector, prepareCollector, startCollector } from '../support/collector.ts'
import { scope } from '../support/event-records.ts'
import { exporterConfig, fileConfig, otlpGrpcConfig } from '../support/exporter-config.ts'
import {
  END_MS,
  exemplars,
  histogram,
  metricNamed,
  START_MS,
  tellCounter,
  tellEverything,
} from '../support/told-metrics.ts'

const exportIntervalMs = 200
let folder = ''
let collector: Collector

function otlpSender(): OtlpGrpcSender {
  const { targets } = otlpGrpcConfig({ endpoint: collector.endpoint, timeout: '2s' })
  return new OtlpGrpcSender({ targets: { metrics: targets.metrics }, clock: systemClock })
}

async function sendBy(sender: Sender, encoder: MetricEncoder, tell: (sink: MetricSink) => void): Promise<void> {
  tell(encoder)
  assert.deepEqual(await sender.send(encoder.finish()), { kind: 'delivered', rejected: 0 })
  await sender.close()
}

async function until(what: string, condition: () => boolean, timeoutMs = 8_000): Promise<void> {
  const endMs = systemClock.monotonicMs() + timeoutMs
  while (!condition()) {
    if (systemClock.monotonicMs() > endMs) throw new Error(`not within ${timeoutMs} ms: ${what}`)
    await delay(10)
  }
}

/** An edge whose names are as long as a namespace's may be: 783 bytes in a request. */
function longestEdge(i: number): Attributes {
  const name = `name-${i}`.padEnd(63, '-')
  return {
    'k8s.cluster.name': 'production-eu-west-1',
    'source.k8s.namespace.name': name,
    'source.k8s.owner.name': name,
    'source.k8s.owner.type': 'Deployment',
    'destination.k8s.namespace.name': name,
    'destination.k8s.owner.name': name,
    'destination.k8s.owner.type': 'StatefulSet',
    'destination.k8s.service.name': name,
    'server.port': 8080,
    'network.transport': 'tcp',
    'network.type': 'ipv4',
    'podweir.observer': 'client',
    'podweir.flow.direction': 'response',
  }
}

function outletOf(counters: GrowingCounters, captured: CapturedLog, isDelta = false): MetricOutlet {
  return new MetricOutlet({
    id: 'otlp_grpc',
    source: counters,
    encoder: new MetricProtobufEncoder(scope, { ...defaultMetricForm, temporality: isDelta ? 'delta' : 'cumulative' }),
    sender: otlpSender(),
    isDelta,
    intervalMs: exportIntervalMs,
    retry: defaultDelivery.retry,
    log: captured.log,
    clock: systemClock,
  })
}

/** With what the SDK has no word for. */
function tellMore(sink: MetricSink): void {
  tellEverything(sink)
  sink.metric(metricNamed('ended'))
  sink.number(new AttributeSet({ i: 1 }), undefined, START_MS, END_MS, 5)
  sink.ended(new AttributeSet({ i: 1 }), undefined, START_MS, END_MS + 1)
  sink.metric(metricNamed('exemplified', 'histogram', 's'))
  sink.histogram(new AttributeSet({}), undefined, START_MS, END_MS, histogram([0, 1, 1, 0, 0], { exemplars }))
  sink.ended(new AttributeSet({}), undefined, START_MS, END_MS)
}

describe('export to a real Collector', () => {
  before('build the Collector, once', async function () {
    this.timeout('15m')
    folder = mkdtempSync(join(tmpdir(), 'podweir-collector-'))
    await prepareCollector({ folder })
  })

  beforeEach(() => {
    rmSync(folder, { recursive: true })
    folder = mkdtempSync(join(tmpdir(), 'podweir-collector-'))
  })

  afterEach(async () => collector.stop())

  after(() => rmSync(folder, { recursive: true }))

  for (const histograms of ['explicit', 'exponential'] as const)
    it(`gives the Collector’s file exporter and ours the same lines, with ${histograms} histograms`, async () => {
      collector = await startCollector({ folder })
      const form = { temporality: 'cumulative', histograms } as const
      const path = join(folder, 'ours.jsonl')
      const otlp = otlpSender()
      await sendBy(otlp, new MetricProtobufEncoder(scope, form), tellMore)
      await sendBy(new FileSender(fileConfig(path, 1e6, 0)), new MetricJsonEncoder(scope, form), tellMore)
      await collector.stop()
      const [theirs, ours] = [collector.file, path].map(name => readFileSync(name, 'utf8'))
      assert.equal(theirs?.trimEnd().split('\n').length, 1)
      assert.deepEqual(JSON.parse(ours!), JSON.parse(theirs!))
    })

  it('takes by HTTP, in protobuf and in JSON, what it takes by gRPC', async () => {
    collector = await startCollector({ folder })
    const form = { temporality: 'delta', histograms: 'exponential' } as const
    await sendBy(otlpSender(), new MetricProtobufEncoder(scope, form), tellMore)
    for (const encoding of ['proto', 'json'] as const) {
      const settings = { endpoint: collector.httpEndpoint, encoding, compression: 'gzip' }
      const sender = createSender(exporterConfig('otlp_http', settings), { signal: 'metrics', clock: systemClock })
      await sendBy(sender, new (encoding === 'json' ? MetricJsonEncoder : MetricProtobufEncoder)(scope, form), tellMore)
    }
    await collector.stop()
    const [byGrpc, ...byHttp] = readFileSync(collector.file, 'utf8').trimEnd().split('\n')
    assert.deepEqual(
      byHttp.map(line => JSON.parse(line)),
      [JSON.parse(byGrpc!), JSON.parse(byGrpc!)],
    )
  })

  it('gets differences that add up, through an outage', async () => {
    collector = await startCollector({ folder })
    const counters = new GrowingCounters(undefined, { ...defaultMetricForm, temporality: 'delta' })
    const outlet = outletOf(counters, capturedLog(), true)
    await until('delivery begins', () => counters.deliveries >= 2)
    await collector.stop()
    const { failures, items } = outlet
    await until('requests fail', () => outlet.failures >= failures + 3)
    await collector.restart()
    const { deliveries } = counters
    await until('delivery goes on', () => counters.deliveries >= deliveries + 2)
    await outlet.close(5_000)
    await collector.stop()
    const points = collector.points('n')
    const sum = points.reduce((total, { asInt }) => total + BigInt(asInt!), 0n)
    assert.equal(sum, BigInt(counters.total))
    const ends = points.map(({ timeUnixNano }) => timeUnixNano)
    assert.deepEqual(
      points.slice(1).map(({ startTimeUnixNano }) => startTimeUnixNano),
      ends.slice(0, -1),
    )
    assert.equal(items.produced, items.delivered + items.superseded)
    assert.ok(items.superseded >= 3)
  })

  it('keeps integers exact up to 2^53', async () => {
    collector = await startCollector({ folder })
    const values = [2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1, 2 ** 53]
    const encoder = new MetricProtobufEncoder(scope, defaultMetricForm)
    const otlp = otlpSender()
    await sendBy(otlp, encoder, sink => tellCounter(sink, metricNamed('n'), values))
    await collector.stop()
    assert.equal(
      collector.sums('n'),
      values.reduce((sum, value) => sum + BigInt(value), 0n),
    )
    assert.equal(collector.sums('n', { i: '3' }), 2n ** 53n - 1n)
  })

  it('stays under the Collector’s limit of 4 MiB with 20,000 series of long names', async () => {
    collector = await startCollector({ folder })
    const counters = new GrowingCounters(Array.from({ length: 20_000 }, (_, i) => new AttributeSet(longestEdge(i))))
    const captured = capturedLog()
    const outlet = outletOf(counters, captured)
    await outlet.close(30_000)
    await collector.stop()
    assert.deepEqual(captured.messages, [])
    assert.equal(collector.sums('n'), 20_000n * BigInt(counters.total))
  })

  it('counts exactly with the Collector down at start, killed in the middle and back again', async () => {
    collector = await prepareCollector({ folder })
    const counters = new GrowingCounters()
    const captured = capturedLog()
    const outlet = outletOf(counters, captured)
    await until('requests fail while it is down', () => outlet.failures >= 3)
    assert.deepEqual([counters.deliveries, counters.acknowledged], [0, 0])
    await collector.restart()
    await until('delivery begins', () => counters.deliveries >= 2)
    await collector.kill()
    const failures = outlet.failures
    await until('requests fail after the kill', () => outlet.failures >= failures + 3)
    await collector.restart()
    const acknowledgments = counters.deliveries
    await until('delivery goes on', () => counters.deliveries >= acknowledgments + 2)
    await outlet.close(5_000)
    await collector.stop()
    assert.equal(collector.sums('n'), BigInt(counters.total))
    const values = collector.points('n').map(({ asInt }) => Number(asInt))
    assert.equal(values[0], 0)
    assert.equal(values.filter(value => value === 0).length, 1)
    assert.deepEqual(
      values,
      values.toSorted((a, b) => a - b),
    )
    assert.deepEqual(
      captured.messages.map(message => message.replace(/\d+ s$/, 'N s')),
      [
        `exporter otlp_grpc: 127.0.0.1:${collector.grpcPort} refused the connection; the counts stay and go with the next request`,
        'exporter otlp_grpc: delivers again after N s',
      ],
    )
  })

  it('delivers within an interval and a second of the Collector’s return, however long it was away', async function () {
    this.timeout('40s')
    collector = await startCollector({ folder })
    const counters = new GrowingCounters()
    const outlet = outletOf(counters, capturedLog())
    await until('delivery begins', () => counters.deliveries >= 1)
    await collector.stop()
    // gRPC's own reconnecting would by now wait 9 s between attempts.
    await delay(16_000)
    const acknowledgments = counters.deliveries
    await collector.restart()
    const backMs = systemClock.monotonicMs()
    await until('delivery goes on', () => counters.deliveries > acknowledgments)
    const tookMs = systemClock.monotonicMs() - backMs
    await outlet.close(5_000)
    assert.ok(tookMs < exportIntervalMs + 1_000, `${tookMs} ms`)
  })

  it('ends within 8 s when the Collector is gone', async () => {
    collector = await startCollector({ folder })
    const counters = new GrowingCounters()
    const outlet = outletOf(counters, capturedLog())
    await until('delivery begins', () => counters.deliveries >= 1)
    await collector.kill()
    const startMs = systemClock.monotonicMs()
    await outlet.close(8_000)
    const tookMs = systemClock.monotonicMs() - startMs
    assert.ok(tookMs < 2_000, `${tookMs} ms`)
  })
})
