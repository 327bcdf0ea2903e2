import assert from 'node:assert/strict'
import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import { JsonMetricsSerializer, ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer'
import {
  DataPointType,
  MeterProvider,
  PeriodicExportingMetricReader,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics'
import { describe, it } from 'mocha'
import { flowBatch } from '../support/flow-batch.ts'
import { observedCluster } from './observed-cluster.ts'
import { metricsOf, pointsOf, Receiver } from './receiver.ts'

describe('metric producer in the SDK', () => {
  it('counts as exported what the requests of a real reader carried, cut to size, one of them refused', async () => {
    const { table, producer, delivery } = observedCluster()
    const started = Array.from({ length: 20 }, (_, slot) => ({ slot, remotePort: slot + 1 }))
    const flows = started.map(({ slot }) => ({
      slot,
      fromPodPackets: 3,
      fromPodBytes: 300,
      toPodPackets: 1,
      toPodBytes: 66,
    }))
    table.apply(flowBatch({ started, flows }))
    const receiver = new Receiver()
    let requests = 0
    let largest = 0
    const exporter = {
      export(metrics: ResourceMetrics, done: (result: ExportResult) => void) {
        largest = Math.max(largest, metricsOf(metrics).flatMap(pointsOf).length)
        if (++requests === 2) return done({ code: ExportResultCode.FAILED, error: new Error('refused by the test') })
        receiver.take(metrics)
        producer.acknowledged(metrics)
        done({ code: ExportResultCode.SUCCESS })
      },
      forceFlush: async () => {},
      shutdown: async () => {},
    }
    const reader = new PeriodicExportingMetricReader({ exporter, metricProducers: [producer], maxExportBatchSize: 50 })
    const provider = new MeterProvider({ readers: [reader] })
    await reader.forceFlush()
    assert.equal(largest, 50)
    assert.ok(delivery.exported().bytes < 7320)
    await reader.forceFlush()
    assert.equal(receiver.sum('podweir.network.flow.packets'), 80)
    assert.equal(receiver.sum('podweir.network.flow.bytes'), 7320)
    assert.deepEqual(delivery.exported(), { packets: 80, bytes: 7320 })
    await provider.shutdown()
  })

  it('gives the reader histograms that it cuts to size too, and that the serializers write as they are', async () => {
    const { table, producer, collect } = observedCluster({ detail: 'full' })
    const identities = Array.from({ length: 40 }, (_, slot) => ({ slot, remote: `8.8.8.${slot}`, localPort: slot + 1 }))
    const flows = identities.map(({ slot }) => ({ slot, handshakeSeconds: 0.25, fromPod: { rttSumSeconds: 0.5 } }))
    const rtt = flows.map((_, row) => ({ row, bucket: 14, count: 3 }))
    table.apply(flowBatch({ started: identities, flows, rtt }))
    const receiver = new Receiver()
    const exporter = {
      export(metrics: ResourceMetrics, done: (result: ExportResult) => void) {
        assert.ok(metricsOf(metrics).flatMap(pointsOf).length <= 7)
        receiver.take(metrics)
        producer.acknowledged(metrics)
        done({ code: ExportResultCode.SUCCESS })
      },
      forceFlush: async () => {},
      shutdown: async () => {},
    }
    const point = writtenPoint(await collect(), 'podweir.network.tcp.rtt.duration')
    assert.deepEqual([point.count, point.sum, point.bucketCounts], [120, 20, [0, 0, 0, 0, 0, 0, 0, 120, 0]])
    assert.deepEqual(point.explicitBounds?.slice(0, 2), [2 ** -15, 2 ** -13])
    assert.ok(ProtobufMetricsSerializer.serializeRequest(await collect())!.length > 1000)
    const reader = new PeriodicExportingMetricReader({ exporter, metricProducers: [producer], maxExportBatchSize: 7 })
    const provider = new MeterProvider({ readers: [reader] })
    await reader.forceFlush()
    assert.equal(receiver.sum('podweir.network.tcp.rtt.duration'), 120)
    assert.equal(receiver.sum('podweir.network.tcp.handshake.duration'), 40)
    const histograms = metricsOf(await collect()).filter(each => each.dataPointType === DataPointType.HISTOGRAM)
    assert.deepEqual(histograms.flatMap(pointsOf), [])
    await provider.shutdown()
  })

  it('is written with every digit of its largest value', async () => {
    const { table, collect } = observedCluster()
    table.apply(flowBatch({ started: [{}], flows: [{ fromPodBytes: Number.MAX_SAFE_INTEGER }] }))
    const json = new TextDecoder().decode(JsonMetricsSerializer.serializeRequest(await collect()))
    assert.match(json, /"asInt":"?9007199254740991"?/)
  })
})

interface WrittenHistogram {
  readonly count?: number
  readonly sum?: number
  readonly bucketCounts?: number[]
  readonly explicitBounds?: number[]
}

/** The newest point of a histogram, as the official serializer writes it. */
function writtenPoint(metrics: ResourceMetrics, name: string): WrittenHistogram {
  const written = JSON.parse(new TextDecoder().decode(JsonMetricsSerializer.serializeRequest(metrics)))
  const found = written.resourceMetrics[0].scopeMetrics[0].metrics.find((each: { name: string }) => each.name === name)
  return found.histogram.dataPoints.at(-1)
}
