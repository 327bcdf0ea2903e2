import assert from 'node:assert/strict'
import { type Attributes, ValueType } from '@opentelemetry/api'
import type { DataPoint, Histogram, ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { describe, it } from 'mocha'
import { FlowFlag, Opener, Retired } from '../../lib/capture/flow-batch.ts'
import { flowBatch } from '../support/flow-batch.ts'
import { observedCluster } from './observed-cluster.ts'
import { metricsOf, pointsNamed, valuesNamed } from './receiver.ts'

const packets = 'podweir.network.flow.packets'
const request = { 'podweir.flow.direction': 'request' }
const firstRow = { fromPodPackets: 2, fromPodBytes: 140, toPodPackets: 1, toPodBytes: 1514, opened: 1 }

describe('metric walk', () => {
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
    const { table, collect, outlet } = observedCluster()
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
    const first = await collect()
    assert.deepEqual(valuesNamed(first, 'podweir.ledger.unexplained', { 'network.io.direction': 'transmit' }), [3])
    outlet.acknowledged(first)
    table.apply(flowBatch({ sequence: 2, flows: [{ slot: 1, fromPodPackets: 1 }] }))
    const metrics = await collect()
    assert.deepEqual(stagesOf(metrics, 'podweir.ledger.packets'), { drained: 3, exported: 1, flow: 3, queued: 2 })
    const skbs = (stage: string) =>
      valuesNamed(metrics, 'podweir.ledger.skbs', { 'podweir.ledger.stage': stage, 'podweir.counter.kind': 'skb' })
    assert.deepEqual(skbs('device'), [])
    assert.deepEqual(valuesNamed(metrics, 'podweir.ledger.unexplained'), [])
  })

  it('sends every stage once at the start, zeros too', async () => {
    const { table, collect } = observedCluster()
    table.apply(flowBatch({ interfaces: [{ fromPod: { skbs: 5, devicePackets: 5, seenPackets: 6, seenBytes: 600 } }] }))
    const metrics = await collect()
    const zeros = { collapsed: 0, drained: 0, excluded: 0, exported: 0, filtered: 0, flow: 0, lost: 0 }
    const moreZeros = { other_end: 0, overflow: 0, queued: 0, restart: 0, 'flow fragment': 0, 'flow gso_guess': 0 }
    const malformed = { 'other malformed_short': 0, 'other malformed_header': 0, 'other malformed_transport': 0 }
    const other = { 'other arp': 0, 'other not_ip': 0, ...malformed }
    assert.deepEqual(stagesOf(metrics, 'podweir.ledger.packets'), { ...zeros, ...moreZeros, ...other, seen: 6 })
    assert.deepEqual(stagesOf(metrics, 'podweir.ledger.bytes'), { ...zeros, ...moreZeros, ...other, seen: 600 })
    assert.deepEqual(stagesOf(metrics, 'podweir.ledger.skbs', { 'network.io.direction': 'transmit' }), {
      device: 5,
      seen: 5,
      unobserved: 0,
      overseen: 0,
    })
  })

  it('divides other and flow by class, and counts flows without a port as collapsed', async () => {
    const { table, collect } = observedCluster()
    const classPackets = { arp: 1, not_ip: 2, malformed_transport: 4, fragment: 5, gso_guess: 10 }
    const classBytes = { arp: 42, fragment: 500, gso_guess: 1000 }
    const fromPod = { seenPackets: 127, otherPackets: 7, otherBytes: 42, classPackets, classBytes }
    const toPod = { classPackets: { arp: 100 } }
    const started = [{}, { slot: 8, localPort: 0, flags: FlowFlag.collapsed }]
    const flows = [
      { fromPodPackets: 90, fromPodBytes: 9000 },
      { slot: 8, fromPodPackets: 20, toPodPackets: 10 },
    ]
    table.apply(flowBatch({ started, flows, interfaces: [{ fromPod, toPod }] }))
    const stages = stagesOf(await collect(), 'podweir.ledger.packets')
    const { flow, collapsed, drained, 'other arp': arp, 'other not_ip': notIp } = stages
    assert.deepEqual([flow, stages['flow fragment'], stages['flow gso_guess']], [75, 5, 10])
    assert.deepEqual([collapsed, drained, arp, notIp, stages['other malformed_transport']], [30, 120, 101, 2, 4])
    const bytes = stagesOf(await collect(), 'podweir.ledger.bytes')
    assert.deepEqual([bytes.flow, bytes['flow fragment'], bytes['flow gso_guess']], [7500, 500, 1000])
  })

  it('never lets the plain part of flow fall, although classes are counted before their rows', async () => {
    const { table, collect } = observedCluster()
    const interfaces = (fragment: number) => [{ fromPod: { classPackets: { fragment } } }]
    table.apply(flowBatch({ started: [{}], flows: [{ fromPodPackets: 10 }], interfaces: interfaces(0) }))
    assert.equal(stagesOf(await collect(), 'podweir.ledger.packets').flow, 10)
    table.apply(flowBatch({ sequence: 2, flows: [{ fromPodPackets: 1 }], interfaces: interfaces(6) }))
    assert.equal(stagesOf(await collect(), 'podweir.ledger.packets').flow, 10)
    table.apply(flowBatch({ sequence: 3, flows: [{ fromPodPackets: 6 }], interfaces: interfaces(6) }))
    assert.equal(stagesOf(await collect(), 'podweir.ledger.packets').flow, 11)
  })

  it('counts as exported only what every receiver has taken', async () => {
    const { table, outlet, newOutlet, collect, delivery } = observedCluster()
    const second = newOutlet()
    table.apply(flowBatch({ started: [{}], flows: [firstRow] }))
    outlet.acknowledged(await collect())
    assert.deepEqual(delivery.exported(), { packets: 0, bytes: 0 })
    second.acknowledged(await collect(second))
    assert.deepEqual(delivery.exported(), { packets: 3, bytes: 1654 })
  })

  it('ignores what another outlet was acknowledged', async () => {
    const { newOutlet, outlet, collect, table, delivery } = observedCluster()
    const second = newOutlet()
    table.apply(flowBatch({ started: [{}], flows: [firstRow] }))
    const metrics = await collect()
    outlet.acknowledged(metrics)
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

  it('says what went wrong with the capture, 0 from the start on', async () => {
    const { table, health, collect, outlet } = observedCluster({ flowLimit: 16 })
    const [faults, violations] = ['podweir.agent.faults', 'podweir.agent.self_audit.violations']
    const first = await collect()
    assert.deepEqual(pointsNamed(first, faults).filter(({ value }) => value === 0).length, 10)
    assert.deepEqual(valuesNamed(first, violations), [0, 0])
    outlet.acknowledged(first)
    const slots = Array.from({ length: 17 }, (_, slot) => ({ slot, localPort: 1000 + slot }))
    const parking = slots.map(({ slot }) => ({ slot, ended: Retired.parked }))
    table.apply(flowBatch({ started: slots, flows: parking }))
    health.update(flowBatch({ faults: { connectionsMerged: 3 }, audit: { violations: 2, newest: 'x' } }))
    const metrics = await collect()
    const counted = pointsNamed(metrics, faults).map(({ attributes, value }) => [
      attributes['podweir.fault.kind'],
      value,
    ])
    assert.deepEqual(counted, [
      ['connections_merged', 3],
      ['parked_dropped', 1],
    ])
    assert.deepEqual(valuesNamed(metrics, violations), [2])
  })

  it('says how much time programs took while it was measured, in seconds', async () => {
    const { collect, outlet, programTime } = observedCluster()
    outlet.acknowledged(await collect())
    Object.assign(programTime, { runs: 7, nanoseconds: 1_250_000_000 })
    const metrics = await collect()
    assert.deepEqual(valuesNamed(metrics, 'podweir.agent.program.time'), [1.25])
    assert.deepEqual(valuesNamed(metrics, 'podweir.agent.program.runs'), [7])
    const time = metricsOf(metrics).find(({ descriptor }) => descriptor.name === 'podweir.agent.program.time')!
    assert.equal(time.descriptor.valueType, ValueType.DOUBLE)
  })

  it('says what became of the items of each exporter, all of one moment', async () => {
    const { collect, items } = observedCluster()
    const queue = { items: 4, bytes: 900 }
    const counts = { produced: 30, delivered: 20, superseded: 5, lost: new Map([['refused', 1]]), queue }
    items.push({ exporter: 'otlp_grpc/a', signal: 'traces', counts })
    const metrics = await collect()
    const of = { 'podweir.exporter': 'otlp_grpc/a', 'podweir.signal': 'traces' }
    const told = pointsNamed(metrics, 'podweir.ledger.items', of)
      .filter(({ value }) => value > 0)
      .map(({ attributes, value }) => [
        attributes['podweir.ledger.stage'],
        attributes['podweir.loss.reason'] ?? '',
        value,
      ])
    assert.deepEqual(told, [
      ['produced', '', 30],
      ['delivered', '', 20],
      ['superseded', '', 5],
      ['lost', 'refused', 1],
    ])
    assert.deepEqual(valuesNamed(metrics, 'podweir.agent.queue.items', of), [4])
    assert.deepEqual(valuesNamed(metrics, 'podweir.agent.queue.bytes', of), [900])
  })

  it('says what the process takes, how many series there are, and how long drains took', async () => {
    const { table, collect, drains } = observedCluster({ seriesLimit: 100 })
    table.apply(flowBatch({ started: [{}], flows: [firstRow] }))
    for (const seconds of [0.002, 0.003]) drains.add(seconds)
    const metrics = await collect()
    assert.deepEqual(valuesNamed(metrics, 'process.cpu.time', { 'cpu.mode': 'user' }), [0, 1.5])
    assert.deepEqual(valuesNamed(metrics, 'process.memory.usage'), [2 ** 27])
    assert.deepEqual(valuesNamed(metrics, 'podweir.agent.series.count'), [14])
    assert.deepEqual(valuesNamed(metrics, 'podweir.agent.series.limit'), [100])
    const [, { value }] = pointsNamed(metrics, 'podweir.agent.drain.duration') as unknown as [
      unknown,
      DataPoint<Histogram>,
    ]
    assert.deepEqual([value.count, value.buckets.counts], [2, [0, 0, 2, 0, 0, 0, 0, 0, 0]])
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

/** `other arp`: the class is part of it. */
function stageOf({ 'podweir.ledger.stage': stage, 'podweir.packet.class': packetClass }: Attributes): string {
  return packetClass === undefined ? String(stage) : `${stage} ${packetClass}`
}

function stagesOf(metrics: ResourceMetrics, name: string, attributes: Attributes = {}): Record<string, number> {
  const points = pointsNamed(metrics, name, attributes)
  return Object.fromEntries(points.map(({ attributes, value }) => [stageOf(attributes), value]))
}
