import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { COUNTS_PER_EDGE, EdgeCount, edgeSeries } from '../../lib/aggregate/edge-counts.ts'
import type { EdgeTable } from '../../lib/aggregate/edge-table.ts'
import { Confidence, ConnectionState, Retired } from '../../lib/capture/flow-batch.ts'
import { Random } from '../ebpf/corpus/random.ts'
import { type FlowRow, flowBatch, type StartedRow } from '../support/flow-batch.ts'
import { edgesOf, node, smallCluster, web } from './small-cluster.ts'

const START_MS = 1_000_000
const IDLE_S = 10
const FULL_TCP_PAIR = 44

type Parts = Parameters<typeof smallCluster>[0]

/** A cluster with a drain every second; edges go after 10 s. */
function draining(parts: Parts = {}) {
  const cluster = smallCluster({ edgeIdleMs: IDLE_S * 1000, flowLimit: 256, ...parts })
  const { table, edges } = cluster
  let second = 0
  const drain = (flows: FlowRow[] = [], started: StartedRow[] = []) => {
    second++
    table.apply(flowBatch({ sequence: second, readAtMs: START_MS + second * 1000, flows, started }))
  }
  /** A flow that starts and ends in one drain, 100 bytes from the pod. */
  const pass = (row: StartedRow, more: FlowRow = {}) => {
    const of = { slot: row.slot ?? 7, generation: second + 1 }
    drain([{ ...of, fromPodPackets: 1, fromPodBytes: 100, ended: true, ...more }], [{ ...row, ...of }])
  }
  const rest = (seconds: number) => {
    for (let i = 0; i < seconds; i++) drain()
  }
  return { ...cluster, drain, pass, rest, nowMs: () => START_MS + second * 1000, present: () => edgesOf(edges) }
}

function takenBy({ edges, pairs, detail }: EdgeTable): number {
  const ofEdges = edges.map(edge => (edge && !edge.overflow ? edgeSeries(edge.transport, detail) : 0))
  const ofPairs = pairs.pairs.map(pair => (pair && !pair.overflow ? FULL_TCP_PAIR : 0))
  return [...ofEdges, ...ofPairs].reduce<number>((sum, series) => sum + series, 0)
}

const toApi = { remote: '10.0.0.2', remotePort: 8080 }
const toWorld = { remote: '8.8.8.8', remotePort: 443 }

