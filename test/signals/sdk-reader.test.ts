import assert from 'node:assert/strict'
import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import { JsonMetricsSerializer, ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer'
import { MeterProvider, PeriodicExportingMetricReader, type ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { describe, it } from 'mocha'
import { FlowMetricProducer } from '../../lib/signals/metric-producer.ts'
import { flowBatch } from '../support/flow-batch.ts'
import { observedCluster } from './observed-cluster.ts'
import { metricsOf, pointsOf, Receiver, valuesNamed } from './receiver.ts'

const packets = 'podweir.network.flow.packets'

function withProducer(parts: Parameters<typeof observedCluster>[0] = {}) {
  const observed = observedCluster(parts)
  const producer = new FlowMetricProducer({ ...observed.sources, version: '0.1.0' })
  const collect = async () => (await producer.collect()).resourceMetrics
  return { ...observed, producer, collect }
}

/** A real reader that cuts what it collects, and a receiver of what it exports. */
function readerOf(producer: FlowMetricProducer, largest: number) {
  const receiver = new Receiver()
  const sizes: number[] = []
  const exporter = {
    export(metrics: ResourceMetrics, done: (result: ExportResult) => void) {
      sizes.push(metricsOf(metrics).flatMap(pointsOf).length)
      receiver.take(metrics)
      done({ code: ExportResultCode.SUCCESS })
    },
    forceFlush: async () => {},
    shutdown: async () => {},
  }
  const reader = new PeriodicExportingMetricReader({
    exporter,
    metricProducers: [producer],
    maxExportBatchSize: largest,
  })
  const provider = new MeterProvider({ readers: [reader] })
  return { reader, receiver, sizes, provider }
}

describe('metric producer in the SDK', () => {
  it('gives a real reader every series each time, and with the first collection its zero', async () => {
    const { table, producer, collect } = withProducer()
    table.apply(flowBatch({ started: [{}], flows: [{ fromPodPackets: 3 }] }))
    const request = { 'podweir.flow.direction': 'request' }
    assert.deepEqual(valuesNamed(await collect(), packets, request), [0, 3])
    assert.deepEqual(valuesNamed(await collect(), packets, request), [3])
    const { reader, receiver, sizes, provider } = readerOf(producer, 20)
    await reader.forceFlush()
    assert.equal(receiver.sum(packets), 3)
    assert.ok(sizes.length > 1 && Math.max(...sizes) === 20, String(sizes))
    await provider.shutdown()
  })

  it('gives the last value of what has ended once', async () => {
    const { drops, collect } = withProducer()
    drops.watched(7, 'node')
    drops.apply({ uncounted: 0, counts: [{ watch: 7, reason: 'no_socket', packets: 5 }] }, 1_001_000)
    assert.deepEqual(valuesNamed(await collect(), 'podweir.network.packet.dropped'), [0, 5])
    drops.apply({ uncounted: 0, counts: [{ watch: 7, reason: 'no_socket', packets: 6 }] }, 1_002_000, [7])
    assert.deepEqual(valuesNamed(await collect(), 'podweir.network.packet.dropped'), [6])
    assert.deepEqual(valuesNamed(await collect(), 'podweir.network.packet.dropped'), [])
  })

  it('gives histograms that the reader cuts to size too, and that the serializers write as they are', async () => {
    const { table, producer, collect } = withProducer({ detail: 'full' })
    const identities = Array.from({ length: 40 }, (_, slot) => ({ slot, remote: `8.8.8.${slot}`, localPort: slot + 1 }))
    const flows = identities.map(({ slot }) => ({ slot, handshakeSeconds: 0.25, fromPod: { rttSumSeconds: 0.5 } }))
    const rtt = flows.map((_, row) => ({ row, bucket: 14, count: 3 }))
    table.apply(flowBatch({ started: identities, flows, rtt }))
    const point = writtenPoint(await collect(), 'podweir.network.tcp.rtt.duration')
    assert.deepEqual([point.count, point.sum, point.bucketCounts], [120, 20, [0, 0, 0, 0, 0, 0, 0, 120, 0]])
    assert.deepEqual(point.explicitBounds?.slice(0, 2), [2 ** -15, 2 ** -13])
    assert.ok(ProtobufMetricsSerializer.serializeRequest(await collect())!.length > 1000)
    const { reader, receiver, sizes, provider } = readerOf(producer, 7)
    await reader.forceFlush()
    assert.equal(receiver.sum('podweir.network.tcp.rtt.duration'), 120)
    assert.equal(receiver.sum('podweir.network.tcp.handshake.duration'), 40)
    assert.equal(Math.max(...sizes), 7)
    await provider.shutdown()
  })

  it('is written with every digit of its largest value', async () => {
    const { table, collect } = withProducer()
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
