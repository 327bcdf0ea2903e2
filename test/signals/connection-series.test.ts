import assert from 'node:assert/strict'
import type { DataPoint, Histogram, ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { DataPointType } from '@opentelemetry/sdk-metrics'
import { describe, it } from 'mocha'
import { Closed, ConnectionState, Failed } from '../../lib/capture/flow-batch.ts'
import { flowBatch } from '../support/flow-batch.ts'
import { observedCluster } from './observed-cluster.ts'
import { metricsOf, partOf, pointsNamed, valuesNamed } from './receiver.ts'

const failed = 'podweir.network.connection.failed'
const retransmits = 'podweir.network.tcp.retransmits'
const active = 'podweir.network.connection.active'
const handshake = 'podweir.network.tcp.handshake.duration'
const rtt = 'podweir.network.tcp.rtt.duration'
const refused = { 'error.type': 'refused' }
const { established, closed } = ConnectionState

function namesOf(metrics: ResourceMetrics): string[] {
  return metricsOf(metrics)
    .map(({ descriptor }) => descriptor.name)
    .filter(name => /\.(connection|tcp)\./.test(name))
    .sort()
}

function histogramsNamed(metrics: ResourceMetrics, name: string): DataPoint<Histogram>[] {
  return pointsNamed(metrics, name) as unknown as DataPoint<Histogram>[]
}

/** Connections of web to api, with one of everything. */
function withEverything(detail: 'basic' | 'full') {
  const observed = observedCluster({ detail })
  const side = { retransmits: 1, outOfOrder: 1, zeroWindows: 1, resets: 1, rttSumSeconds: 1 }
  const ending = { closed: Closed.fin, endedAtMs: 1_002_000, failed: Failed.timeout, state: established }
  const row = { handshakeSeconds: 0.25, fromPod: side, toPod: side, ...ending }
  observed.table.apply(flowBatch({ started: [{}], flows: [row], rtt: [{ bucket: 15 }] }))
  return observed
}

describe('connection series', () => {
  it('are with basic detail what went wrong, and how long handshakes took', async () => {
    const { collect } = withEverything('basic')
    assert.deepEqual(namesOf(await collect()), [failed, 'podweir.network.connection.opened', handshake, retransmits])
  })

  it('are with full detail everything', async () => {
    const { collect } = withEverything('full')
    assert.equal(namesOf(await collect()).length, 11)
  })

  it('say 0 failures of each cause and 0 retransmits as soon as there is a TCP edge', async () => {
    const { table, collect } = observedCluster()
    table.apply(flowBatch({ started: [{}, { slot: 8, protocol: 17 }], flows: [{}, { slot: 8 }] }))
    const metrics = await collect()
    const causes = pointsNamed(metrics, failed).map(({ attributes }) => attributes['error.type'])
    assert.deepEqual(
      causes,
      ['refused', 'timeout', 'unreachable', 'reset'].flatMap(cause => [cause, cause]),
    )
    assert.deepEqual(valuesNamed(metrics, failed, refused), [0, 0])
    assert.deepEqual(valuesNamed(metrics, retransmits), [0, 0, 0, 0])
  })

  it('begin later with a zero just before their first event', async () => {
    const { table, collect, outlet, clock } = observedCluster({ detail: 'full' })
    table.apply(flowBatch({ readAtMs: 1_001_000, started: [{}], flows: [{}] }))
    outlet.acknowledged(await collect())
    table.apply(flowBatch({ sequence: 2, readAtMs: 1_060_000 }))
    table.apply(flowBatch({ sequence: 3, readAtMs: 1_061_000, flows: [{ toPod: { resets: 2 } }] }))
    clock.ms = 1_062_000
    const points = pointsNamed(await collect(), 'podweir.network.tcp.resets')
    assert.deepEqual(
      points.map(({ startTime, endTime, value }) => [startTime[0], endTime[0], value]),
      [
        [1060, 1060, 0],
        [1060, 1062, 2],
      ],
    )
    const { attributes } = points[1]!
    assert.deepEqual([attributes['podweir.flow.direction'], attributes['source.k8s.owner.name']], ['response', 'api'])
  })

  it('have the initiator as source and the cause beside it', async () => {
    const { table, collect } = observedCluster({ detail: 'full' })
    const row = { failed: Failed.refused, closed: Closed.resetByRemote }
    table.apply(flowBatch({ started: [{}], flows: [row] }))
    const metrics = await collect()
    assert.deepEqual(valuesNamed(metrics, failed, { ...refused, 'source.k8s.owner.name': 'web' }), [0, 1])
    const ends = valuesNamed(metrics, 'podweir.network.connection.closed', {
      'podweir.connection.end': 'reset_by_server',
      'destination.k8s.owner.name': 'api',
      'server.port': 8080,
    })
    assert.deepEqual(ends, [0, 1])
  })
})

describe('active connections', () => {
  it('are sent until they are taken, without a zero point, and may fall', async () => {
    const { table, collect, outlet } = observedCluster({ detail: 'full' })
    const started = [{}, { slot: 8, localPort: 1 }]
    table.apply(flowBatch({ started, flows: [{ state: established }, { slot: 8, state: established }] }))
    const first = await collect()
    assert.deepEqual(valuesNamed(first, active), [2])
    const metric = metricsOf(first).find(({ descriptor }) => descriptor.name === active)!
    assert.equal(metric.dataPointType === DataPointType.SUM && metric.isMonotonic, false)
    outlet.acknowledged(first)
    assert.deepEqual(valuesNamed(await collect(), active), [])
    table.apply(flowBatch({ sequence: 2, flows: [{ state: closed }] }))
    assert.deepEqual(valuesNamed(await collect(), active), [1])
    table.apply(flowBatch({ sequence: 3, flows: [{ slot: 8, state: closed }] }))
    const last = await collect()
    outlet.acknowledged(last)
    assert.deepEqual([valuesNamed(last, active), valuesNamed(await collect(), active)], [[0], []])
  })

  it('stay due when an old value is acknowledged after a newer one', async () => {
    const { table, collect, outlet, clock } = observedCluster({ detail: 'full' })
    table.apply(flowBatch({ started: [{}], flows: [{ state: established }] }))
    const old = await collect()
    table.apply(flowBatch({ sequence: 2, flows: [{ state: closed }] }))
    clock.ms += 1000
    outlet.acknowledged(await collect())
    outlet.acknowledged(old)
    assert.deepEqual(valuesNamed(await collect(), active), [])
  })

  it('have no series where there never were any', async () => {
    const { table, collect } = observedCluster({ detail: 'full' })
    table.apply(flowBatch({ started: [{}], flows: [{ state: ConnectionState.connecting }] }))
    assert.deepEqual(valuesNamed(await collect(), active), [])
  })

  it('are sent again once a minute', async () => {
    const { table, collect, outlet, clock } = observedCluster({ detail: 'full' })
    table.apply(flowBatch({ started: [{}], flows: [{ state: established }] }))
    outlet.acknowledged(await collect())
    clock.ms += 60_000
    assert.deepEqual(valuesNamed(await collect(), active), [1])
  })
})

describe('duration series', () => {
  it('are histograms of pairs, after an empty one at their start, until they are taken', async () => {
    const { table, collect, outlet, clock } = observedCluster({ detail: 'full' })
    table.apply(flowBatch({ readAtMs: 1_001_000, started: [{}], flows: [{}] }))
    const row = { fromPod: { rttSumSeconds: 0.75 } }
    const samples = [
      { bucket: 0, count: 5 },
      { bucket: 1, count: 2 },
      { bucket: 14, count: 1 },
      { bucket: 15, count: 4 },
    ]
    table.apply(flowBatch({ sequence: 2, readAtMs: 1_002_000, flows: [row], rtt: samples }))
    const metrics = await collect()
    const metric = metricsOf(metrics).find(({ descriptor }) => descriptor.name === rtt)!
    assert.deepEqual([metric.dataPointType, metric.descriptor.unit], [DataPointType.HISTOGRAM, 's'])
    const [zero, value, ...more] = histogramsNamed(metrics, rtt)
    assert.equal(more.length, 0)
    const boundaries = [2 ** -15, 2 ** -13, 2 ** -11, 2 ** -9, 2 ** -7, 2 ** -5, 2 ** -3, 2 ** -1]
    const empty = { buckets: { boundaries, counts: [0, 0, 0, 0, 0, 0, 0, 0, 0] }, count: 0, sum: 0 }
    assert.deepEqual([zero!.startTime, zero!.endTime, zero!.value], [[1001, 0], [1001, 0], empty])
    const counts = [5, 2, 0, 0, 0, 0, 0, 1, 4]
    assert.deepEqual(
      [value!.endTime, value!.value],
      [[1003, 0], { buckets: { boundaries, counts }, count: 12, sum: 0.75 }],
    )
    assert.deepEqual(value!.attributes, {
      'source.k8s.namespace.name': 'shop',
      'source.k8s.owner.name': 'web',
      'source.k8s.owner.type': 'Deployment',
      'destination.k8s.namespace.name': 'shop',
      'destination.k8s.owner.name': 'api',
      'destination.k8s.owner.type': 'Deployment',
      'network.transport': 'tcp',
      'network.type': 'ipv4',
      'podweir.observer': 'client',
      'podweir.flow.direction': 'request',
    })
    outlet.acknowledged(metrics)
    assert.deepEqual(histogramsNamed(await collect(), rtt), [])
    clock.ms += 60_000
    assert.deepEqual(
      histogramsNamed(await collect(), rtt).map(point => point.value.count),
      [12],
    )
  })

  it('are not there for a pair without samples', async () => {
    const { table, collect } = observedCluster({ detail: 'full' })
    const started = [{}, { slot: 8, remote: '8.8.8.8' }]
    const flows = [{}, { slot: 8, fromPod: { rttSumSeconds: 0.5 } }]
    table.apply(flowBatch({ started, flows, rtt: [{ row: 1 }] }))
    const ends = histogramsNamed(await collect(), rtt).map(({ attributes }) => attributes['destination.name'])
    assert.deepEqual(ends, ['external', 'external'])
  })

  it('stay due while a sample of theirs was not taken', async () => {
    const { table, collect, outlet } = observedCluster({ detail: 'full' })
    const row = { fromPod: { rttSumSeconds: 0.5 } }
    table.apply(flowBatch({ started: [{}], flows: [row], rtt: [{ bucket: 14 }] }))
    const first = await collect()
    table.apply(flowBatch({ sequence: 2, flows: [row], rtt: [{ bucket: 14 }] }))
    outlet.acknowledged(first)
    const second = await collect()
    assert.deepEqual(
      histogramsNamed(second, rtt).map(({ value }) => [value.count, value.sum]),
      [[2, 1]],
    )
    outlet.acknowledged(partOf(second, () => false))
    assert.equal(histogramsNamed(await collect(), rtt).length, 1)
    outlet.acknowledged(second)
    outlet.acknowledged(first)
    assert.equal(histogramsNamed(await collect(), rtt).length, 0)
  })

  it('of handshakes are sum and count with basic detail, eight bounds with full detail', async () => {
    for (const [detail, bounds] of [
      ['basic', []],
      ['full', [2 ** -13, 2 ** -11, 2 ** -9, 2 ** -7, 2 ** -5, 2 ** -3, 0.5, 2]],
    ] as const) {
      const { table, collect } = observedCluster({ detail })
      const started = [1, 2, 3].map(slot => ({ slot, localPort: slot }))
      const flows = [0.5, 1.01, 3.02].map((handshakeSeconds, i) => ({ slot: i + 1, handshakeSeconds }))
      table.apply(flowBatch({ started, flows }))
      const [, { value }] = histogramsNamed(await collect(), handshake) as [unknown, DataPoint<Histogram>]
      assert.deepEqual([value.count, value.buckets.boundaries], [3, bounds])
      assert.ok(Math.abs(value.sum! - 4.53) < 1e-9)
      assert.deepEqual(value.buckets.counts, detail === 'basic' ? [3] : [0, 0, 0, 0, 0, 0, 1, 1, 1])
    }
  })

  it('that exceed the series budget are one per metric', async () => {
    const { table, collect } = observedCluster({ seriesLimit: 0, detail: 'full' })
    const side = { rttSumSeconds: 0.5 }
    const rows = { flows: [{ fromPod: side, toPod: side }], rtt: [{ bucket: 3 }, { direction: 1, bucket: 4 }] }
    table.apply(flowBatch({ started: [{}], ...rows }))
    const points = histogramsNamed(await collect(), rtt).filter(({ value }) => value.count > 0)
    assert.deepEqual(
      points.map(({ attributes, value }) => [attributes, value.count]),
      [[{ 'otel.metric.overflow': true }, 2]],
    )
  })
})
