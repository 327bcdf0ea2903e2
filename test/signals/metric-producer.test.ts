import assert from 'node:assert/strict'
import type { Attributes } from '@opentelemetry/api'
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { describe, it } from 'mocha'
import { Opener } from '../../lib/capture/flow-batch.ts'
import { flowBatch } from '../support/flow-batch.ts'
import { observedCluster } from './observed-cluster.ts'
import { pointsNamed, valuesNamed } from './receiver.ts'

const packets = 'podweir.network.flow.packets'
const request = { 'podweir.flow.direction': 'request' }
const firstRow = { fromPodPackets: 2, fromPodBytes: 140, toPodPackets: 1, toPodBytes: 1514, opened: 1 }

describe('metric producer', () => {
  it('puts what every point is to carry on every point', async () => {
    const { table, collect, interfaces } = observedCluster({ everyPoint: { 'k8s.cluster.name': 'blue' } })
    interfaces.push({ state: 'attached' })
    table.apply(flowBatch({ started: [{ slot: 1 }], flows: [{ slot: 1, ...firstRow }], interfaces: [{}] }))
    const { scopeMetrics } = await collect()
    const names = scopeMetrics.flatMap(scope =>
      scope.metrics.flatMap(metric => metric.dataPoints.map(point => point.attributes['k8s.cluster.name'])),
    )
    assert.ok(names.length > 20)
    assert.deepEqual([...new Set(names)], ['blue'])
  })

  it('sends the terms of the three equations', async () => {
    const { table, collect, producer } = observedCluster()
    const fromPod = { skbs: 3, devicePackets: 9, unobservedSkbs: 4, overseenSkbs: 1, seenPackets: 8, seenBytes: 800 }
    const other = {
      otherPackets: 1,
      otherBytes: 42,
      overflowPackets: 3,
      overflowBytes: 418,
      filteredPackets: 2,
      filteredBytes: 200,
    }
    const started = [{ slot: 1 }, { slot: 2, opener: Opener.remote, localPort: 80, remotePort: 40_000 }]
    const flows = [
      { slot: 1, fromPodPackets: 1, fromPodBytes: 100 },
      { slot: 2, fromPodPackets: 1, fromPodBytes: 40 },
      { slot: 3, generation: 8 },
    ]
    table.apply(flowBatch({ started, flows, interfaces: [{ fromPod: { ...fromPod, ...other } }] }))
    producer.acknowledged(await collect())
    table.apply(flowBatch({ sequence: 2, flows: [{ slot: 1, fromPodPackets: 1 }] }))
    const metrics = await collect()
    assert.deepEqual(stagesOf(metrics, 'podweir.ledger.packets'), { drained: 3, exported: 1, flow: 3, queued: 2 })
    const skbs = (stage: string) =>
      valuesNamed(metrics, 'podweir.ledger.skbs', { 'podweir.ledger.stage': stage, 'podweir.counter.kind': 'skb' })
    assert.deepEqual(skbs('device'), [])
    assert.deepEqual(valuesNamed(metrics, 'podweir.ledger.unexplained', { 'network.io.direction': 'transmit' }), [3])
  })

  it('sends every stage once at the start, zeros too', async () => {
    const { table, collect } = observedCluster()
    table.apply(flowBatch({ interfaces: [{ fromPod: { skbs: 5, devicePackets: 5, seenPackets: 6, seenBytes: 600 } }] }))
    const metrics = await collect()
    const zeros = { collapsed: 0, drained: 0, excluded: 0, exported: 0, filtered: 0, flow: 0, lost: 0 }
    const moreZeros = { other: 0, other_end: 0, overflow: 0, queued: 0, restart: 0 }
    assert.deepEqual(stagesOf(metrics, 'podweir.ledger.packets'), { ...zeros, ...moreZeros, seen: 6 })
    assert.deepEqual(stagesOf(metrics, 'podweir.ledger.bytes'), { ...zeros, ...moreZeros, seen: 600 })
    assert.deepEqual(stagesOf(metrics, 'podweir.ledger.skbs', { 'network.io.direction': 'transmit' }), {
      device: 5,
      seen: 5,
      unobserved: 0,
      overseen: 0,
    })
  })

  it('counts as exported only what every receiver has taken', async () => {
    const { table, producer, newProducer, collect, delivery } = observedCluster()
    const second = newProducer()
    table.apply(flowBatch({ started: [{}], flows: [firstRow] }))
    producer.acknowledged(await collect())
    assert.deepEqual(delivery.exported(), { packets: 0, bytes: 0 })
    second.acknowledged(await collect(second))
    assert.deepEqual(delivery.exported(), { packets: 3, bytes: 1654 })
  })

  it('ignores acknowledged points of another producer', async () => {
    const { newProducer, producer, collect, table, delivery } = observedCluster()
    const second = newProducer()
    table.apply(flowBatch({ started: [{}], flows: [firstRow] }))
    const metrics = await collect()
    producer.acknowledged(metrics)
    second.acknowledged(metrics)
    assert.deepEqual(delivery.exported(), { packets: 0, bytes: 0 })
  })

  it('says how full the flow table is and how many interfaces are in which state', async () => {
    const { table, collect, interfaces } = observedCluster({ flowLimit: 64 })
    table.apply(flowBatch({ liveFlows: 12 }))
    interfaces.push(
      { state: 'attached', mode: 'tcx', place: 'pod' },
      { state: 'attached', mode: 'tcx', place: 'pod' },
      { state: 'failed', reason: 'permission' },
    )
    const metrics = await collect()
    assert.deepEqual(valuesNamed(metrics, 'podweir.agent.flow.count'), [12])
    assert.deepEqual(valuesNamed(metrics, 'podweir.agent.flow.limit'), [64])
    const attached = { 'podweir.attach.state': 'attached', 'podweir.attach.mode': 'tcx', 'podweir.attach.place': 'pod' }
    assert.deepEqual(valuesNamed(metrics, 'podweir.agent.interfaces', attached), [2])
    const failed = { 'podweir.attach.state': 'failed', 'podweir.attach.reason': 'permission' }
    assert.deepEqual(valuesNamed(metrics, 'podweir.agent.interfaces', failed), [1])
    interfaces.length = 0
    assert.deepEqual(valuesNamed(await collect(), 'podweir.agent.interfaces', failed), [0])
  })

  it('sends no zero points for values that can fall', async () => {
    const { collect } = observedCluster()
    assert.deepEqual(valuesNamed(await collect(), 'podweir.ledger.unexplained'), [0, 0])
  })

  it('never lets a point end before it starts when the clock is set back', async () => {
    const { table, collect, clock } = observedCluster()
    table.apply(flowBatch({ started: [{}], flows: [firstRow] }))
    clock.ms = 5
    const [zero, value] = pointsNamed(await collect(), packets, request)
    assert.deepEqual(
      [zero!.endTime, value!.endTime],
      [
        [1000, 0],
        [1000, 1_000_000],
      ],
    )
  })
})

function stagesOf(metrics: ResourceMetrics, name: string, attributes: Attributes = {}): Record<string, number> {
  const points = pointsNamed(metrics, name, attributes)
  return Object.fromEntries(points.map(point => [point.attributes['podweir.ledger.stage'], point.value]))
}
