import assert from 'node:assert/strict'
import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import { JsonMetricsSerializer } from '@opentelemetry/otlp-transformer'
import { MeterProvider, PeriodicExportingMetricReader, type ResourceMetrics } from '@opentelemetry/sdk-metrics'
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

  it('is written with every digit of its largest value', async () => {
    const { table, collect } = observedCluster()
    table.apply(flowBatch({ started: [{}], flows: [{ fromPodBytes: Number.MAX_SAFE_INTEGER }] }))
    const json = new TextDecoder().decode(JsonMetricsSerializer.serializeRequest(await collect()))
    assert.match(json, /"asInt":"?9007199254740991"?/)
  })
})