describe('eviction of edges', () => {
  it('takes those that no flow has and that have not changed for the time, and gives their index to others', () => {
    const { pass, rest, present, edges } = draining()
    pass(toApi)
    rest(IDLE_S - 1)
    pass(toWorld)
    assert.deepEqual(Object.keys(present()), ['web>api:8080/tcp client', 'web>external:443/tcp client'])
    rest(2)
    assert.deepEqual(Object.keys(present()), ['web>external:443/tcp client'])
    pass({ ...toWorld, remotePort: 80 })
    assert.equal(edges.edges.length, 2)
    assert.deepEqual(present()['web>external:80/tcp client'], [100, 1, 0, 0, 0])
    assert.equal(edges.edges[0]!.serverPort, 80)
  })

  it('does not happen where nobody asked for it', () => {
    const { pass, rest, present } = draining({ edgeIdleMs: undefined! })
    pass(toApi)
    rest(100)
    assert.equal(Object.keys(present()).length, 1)
  })

  it('spares an edge as long as a flow has it, quiet as it is', () => {
    const { drain, rest, present } = draining()
    drain([{ slot: 7, fromPodBytes: 1 }], [{ slot: 7, ...toApi }])
    rest(10 * IDLE_S)
    assert.equal(Object.keys(present()).length, 1)
    drain([{ slot: 7, ended: true }])
    rest(IDLE_S + 1)
    assert.deepEqual(present(), {})
  })

  it('spares an edge of a connection that is parked: it is still active', () => {
    const { drain, rest, present, table } = draining({ detail: 'full' })
    const established = { state: ConnectionState.established, fromPodBytes: 1 }
    drain(
      [{ slot: 7, ...established, ended: Retired.parked }],
      [{ slot: 7, ...toApi, confidence: Confidence.handshake }],
    )
    rest(10 * IDLE_S)
    assert.equal(Object.keys(present()).length, 1)
    assert.equal(table.activeByEdge()[0], 1)
  })

  it('spares an edge that gets something between its two sweeps, and says until then that it is leaving', () => {
    const { pass, rest, edges, present } = draining()
    pass(toApi)
    rest(IDLE_S - 1)
    assert.equal(edges.isLeaving(0), false)
    rest(1)
    assert.equal(edges.isLeaving(0), true)
    const was = edges.edges[0]
    pass(toApi)
    assert.equal(edges.isLeaving(0), false)
    rest(IDLE_S - 1)
    assert.equal(edges.edges[0], was)
    assert.deepEqual(present()['web>api:8080/tcp client'], [200, 2, 0, 0, 0])
  })

  it('says no longer that an edge is leaving as soon as it got something, also before the next sweep', () => {
    const { pass, rest, edges } = draining({ edgeIdleMs: 10 * IDLE_S * 1000 })
    pass(toApi)
    for (let second = 0; !edges.isLeaving(0); second++) {
      assert.ok(second < 12 * IDLE_S)
      rest(1)
    }
    pass(toApi)
    assert.equal(edges.isLeaving(0), false)
  })

  it('keeps the totals true', () => {
    const { pass, rest, edges } = draining()
    pass(toApi, { toPodPackets: 2, toPodBytes: 3000 })
    pass(toWorld)
    rest(IDLE_S + 2)
    assert.equal(edges.edges.filter(Boolean).length, 0)
    assert.deepEqual(edges.totals(), { packets: 4, bytes: 3200 })
    pass(toApi)
    assert.deepEqual(edges.totals(), { packets: 5, bytes: 3300 })
  })

  it('lets an edge that comes back begin as a new one, with a start after the end of the old', () => {
    const { pass, rest, edges, nowMs } = draining()
    pass(toApi)
    const was = edges.edges[0]
    let endMs = 0
    edges.onEvicted((_index, ms) => {
      endMs = ms
    })
    rest(IDLE_S + 1)
    assert.equal(endMs, nowMs())
    pass(toApi, { opened: 1 })
    assert.notEqual(edges.edges[0], was)
    assert.deepEqual(edges.edges[0], was)
    assert.equal(edges.starts[0], endMs)
    assert.equal(edges.starts[EdgeCount.opened], endMs)
    assert.deepEqual([edges.values[0], edges.values[EdgeCount.opened]], [100, 1])
  })

  it('tells readers while everything of the edge and of its pair is still there', () => {
    const { pass, rest, edges } = draining({ detail: 'full' })
    const heard: unknown[] = []
    edges.onEvicted(index => heard.push([edges.edges[index]!.serverPort, edges.values[index * COUNTS_PER_EDGE]]))
    edges.pairs.onEvicted(pair =>
      heard.push([edges.pairs.pairs[pair]!.server.ownerName, edges.pairs.handshake.samples[pair]]),
    )
    pass(toApi, { handshakeSeconds: 1 })
    rest(IDLE_S + 1)
    assert.deepEqual(heard, [
      [8080, 100],
      ['api', 1],
    ])
    assert.deepEqual([edges.edges[0], edges.pairs.pairs[0]], [undefined, undefined])
  })

  it('takes a pair with its last edge, and its histograms begin anew', () => {
    const { pass, rest, edges, nowMs } = draining({ detail: 'full' })
    pass(toApi, { handshakeSeconds: 1 })
    rest(IDLE_S - 2)
    pass({ ...toApi, remotePort: 8081 })
    rest(3)
    assert.deepEqual([edges.edges[0], edges.edges[1]!.pair], [undefined, 0])
    assert.equal(edges.pairs.handshake.samples[0], 1)
    rest(IDLE_S)
    assert.equal(edges.pairs.pairs[0], undefined)
    const sinceMs = nowMs()
    pass(toApi, { handshakeSeconds: 2 })
    const { handshake } = edges.pairs
    assert.deepEqual([handshake.samples[0], handshake.sums[0], handshake.starts[0]], [1, 2, sinceMs])
    assert.equal(
      handshake.counts.reduce((sum, count) => sum + count),
      1,
    )
  })

  it('gives back the series of edges and pairs, and as many find a place again', () => {
    const { pass, rest, edges } = draining({ seriesLimit: 25, detail: 'basic' })
    for (let round = 0; round < 3; round++) {
      pass(toApi)
      pass({ ...toApi, remotePort: 81 })
      assert.deepEqual(edges.series, { count: 25, limit: 25 })
      rest(IDLE_S + 2)
      assert.deepEqual(edges.series, { count: 0, limit: 25 })
    }
    assert.equal(edges.overflowIndex, -1)
  })

  it('leaves the overflow, and live flows leave it as soon as there is room; what was counted there stays', () => {
    const { pass, drain, rest, present, edges } = draining({ seriesLimit: 14 })
    pass(toApi)
    drain([{ slot: 9, fromPodBytes: 50 }], [{ slot: 9, ...toWorld }])
    assert.deepEqual(present()['unknown>unknown:0/ client'], [50, 0, 0, 0, 0])
    rest(IDLE_S)
    assert.deepEqual(present()['web>external:443/tcp client'], [0, 0, 0, 0, 0])
    drain([{ slot: 9, fromPodBytes: 7 }])
    assert.deepEqual(present(), {
      'unknown>unknown:0/ client': [50, 0, 0, 0, 0],
      'web>external:443/tcp client': [7, 0, 0, 0, 0],
    })
    drain([{ slot: 9, ended: true }])
    rest(3 * IDLE_S)
    assert.deepEqual(Object.keys(present()), ['unknown>unknown:0/ client'])
    assert.equal(edges.totals().bytes, 157)
  })

  it('takes crossings of zones as it takes edges, both directions at once', () => {
    const { pass, drain, rest, edges, names, owners, ledger } = draining({ zones: 'on' })
    owners.set(1, { identity: { ...web, place: { zone: 'a' } }, device: 'eth0' })
    ledger.ownersChanged()
    for (const zone of ['b', 'c'])
      names.addresses.set(`192.168.1.${zone}`.replace('c', '3').replace('b', '2'), { ...node, place: { zone } })
    const zones = edges.zones!
    const heard: unknown[] = []
    zones.onEvicted(index =>
      heard.push([zones.crossings[index]!.to.zone, zones.values[index], zones.values[index + 1]]),
    )
    pass({ remote: '192.168.1.2' }, { toPodBytes: 30 })
    drain([{ slot: 9, fromPodBytes: 5 }], [{ slot: 9, remote: '192.168.1.3' }])
    rest(IDLE_S)
    assert.deepEqual(heard, [['b', 100, 30]])
    assert.deepEqual(
      zones.crossings.map(each => each?.to.zone),
      [undefined, undefined, 'c', 'a'],
    )
    pass({ remote: '192.168.1.2' })
    assert.deepEqual([...zones.values.subarray(0, 4)], [100, 0, 5, 0])
    drain([{ slot: 9, ended: true }])
    rest(2 * IDLE_S)
    assert.deepEqual(edges.series.count, 0)
  })

  it('loses nothing and mixes nothing up, however edges come and go', () => {
    for (const seriesLimit of [800, 10_000]) {
      const { drain, edges, names, nowMs } = draining({ seriesLimit, detail: 'full' })
      for (let i = 0; i < 40; i++) names.addresses.set(`172.16.0.${i}`, { ...node, name: `peer-${i}` })
      const sent = new Map<string, number>()
      const heard = new Map<string, number>()
      const add = (to: Map<string, number>, key: string, bytes: number) => to.set(key, (to.get(key) ?? 0) + bytes)
      edges.onEvicted(index => add(heard, edges.edges[index]!.server.name!, edges.values[index * COUNTS_PER_EDGE]!))
      const random = new Random(seriesLimit)
      for (let round = 0; round < 600; round++) {
        const flows = Array.from({ length: random.below(3) }, (_, slot) => ({
          slot,
          peer: random.below(40),
          bytes: 1 + random.below(999),
        }))
        for (const { peer, bytes } of flows) add(sent, `peer-${peer}`, bytes)
        const generation = round
        drain(
          flows.map(({ slot, bytes }) => ({ slot, generation, fromPodBytes: bytes, handshakeSeconds: 1, ended: true })),
          flows.map(({ slot, peer, bytes }) => ({
            slot,
            generation,
            remote: `172.16.0.${peer}`,
            remotePort: 80 + (bytes % 2),
          })),
        )
        assert.equal(edges.series.count, takenBy(edges))
        assert.ok(edges.series.count <= seriesLimit, `at ${nowMs()}`)
      }
      for (const [index, edge] of edges.edges.entries())
        if (edge) add(heard, edge.server.name!, edges.values[index * COUNTS_PER_EDGE]!)
      const sum = [...sent.values()].reduce((all, each) => all + each)
      assert.equal(edges.totals().bytes, sum)
      assert.equal(
        [...heard.values()].reduce((all, each) => all + each),
        sum,
      )
      // Of the small budget some is in the overflow.
      assert.equal(edges.overflowIndex === -1, seriesLimit === 10_000)
      if (seriesLimit === 10_000) assert.deepEqual(new Map([...heard].sort()), new Map([...sent].sort()))
      assert.ok(edges.edges.length < 85)
    }
  })

  it('is not held up by a clock that was set back', () => {
    const { table, edges } = smallCluster({ edgeIdleMs: IDLE_S * 1000 })
    const at = (readAtMs: number, parts: Parameters<typeof flowBatch>[0] = {}) =>
      table.apply(flowBatch({ sequence: readAtMs, readAtMs, ...parts }))
    at(9_000_000)
    at(1_000_000, { started: [{ slot: 7, ...toApi }], flows: [{ slot: 7, ended: true }] })
    for (let second = 1; second < 20; second++) at(1_000_000 + second * 1000)
    assert.equal(edges.edges[0], undefined)
  })
})
