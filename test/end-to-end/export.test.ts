import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Attributes, type HrTime, ValueType } from '@opentelemetry/api'
import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import {
  AggregationTemporality,
  type CollectionResult,
  type DataPoint,
  DataPointType,
  type MetricProducer,
  type PushMetricExporter,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics'
import { after, afterEach, before, beforeEach, describe, it } from 'mocha'
import type { OtlpExporterConfig } from '../../lib/config/exporters.ts'
import { FileExporter } from '../../lib/export/file-exporter.ts'
import { MetricReaders } from '../../lib/export/metric-readers.ts'
import { createOtlpGrpcExporter } from '../../lib/export/otlp.ts'
import { agentResource } from '../../lib/export/resource.ts'
import { systemClock } from '../../lib/host/clock.ts'
import { type CapturedLog, capturedLog } from '../support/captured-log.ts'
import { type Collector, prepareCollector, startCollector } from '../support/collector.ts'
import { fileConfig, otlpGrpcConfig } from '../support/exporter-config.ts'
import { endTime, everything, request, startTime } from '../support/resource-metrics.ts'

const exportIntervalMs = 200
let folder = ''
let collector: Collector

function otlpConfig(): OtlpExporterConfig {
  return otlpGrpcConfig({ endpoint: collector.endpoint, timeout: '2s' })
}

function send(exporter: PushMetricExporter, metrics: ResourceMetrics): Promise<ExportResult> {
  return new Promise(done => exporter.export(metrics, done))
}

async function until(what: string, condition: () => boolean, timeoutMs = 8_000): Promise<void> {
  const endMs = systemClock.monotonicMs() + timeoutMs
  while (!condition()) {
    if (systemClock.monotonicMs() > endMs) throw new Error(`not within ${timeoutMs} ms: ${what}`)
    await delay(10)
  }
}

/** A series that grows with each collection, and starts with a zero point until a request with one was acknowledged. */
class GrowingSeries implements MetricProducer {
  total = 0
  zeroDelivered = false
  acknowledgments = 0
  failures = 0
  readonly #zeros = new WeakSet<DataPoint<unknown>>()

  async collect(): Promise<CollectionResult> {
    this.total += 1_000_003
    const points = [point(this.total, endTime)]
    if (!this.zeroDelivered) {
      const zero = point(0, startTime)
      this.#zeros.add(zero)
      points.unshift(zero)
    }
    return { resourceMetrics: request([sumOf('podweir.network.flow.bytes', points)]), errors: [] }
  }

  acknowledged(metrics: ResourceMetrics): void {
    this.acknowledgments++
    for (const metric of metrics.scopeMetrics.flatMap(scope => scope.metrics))
      for (const each of metric.dataPoints) if (this.#zeros.has(each)) this.zeroDelivered = true
  }

  failed(): void {
    this.failures++
  }
}

function point(value: number, time: HrTime, attributes = {}): DataPoint<number> {
  return { startTime, endTime: time, attributes, value }
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

function sumOf(name: string, dataPoints: DataPoint<number>[]) {
  return {
    descriptor: { name, description: '', unit: 'By', valueType: ValueType.INT },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPointType: DataPointType.SUM,
    isMonotonic: true,
    dataPoints,
  } as const
}

function readersOf(series: GrowingSeries, captured: CapturedLog, intervalMs = exportIntervalMs): MetricReaders {
  return new MetricReaders({
    exporters: [otlpConfig()],
    resource: agentResource('0.1.0'),
    exportIntervalMs: intervalMs,
    streamFor: () => ({
      producer: series,
      acknowledged: metrics => series.acknowledged(metrics),
      failed: () => series.failed(),
    }),
    log: captured.log,
    clock: systemClock,
  })
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

  it('gives the Collector’s file exporter and ours the same lines', async () => {
    collector = await startCollector({ folder })
    const metrics = everything()
    const otlp = createOtlpGrpcExporter(otlpConfig(), systemClock)
    const path = join(folder, 'ours.jsonl')
    const file = new FileExporter(fileConfig(path, 1e6, 0))
    assert.equal((await send(otlp, metrics)).code, ExportResultCode.SUCCESS)
    assert.equal((await send(file, metrics)).code, ExportResultCode.SUCCESS)
    await otlp.shutdown()
    await collector.stop()
    const [theirs, ours] = [collector.file, path].map(name => readFileSync(name, 'utf8'))
    assert.equal(theirs?.trimEnd().split('\n').length, 1)
    assert.deepEqual(JSON.parse(ours!), JSON.parse(theirs!))
  })

  it('keeps integers exact up to 2^53', async () => {
    collector = await startCollector({ folder })
    const values = [2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1, 2 ** 53]
    const otlp = createOtlpGrpcExporter(otlpConfig(), systemClock)
    await send(
      otlp,
      request([
        sumOf(
          'n',
          values.map((value, i) => point(value, endTime, { i: String(i) })),
        ),
      ]),
    )
    await otlp.shutdown()
    await collector.stop()
    assert.equal(
      collector.sums('n'),
      values.reduce((sum, value) => sum + BigInt(value), 0n),
    )
    assert.equal(collector.sums('n', { i: '3' }), 2n ** 53n - 1n)
  })

  it('stays under the Collector’s limit of 4 MiB with 20,000 points of long names', async () => {
    collector = await startCollector({ folder })
    const points = Array.from({ length: 20_000 }, (_, i) => point(1, endTime, longestEdge(i)))
    const series = new GrowingSeries()
    series.collect = async () => ({ resourceMetrics: request([sumOf('n', points)]), errors: [] })
    const captured = capturedLog()
    // The interval is also the time that the reader gives all five requests together.
    const readers = readersOf(series, captured, 60_000)
    await readers.shutdown(30_000)
    await collector.stop()
    assert.deepEqual(captured.messages, [])
    assert.equal(collector.sums('n'), 20_000n)
  })

  it('counts exactly with the Collector down at start, killed in the middle and back again', async () => {
    collector = await prepareCollector({ folder })
    const series = new GrowingSeries()
    const captured = capturedLog()
    const readers = readersOf(series, captured)
    await until('requests fail while it is down', () => series.failures >= 3)
    assert.deepEqual([series.acknowledgments, series.zeroDelivered], [0, false])
    await collector.restart()
    await until('delivery begins', () => series.acknowledgments >= 2)
    await collector.kill()
    const failures = series.failures
    await until('requests fail after the kill', () => series.failures >= failures + 3)
    await collector.restart()
    const acknowledgments = series.acknowledgments
    await until('delivery goes on', () => series.acknowledgments >= acknowledgments + 2)
    await readers.shutdown(5_000)
    await collector.stop()
    assert.equal(collector.sums('podweir.network.flow.bytes'), BigInt(series.total))
    const values = collector.points('podweir.network.flow.bytes').map(({ asInt }) => Number(asInt))
    assert.equal(values[0], 0)
    assert.ok(values.filter(value => value === 0).length === 1 && series.zeroDelivered)
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
    const series = new GrowingSeries()
    const readers = readersOf(series, capturedLog())
    await until('delivery begins', () => series.acknowledgments >= 1)
    await collector.stop()
    // gRPC's own reconnecting would by now wait 9 s between attempts.
    await delay(16_000)
    const acknowledgments = series.acknowledgments
    await collector.restart()
    const backMs = systemClock.monotonicMs()
    await until('delivery goes on', () => series.acknowledgments > acknowledgments)
    const tookMs = systemClock.monotonicMs() - backMs
    await readers.shutdown(5_000)
    assert.ok(tookMs < exportIntervalMs + 1_000, `${tookMs} ms`)
  })

  it('ends within 8 s when the Collector is gone', async () => {
    collector = await startCollector({ folder })
    const series = new GrowingSeries()
    const readers = readersOf(series, capturedLog())
    await until('delivery begins', () => series.acknowledgments >= 1)
    await collector.kill()
    const startMs = systemClock.monotonicMs()
    await readers.shutdown(8_000)
    const tookMs = systemClock.monotonicMs() - startMs
    assert.ok(tookMs < 2_000, `${tookMs} ms`)
  })
})
