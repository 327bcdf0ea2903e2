import assert from 'node:assert/strict'
import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  type DataPoint,
  MeterProvider,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics'
import { describe, it } from 'mocha'
import { AcknowledgingExporter } from '../../lib/export/acknowledging-exporter.ts'
import { capturedLog } from '../support/captured-log.ts'
import { point, request, sum } from '../support/resource-metrics.ts'

class Receiver implements PushMetricExporter {
  error: Error | undefined
  readonly got: ResourceMetrics[] = []

  export(metrics: ResourceMetrics, done: (result: ExportResult) => void): void {
    this.got.push(metrics)
    done(this.error ? { code: ExportResultCode.FAILED, error: this.error } : { code: ExportResultCode.SUCCESS })
  }

  async forceFlush(): Promise<void> {}

  async shutdown(): Promise<void> {}
}

function setUp() {
  const receiver = new Receiver()
  const acknowledged: ResourceMetrics[] = []
  const failed: [ResourceMetrics, Error][] = []
  const captured = capturedLog()
  const now = { ms: 0 }
  const exporter = new AcknowledgingExporter({
    id: 'otlp_grpc',
    exporter: receiver,
    listener: {
      acknowledged: metrics => void acknowledged.push(metrics),
      failed: (metrics, error) => void failed.push([metrics, error]),
    },
    log: captured.log,
    clock: { nowMs: () => 1_000_000 + now.ms, monotonicMs: () => now.ms },
  })
  const send = (metrics: ResourceMetrics) => new Promise<ExportResult>(done => exporter.export(metrics, done))
  return { receiver, acknowledged, failed, messages: captured.messages, now, exporter, send }
}

describe('AcknowledgingExporter', () => {
  it('reports the very request that was delivered', async () => {
    const { acknowledged, failed, exporter, send } = setUp()
    const metrics = request([sum('a', [point(1)])])
    assert.equal((await send(metrics)).code, ExportResultCode.SUCCESS)
    assert.equal(acknowledged[0], metrics)
    assert.deepEqual([acknowledged.length, failed.length], [1, 0])
    assert.deepEqual([exporter.acknowledgedAtMs, exporter.failures], [1_000_000, 0])
  })

  it('reports the very request that failed, with the reason, and acknowledges nothing', async () => {
    const { receiver, acknowledged, failed, exporter, send } = setUp()
    receiver.error = new Error('refused')
    const metrics = request([sum('a', [point(1)])])
    assert.equal((await send(metrics)).code, ExportResultCode.FAILED)
    assert.deepEqual([failed[0]?.[0] === metrics, failed[0]?.[1].message], [true, 'refused'])
    assert.deepEqual([acknowledged.length, exporter.failures, exporter.acknowledgedAtMs], [0, 1, undefined])
  })

  it('takes an exporter that throws for one that failed', async () => {
    const { receiver, failed, send } = setUp()
    receiver.export = () => {
      throw new Error('broken')
    }
    assert.equal((await send(request([]))).code, ExportResultCode.FAILED)
    assert.equal(failed[0]?.[1].message, 'broken')
  })

  it('sends one request at a time, and of those that wait for it the newest', async () => {
    const { receiver, acknowledged, failed, send } = setUp()
    const answers: ((result: ExportResult) => void)[] = []
    const sent: ResourceMetrics[] = []
    receiver.export = (metrics, done) => {
      sent.push(metrics)
      answers.push(done)
    }
    const [first, second, third] = [1, 2, 3].map(value => request([sum('a', [point(value)])]))
    const results = [first!, second!, third!].map(send)
    assert.deepEqual(sent, [first])
    assert.equal((await results[1]!).code, ExportResultCode.FAILED)
    answers[0]!({ code: ExportResultCode.SUCCESS })
    assert.deepEqual(sent, [first, third])
    answers[1]!({ code: ExportResultCode.SUCCESS })
    await Promise.all(results)
    assert.deepEqual([acknowledged, failed.map(([metrics]) => metrics)], [[first, third], [second]])
  })

  it('sends nothing that waited until it was shut down', async () => {
    const { receiver, exporter, send } = setUp()
    const answers: ((result: ExportResult) => void)[] = []
    receiver.export = (_, done) => void answers.push(done)
    const [, waiting] = [request([]), request([])].map(send)
    await exporter.shutdown()
    answers[0]!({ code: ExportResultCode.FAILED })
    assert.equal((await waiting!).code, ExportResultCode.FAILED)
    assert.equal(answers.length, 1)
  })

  it('logs an outage once, and its end', async () => {
    const { receiver, messages, now, send } = setUp()
    receiver.error = new Error('127.0.0.1:4317 refused the connection')
    for (; now.ms < 40_000; now.ms += 10_000) await send(request([]))
    receiver.error = undefined
    await send(request([]))
    await send(request([]))
    assert.deepEqual(messages, [
      'exporter otlp_grpc: 127.0.0.1:4317 refused the connection; the counts stay and go with the next request',
      'exporter otlp_grpc: delivers again after 40 s',
    ])
  })

  it('logs at most one failure a minute when every other request fails', async () => {
    const { receiver, messages, now, send } = setUp()
    for (; now.ms < 120_000; now.ms += 10_000) {
      receiver.error = receiver.error ? undefined : new Error('busy')
      await send(request([]))
    }
    assert.equal(messages.filter(message => message.includes('busy')).length, 2)
    assert.equal(messages.filter(message => message.includes('delivers again')).length, 2)
  })

  it('shows the DataPoint objects of the producer although the reader cuts requests to size', async () => {
    const { acknowledged, exporter } = setUp()
    const points = Array.from({ length: 20_000 }, (_, i) => point(i, { i }))
    const resourceMetrics = request([sum('a', points.slice(0, 9_000)), sum('b', points.slice(9_000))])
    const producer = { collect: async () => ({ resourceMetrics, errors: [] }) }
    const reader = new PeriodicExportingMetricReader({
      exporter,
      maxExportBatchSize: 8_000,
      metricProducers: [producer],
    })
    const provider = new MeterProvider({ resource: resourceFromAttributes({}), readers: [reader] })
    await provider.shutdown()
    const seen = acknowledged.map(pointsOf)
    assert.deepEqual(
      seen.map(list => list.length),
      [8_000, 8_000, 4_000],
    )
    const ours = new Set<DataPoint<unknown>>(points)
    assert.ok(seen.flat().every(each => ours.delete(each)))
    assert.equal(ours.size, 0)
  })
})

function pointsOf({ scopeMetrics }: ResourceMetrics): DataPoint<unknown>[] {
  return scopeMetrics.flatMap(({ metrics }) => metrics.flatMap<DataPoint<unknown>>(({ dataPoints }) => dataPoints))
}
