import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { EdgeTable } from '../../lib/aggregate/edge-table.ts'
import { Histograms, powersOfTwo } from '../../lib/aggregate/histograms.ts'
import { Closed, Confidence, Opener, Retired } from '../../lib/capture/flow-batch.ts'
import { flowBatch } from '../support/flow-batch.ts'
import { api, apiService, smallCluster, web } from './small-cluster.ts'

/** Samples by upper bound in seconds, those that are not 0. */
function samplesOf(histograms: Histograms, index = 0): Record<string, number> {
  const counts = histograms.counts.subarray(index * histograms.buckets, (index + 1) * histograms.buckets)
  return Object.fromEntries([...counts].map((count, i) => [histograms.bounds[i] ?? 'more', count]).filter(([, n]) => n))
}

describe('histograms', () => {
  it('have each bound in its bucket, and one bucket for the rest', () => {
    const histograms = new Histograms(powersOfTwo(-2, 1))
    for (const seconds of [0.25, 0.2500001, 2, 2.1, 100]) histograms.add(0, seconds, 0)
    assert.deepEqual(samplesOf(histograms), { 0.25: 1, 0.5: 1, 2: 1, more: 2 })
    assert.equal(histograms.samples[0], 5)
    assert.ok(Math.abs(histograms.sums[0]! - 104.6000001) < 1e-9)
  })

  it('start with their first sample, each index for itself, and keep what they have when they grow', () => {
    const histograms = new Histograms([])
    for (let index = 0; index < 100; index++) histograms.add(index, index, 1000 + index)
    histograms.add(3, 1, 9999)
    assert.deepEqual([histograms.starts[3], histograms.sums[3], histograms.samples[3]], [1003, 4, 2])
    assert.deepEqual([histograms.starts[99], histograms.sums[99], histograms.length], [1099, 99, 100])
  })
})

describe('pairs of owners', () => {
  it('are shared by edges of several ports and Services, and told apart by transport, family and observer', () => {
    const edges = new EdgeTable({ detail: 'full' })
    const question = {
      client: web,
      server: api,
      serverPort: 80,
      transport: 'tcp',
      family: 4,
      observer: 'client',
    } as const
    const pairOf = (more: object) => edges.edges[edges.edgeFor({ ...question, ...more })]!.pair
    assert.deepEqual([{}, { serverPort: 81 }, { server: apiService }].map(pairOf), [0, 0, 0])
    assert.deepEqual([{ transport: 'udp' }, { family: 6 }, { observer: 'server' }].map(pairOf), [1, 2, 3])
    assert.equal(pairOf({ transport: '47' }), -1)
    assert.equal(edges.pairs.pairs[0]!.server.service, undefined)
  })

  it('that exceed the series budget share one, and their edges keep their own series', () => {
    const edges = new EdgeTable({ seriesLimit: 11 + 2 })
    const question = {
      client: web,
      server: api,
      serverPort: 80,
      transport: 'tcp',
      family: 4,
      observer: 'client',
    } as const
    const edge = edges.edges[edges.edgeFor(question)]!
    assert.deepEqual([edge.overflow, edges.pairs.pairs[edge.pair]!.overflow], [false, true])
  })
})

describe('durations', () => {
  it('of a handshake are counted once a connection, however long its rows say it', () => {
    const { table, edges } = smallCluster({ detail: 'full' })
    table.apply(flowBatch({ started: [{}], flows: [{}] }))
    for (const sequence of [2, 3]) table.apply(flowBatch({ sequence, flows: [{ handshakeSeconds: 2 ** -10 }] }))
    table.apply(
      flowBatch({ sequence: 4, started: [{ generation: 2 }], flows: [{ generation: 2, handshakeSeconds: 3 }] }),
    )
    assert.deepEqual(samplesOf(edges.pairs.handshake), { [2 ** -10]: 1, 4: 1 })
    assert.equal(edges.pairs.handshake.sums[0], 3 + 2 ** -10)
  })

  it('of a handshake are sum and count with basic detail, and the others are not kept', () => {
    const { table, edges } = smallCluster()
    const row = { handshakeSeconds: 0.25, closed: Closed.fin, endedAtMs: 1_002_000, fromPod: { rttSumSeconds: 0.5 } }
    table.apply(flowBatch({ started: [{}], flows: [row], rtt: [{ bucket: 14 }] }))
    const { handshake, requestRtt, duration } = edges.pairs
    assert.deepEqual([samplesOf(handshake), handshake.sums[0]], [{ more: 1 }, 0.25])
    assert.deepEqual([requestRtt.length, duration.length], [0, 0])
  })

  it('of round trips are by whose data they are, in the kernel’s own buckets', () => {
    const { table, edges } = smallCluster({ detail: 'full' })
    const fromOutside = { slot: 8, remote: '8.8.8.8', localPort: 443, remotePort: 50_000, opener: Opener.remote }
    const flows = [
      { fromPod: { rttSumSeconds: 0.5 }, toPod: { rttSumSeconds: 0.001 } },
      { slot: 8, fromPod: { rttSumSeconds: 7 } },
    ]
    const rtt = [
      { row: 0, direction: 0, bucket: 0, count: 3 },
      { row: 0, direction: 0, bucket: 14, count: 1 },
      { row: 0, direction: 1, bucket: 5, count: 2 },
      { row: 1, direction: 0, bucket: 15, count: 4 },
    ]
    table.apply(flowBatch({ started: [{}, fromOutside], flows, rtt }))
    const { requestRtt, responseRtt } = edges.pairs
    assert.deepEqual(samplesOf(requestRtt), { [2 ** -15]: 3, 0.5: 1 })
    assert.deepEqual(samplesOf(responseRtt), { [2 ** -10]: 2 })
    assert.deepEqual(samplesOf(responseRtt, 1), { more: 4 })
    assert.deepEqual([requestRtt.sums[0], responseRtt.sums[0], responseRtt.sums[1]], [0.5, 0.001, 7])
  })

  it('of a connection last from its first packet to its end', () => {
    const { table, edges } = smallCluster({ detail: 'full' })
    table.apply(flowBatch({ started: [{ startMs: 1_000_500 }], flows: [{}] }))
    table.apply(flowBatch({ sequence: 2, flows: [{ closed: Closed.fin, endedAtMs: 1_004_500 }] }))
    assert.deepEqual(samplesOf(edges.pairs.duration), { 4: 1 })
    assert.equal(edges.pairs.duration.sums[0], 4)
  })

  it('of a request last to the drain with its last packet', () => {
    const { table, edges } = smallCluster({ detail: 'full' })
    const udp = { protocol: 17, confidence: Confidence.firstPacket, startMs: 1_000_500 }
    table.apply(flowBatch({ readAtMs: 1_001_000, started: [udp], flows: [{ fromPodPackets: 1 }] }))
    table.apply(flowBatch({ sequence: 2, readAtMs: 1_002_000, flows: [{ toPodPackets: 1 }] }))
    const idle = { closed: Closed.idle, ended: Retired.yes }
    table.apply(flowBatch({ sequence: 3, readAtMs: 1_017_000, flows: [idle] }))
    assert.equal(edges.pairs.duration.sums[0], 1.5)
  })

  it('of a connection that was met in the middle are not known', () => {
    const { table, edges } = smallCluster({ detail: 'full' })
    const row = { closed: Closed.fin, endedAtMs: 1_004_500 }
    table.apply(flowBatch({ started: [{ confidence: Confidence.firstPacket }], flows: [row] }))
    assert.equal(edges.pairs.duration.length, 0)
  })
})
