import assert from 'node:assert/strict'
import { AggregationTemporality } from '@opentelemetry/sdk-metrics'
import { describe, it } from 'mocha'
import { Opener } from '../../lib/capture/flow-batch.ts'
import { flowBatch } from '../support/flow-batch.ts'
import { observedCluster } from './observed-cluster.ts'
import { metricsOf, partOf, pointsNamed, valuesNamed } from './receiver.ts'

const bytes = 'podweir.network.flow.bytes'
const packets = 'podweir.network.flow.packets'
const opened = 'podweir.network.connection.opened'
const failed = 'podweir.network.connection.failed'
const request = { 'podweir.flow.direction': 'request' }
const response = { 'podweir.flow.direction': 'response' }
const firstRow = { fromPodPackets: 2, fromPodBytes: 140, toPodPackets: 1, toPodBytes: 1514, opened: 1 }

function withOneFlow() {
  const observed = observedCluster()
  observed.table.apply(flowBatch({ started: [{}], flows: [firstRow] }))
  return observed
}

describe('edge series', () => {
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
    const { collect, outlet, table } = withOneFlow()
    await collect()
    const second = await collect()
    assert.deepEqual(valuesNamed(second, packets, request), [0, 2])
    outlet.acknowledged(second)
    table.apply(flowBatch({ sequence: 2, flows: [{ fromPodPackets: 3 }] }))
    assert.deepEqual(valuesNamed(await collect(), packets, request), [5])
  })

  it('sends no zero after a value that was taken without it', async () => {
    const { collect, outlet, table } = withOneFlow()
    outlet.acknowledged(partOf(await collect(), point => point.value > 0))
    table.apply(flowBatch({ sequence: 2, flows: [{ fromPodPackets: 3 }] }))
    assert.deepEqual(valuesNamed(await collect(), packets, request), [5])
  })

  it('counts only the points of a part of a request', async () => {
    const { collect, outlet, delivery } = withOneFlow()
    const metrics = await collect()
    const isRequest = (attributes: object) => Object.values(attributes).includes('request')
    outlet.acknowledged(partOf(metrics, point => isRequest(point.attributes)))
    assert.deepEqual(delivery.exported(), { packets: 2, bytes: 140 })
    const next = await collect()
    assert.deepEqual(valuesNamed(next, packets, request), [])
    assert.deepEqual(valuesNamed(next, packets, response), [0, 1])
  })

  it('keeps pending what was counted between a collection and its acknowledgment', async () => {
    const { collect, outlet, table, delivery } = withOneFlow()
    const first = await collect()
    table.apply(flowBatch({ sequence: 2, flows: [{ fromPodPackets: 3, fromPodBytes: 300 }] }))
    outlet.acknowledged(first)
    assert.deepEqual(delivery.exported(), { packets: 3, bytes: 1654 })
    assert.deepEqual(valuesNamed(await collect(), packets, request), [5])
  })

  it('takes an acknowledgment twice, and none of a collection that another one has replaced', async () => {
    const { collect, outlet, table, delivery } = withOneFlow()
    const first = await collect()
    table.apply(flowBatch({ sequence: 2, flows: [{ fromPodPackets: 3, fromPodBytes: 300 }] }))
    const second = await collect()
    outlet.acknowledged(second)
    outlet.acknowledged(second)
    outlet.acknowledged(first)
    assert.deepEqual(delivery.exported(), { packets: 6, bytes: 1954 })
    assert.deepEqual(valuesNamed(await collect(), packets, request), [])
  })

  it('sends an unchanged series again once a minute', async () => {
    const { collect, outlet, clock } = withOneFlow()
    outlet.acknowledged(await collect())
    clock.ms += 59_999
    assert.deepEqual(valuesNamed(await collect(), packets, request), [])
    clock.ms += 1
    const again = await collect()
    assert.deepEqual(valuesNamed(again, packets, request), [2])
    outlet.acknowledged(again)
    assert.deepEqual(valuesNamed(await collect(), packets, request), [])
  })

  it('sends one series per metric for everything that exceeds the series budget', async () => {
    const { table, collect } = observedCluster({ seriesLimit: 14 })
    const started = [1, 2, 3].map(slot => ({ slot, remotePort: slot }))
    table.apply(flowBatch({ started, flows: started.map(({ slot }) => ({ ...firstRow, slot, failed: slot })) }))
    const overflow = { 'otel.metric.overflow': true }
    const metrics = await collect()
    assert.deepEqual(valuesNamed(metrics, packets, overflow), [0, 6])
    assert.deepEqual(valuesNamed(metrics, bytes, overflow), [0, 3308])
    assert.deepEqual(valuesNamed(metrics, opened, overflow), [0, 2])
    for (const name of [packets, failed])
      assert.deepEqual(pointsNamed(metrics, name, overflow)[0]!.attributes, overflow, name)
    assert.deepEqual(valuesNamed(metrics, failed, overflow), [0, 2])
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
    const { table, collect, outlet, clock } = withOneFlow()
    outlet.acknowledged(await collect())
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
    outlet.acknowledged(partOf(metrics, point => point.value === 7 || point.value === 0))
    assert.deepEqual(valuesNamed(await collect(), bytes, request), [Number.MAX_SAFE_INTEGER])
    outlet.acknowledged(metrics)
    assert.deepEqual(valuesNamed(await collect(), bytes, request), [])
  })
})
