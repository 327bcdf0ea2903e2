import assert from 'node:assert/strict'
import type { Attributes } from '@opentelemetry/api'
import { AggregationTemporality, type ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { describe, it } from 'mocha'
import { Opener } from '../../lib/capture/flow-batch.ts'
import { attachment, podIdentity } from '../aggregate/small-cluster.ts'
import { flowBatch } from '../support/flow-batch.ts'
import { observedCluster } from './observed-cluster.ts'
import { metricsOf, partOf, pointsNamed, valuesNamed } from './receiver.ts'

const bytes = 'podweir.network.flow.bytes'
const packets = 'podweir.network.flow.packets'
const opened = 'podweir.network.connection.opened'
const request = { 'podweir.flow.direction': 'request' }
const response = { 'podweir.flow.direction': 'response' }
const firstRow = { fromPodPackets: 2, fromPodBytes: 140, toPodPackets: 1, toPodBytes: 1514, opened: 1 }

function withOneFlow() {
  const observed = observedCluster()
  observed.table.apply(flowBatch({ started: [{}], flows: [firstRow] }))
  return observed
}

describe('metric producer: edges', () => {
  it('names the sender as source, and of connections the initiator', async () => {
    const { table, collect } = observedCluster()
    const started = { remote: '10.96.0.1', remotePort: 80 }
    table.apply(flowBatch({ started: [started], flows: [firstRow] }))
    const metrics = await collect()
    const shared = {
      'server.port': 80,
      'network.transport': 'tcp',
      'network.type': 'ipv4',
      'podweir.observer': 'client',
    }
    const forward = {
      'source.k8s.namespace.name': 'shop',
      'source.k8s.owner.name': 'web',
      'source.k8s.owner.type': 'Deployment',
      'destination.k8s.namespace.name': 'shop',
      'destination.k8s.owner.name': 'api',
      'destination.k8s.owner.type': 'Deployment',
      'destination.k8s.service.name': 'api-svc',
    }
    const backward = {
      'source.k8s.namespace.name': 'shop',
      'source.k8s.owner.name': 'api',
      'source.k8s.owner.type': 'Deployment',
      'source.k8s.service.name': 'api-svc',
      'destination.k8s.namespace.name': 'shop',
      'destination.k8s.owner.name': 'web',
      'destination.k8s.owner.type': 'Deployment',
    }
    assert.deepEqual(pointsNamed(metrics, bytes, request).at(-1)!.attributes, { ...forward, ...shared, ...request })
    assert.deepEqual(pointsNamed(metrics, bytes, response).at(-1)!.attributes, { ...backward, ...shared, ...response })
    assert.deepEqual(pointsNamed(metrics, opened).at(-1)!.attributes, { ...forward, ...shared })
  })

  it('names an end that is no Kubernetes object, and has no port for ICMP and no connections either', async () => {
    const { table, collect } = observedCluster()
    const started = { remote: '8.8.8.8', protocol: 1, localPort: 5, remotePort: 5, opener: Opener.remote }
    table.apply(flowBatch({ started: [started], flows: [{ toPodPackets: 1, toPodBytes: 98 }] }))
    const metrics = await collect()
    assert.deepEqual(pointsNamed(metrics, bytes, request).at(-1)!.attributes, {
      'source.name': 'external',
      'destination.k8s.namespace.name': 'shop',
      'destination.k8s.owner.name': 'web',
      'destination.k8s.owner.type': 'Deployment',
      'network.transport': 'icmp',
      'network.type': 'ipv4',
      'podweir.observer': 'server',
      'podweir.flow.direction': 'request',
    })
    assert.deepEqual(valuesNamed(metrics, opened), [])
  })

  it('sends cumulative whole numbers with their true start, after a zero at that start', async () => {
    const { collect } = withOneFlow()
    const metrics = await collect()
    const metric = metricsOf(metrics).find(each => each.descriptor.name === packets)!
    assert.equal(metric.aggregationTemporality, AggregationTemporality.CUMULATIVE)
    const [zero, value, ...more] = pointsNamed(metrics, packets, request)
    assert.equal(more.length, 0)
    assert.deepEqual([zero!.value, zero!.startTime, zero!.endTime], [0, [1000, 0], [1000, 0]])
    assert.deepEqual([value!.value, value!.startTime, value!.endTime], [2, [1000, 0], [1003, 0]])
  })

  it('repeats the zero until a request with it was acknowledged', async () => {
    const { collect, producer, table } = withOneFlow()
    await collect()
    const second = await collect()
    assert.deepEqual(valuesNamed(second, packets, request), [0, 2])
    producer.acknowledged(second)
    table.apply(flowBatch({ sequence: 2, flows: [{ fromPodPackets: 3 }] }))
    assert.deepEqual(valuesNamed(await collect(), packets, request), [5])
  })

  it('counts only the points of a part of a request', async () => {
    const { collect, producer, delivery } = withOneFlow()
    const metrics = await collect()
    const isRequest = (attributes: object) => Object.values(attributes).includes('request')
    producer.acknowledged(partOf(metrics, point => isRequest(point.attributes)))
    assert.deepEqual(delivery.exported(), { packets: 2, bytes: 140 })
    const next = await collect()
    assert.deepEqual(valuesNamed(next, packets, request), [])
    assert.deepEqual(valuesNamed(next, packets, response), [0, 1])
  })

  it('keeps pending what was counted between a collection and its acknowledgment', async () => {
    const { collect, producer, table, delivery } = withOneFlow()
    const first = await collect()
    table.apply(flowBatch({ sequence: 2, flows: [{ fromPodPackets: 3, fromPodBytes: 300 }] }))
    producer.acknowledged(first)
    assert.deepEqual(delivery.exported(), { packets: 3, bytes: 1654 })
    assert.deepEqual(valuesNamed(await collect(), packets, request), [5])
  })

  it('takes acknowledgments in any order and twice', async () => {
    const { collect, producer, table, delivery } = withOneFlow()
    const first = await collect()
    table.apply(flowBatch({ sequence: 2, flows: [{ fromPodPackets: 3, fromPodBytes: 300 }] }))
    const second = await collect()
    producer.acknowledged(second)
    producer.acknowledged(first)
    producer.acknowledged(second)
    assert.deepEqual(delivery.exported(), { packets: 6, bytes: 1954 })
    assert.deepEqual(valuesNamed(await collect(), packets, request), [])
  })

  it('sends an unchanged series again once a minute', async () => {
    const { collect, producer, clock } = withOneFlow()
    producer.acknowledged(await collect())
    clock.ms += 59_999
    assert.deepEqual(valuesNamed(await collect(), packets, request), [])
    clock.ms += 1
    const again = await collect()
    assert.deepEqual(valuesNamed(again, packets, request), [2])
    producer.acknowledged(again)
    assert.deepEqual(valuesNamed(await collect(), packets, request), [])
  })

  it('reuses attributes and start of a series', async () => {
    const { collect } = withOneFlow()
    const [first, second] = [await collect(), await collect()].map(each => pointsNamed(each, packets, request).at(-1)!)
    assert.equal(first!.attributes, second!.attributes)
    assert.equal(first!.startTime, second!.startTime)
  })

  it('sends one series per metric for everything that exceeds the series budget', async () => {
    const { table, collect } = observedCluster({ seriesLimit: 5 })
    const started = [1, 2, 3].map(slot => ({ slot, remotePort: slot }))
    table.apply(flowBatch({ started, flows: started.map(({ slot }) => ({ ...firstRow, slot })) }))
    const overflow = { 'otel.metric.overflow': true }
    const metrics = await collect()
    assert.deepEqual(valuesNamed(metrics, packets, overflow), [0, 6])
    assert.deepEqual(valuesNamed(metrics, bytes, overflow), [0, 3308])
    assert.deepEqual(valuesNamed(metrics, opened, overflow), [0, 2])
    assert.deepEqual(pointsNamed(metrics, packets, overflow)[0]!.attributes, overflow)
  })

  it('carries values past 2^32 exactly', async () => {
    const { table, collect } = withOneFlow()
    const many = 2 ** 40 + 1
    table.apply(flowBatch({ sequence: 2, flows: [{ fromPodBytes: many, fromPodPackets: 2 ** 33 + 1 }] }))
    const metrics = await collect()
    assert.deepEqual(valuesNamed(metrics, bytes, request), [0, 1_099_511_627_917])
    assert.deepEqual(valuesNamed(metrics, packets, request), [0, 8_589_934_595])
  })

  it('begins a series again before it would pass 2^53 - 1, and sends the last value of the old one until it is taken', async () => {
    const { table, collect, producer, clock } = withOneFlow()
    producer.acknowledged(await collect())
    const rest = Number.MAX_SAFE_INTEGER - 140
    table.apply(flowBatch({ sequence: 2, readAtMs: 1_010_000, flows: [{ fromPodBytes: rest }] }))
    table.apply(flowBatch({ sequence: 3, readAtMs: 1_011_000, flows: [{ fromPodBytes: 7 }] }))
    clock.ms = 1_020_000
    const metrics = await collect()
    assert.deepEqual(
      pointsNamed(metrics, bytes, request).map(point => [point.startTime[0], point.endTime[0], point.value]),
      [
        [1000, 1010, Number.MAX_SAFE_INTEGER],
        [1010, 1010, 0],
        [1010, 1020, 7],
      ],
    )
    producer.acknowledged(partOf(metrics, point => point.value === 7 || point.value === 0))
    assert.deepEqual(valuesNamed(await collect(), bytes, request), [Number.MAX_SAFE_INTEGER])
    producer.acknowledged(metrics)
    assert.deepEqual(valuesNamed(await collect(), bytes, request), [])
  })
})

describe('metric producer: pods', () => {
  const io = 'podweir.pod.network.io'
  const transmit = { 'network.io.direction': 'transmit' }

  it('tells what each interface carried, as the pod sees it', async () => {
    const { table, collect } = observedCluster()
    const fromPod = { seenPackets: 5, seenBytes: 500, skbs: 3, devicePackets: 7, unobservedSkbs: 4 }
    const toPod = { seenPackets: 9, seenBytes: 900 }
    table.apply(flowBatch({ interfaces: [{ fromPod, toPod }] }))
    const metrics = await collect()
    const pod = { 'k8s.pod.name': 'web-1', ...transmit }
    assert.deepEqual(valuesNamed(metrics, io, pod), [0, 500])
    assert.deepEqual(valuesNamed(metrics, 'podweir.pod.network.packets', pod), [0, 5])
    assert.deepEqual(valuesNamed(metrics, 'podweir.pod.network.unobserved', pod), [0, 4])
    assert.deepEqual(valuesNamed(metrics, io, { 'k8s.pod.name': 'web-1', 'network.io.direction': 'receive' }), [0, 900])
    const [zero] = pointsNamed(metrics, io, pod)
    assert.deepEqual(zero!.startTime, [1000, 0])
    assert.deepEqual(zero!.attributes, {
      'k8s.namespace.name': 'shop',
      'k8s.pod.name': 'web-1',
      'k8s.pod.uid': 'uid-web-1',
      'k8s.deployment.name': 'web',
      'network.io.direction': 'transmit',
      'network.interface.name': 'eth0',
      'podweir.attach.place': 'pod',
    })
  })

  it('names an interface that belongs to no Kubernetes pod by its own name, else by its slot', async () => {
    const { owners, ledger, collect } = observedCluster()
    owners.set(3, { identity: { class: 'unknown', name: 'build-box', ports: new Set() }, device: 'eth1' })
    ledger.attached(attachment(3))
    ledger.attached(attachment(4, { place: 'host', device: 'veth4' }))
    const points = pointsNamed(await collect(), io, transmit).filter(point => 'podweir.pod.name' in point.attributes)
    assert.deepEqual(
      points.filter(point => point.endTime[0] > 1000).map(point => point.attributes),
      [
        {
          'podweir.pod.name': 'build-box',
          ...transmit,
          'network.interface.name': 'eth1',
          'podweir.attach.place': 'pod',
        },
        {
          'podweir.pod.name': 'interface-4',
          ...transmit,
          'network.interface.name': 'veth4',
          'podweir.attach.place': 'host',
        },
      ],
    )
  })

  it('sends the last values of an interface that is gone until they are taken, then never again', async () => {
    const { table, collect, producer, clock } = observedCluster()
    producer.acknowledged(await collect())
    table.apply(flowBatch({ readAtMs: 1_004_000, interfaces: [{ ended: true, fromPod: { seenBytes: 60 } }] }))
    clock.ms = 1_009_000
    await collect()
    const last = await collect()
    const [point, ...others] = pointsNamed(last, io, { 'k8s.pod.name': 'web-1' })
    assert.deepEqual([point!.value, point!.endTime, others.length], [60, [1004, 0], 0])
    producer.acknowledged(last)
    clock.ms += 120_000
    assert.deepEqual(valuesNamed(await collect(), io, { 'k8s.pod.name': 'web-1' }), [])
  })

  it('tells of an interface that came and went between two collections, beside the next one of that name', async () => {
    const { table, ledger, collect, owners } = observedCluster()
    await collect()
    owners.set(3, { identity: podIdentity('shop', 'job-1', 'job'), device: 'eth0' })
    ledger.attached(attachment(3, { attachedAtMs: 1_003_000 }))
    table.apply(
      flowBatch({ readAtMs: 1_004_000, interfaces: [{ interfaceSlot: 3, ended: true, fromPod: { seenBytes: 60 } }] }),
    )
    ledger.attached(attachment(3, { attachedAtMs: 1_005_000 }))
    table.apply(flowBatch({ sequence: 2, interfaces: [{ interfaceSlot: 3, fromPod: { seenBytes: 7 } }] }))
    const points = pointsNamed(await collect(), io, { 'k8s.pod.name': 'job-1', ...transmit })
    assert.deepEqual(
      points.map(point => [point.startTime[0], point.value]),
      [
        [1003, 0],
        [1003, 60],
        [1005, 0],
        [1005, 7],
      ],
    )
  })
})

describe('metric producer: ledger and agent', () => {
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
