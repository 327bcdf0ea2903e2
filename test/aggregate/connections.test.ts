import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { COUNTS_PER_EDGE, EdgeCount } from '../../lib/aggregate/edge-counts.ts'
import type { EdgeTable } from '../../lib/aggregate/edge-table.ts'
import { Closed, Confidence, ConnectionState, Failed, FlowFlag, Opener, Retired } from '../../lib/capture/flow-batch.ts'
import { type FlowRow, flowBatch, type StartedRow } from '../support/flow-batch.ts'
import { smallCluster } from './small-cluster.ts'

/** Opened by 8.8.8.8, at the pod's port 443. */
const fromOutside: StartedRow = { remote: '8.8.8.8', localPort: 443, remotePort: 50_000, opener: Opener.remote }
const udp: StartedRow = { protocol: 17, remotePort: 5353, confidence: Confidence.firstPacket }
const echo: StartedRow = { protocol: 1, localPort: 7, remotePort: 7 }

/** Counts that are not 0 and not of packets and bytes, by name. */
function eventsOf(edges: EdgeTable, edge = 0): Record<string, number> {
  const named = Object.entries(EdgeCount).map(([name, count]) => [name, edges.values[edge * COUNTS_PER_EDGE + count]!])
  return Object.fromEntries(named.filter(([name, value]) => value !== 0 && !/Bytes|Packets/.test(String(name))))
}

function counted(started: StartedRow, ...rows: FlowRow[]) {
  const cluster = smallCluster({ detail: 'full' })
  rows.forEach((row, i) => {
    cluster.table.apply(flowBatch({ sequence: i + 1, ...(i === 0 && { started: [started] }), flows: [row] }))
  })
  return cluster
}

describe('connections', () => {
  for (const [count, failed] of [
    ['failedRefused', Failed.refused],
    ['failedTimeout', Failed.timeout],
    ['failedUnreachable', Failed.unreachable],
    ['failedReset', Failed.reset],
  ] as const)
    it(`count as ${count} once`, () => {
      const { edges } = counted({}, { failed }, {})
      assert.deepEqual(eventsOf(edges), { [count]: 1 })
    })

  it('count as failed and as opened when the answer came after all', () => {
    const { edges } = counted({}, { failed: Failed.timeout }, { opened: 1 })
    assert.deepEqual(eventsOf(edges), { failedTimeout: 1, opened: 1 })
  })

  it('end by a FIN, or by the reset of client or server, whichever end is ours', () => {
    assert.deepEqual(eventsOf(counted({}, { closed: Closed.fin }).edges), { closedFin: 1 })
    assert.deepEqual(eventsOf(counted({}, { closed: Closed.resetByLocal }).edges), { closedByClient: 1 })
    assert.deepEqual(eventsOf(counted({}, { closed: Closed.resetByRemote }).edges), { closedByServer: 1 })
    assert.deepEqual(eventsOf(counted(fromOutside, { closed: Closed.resetByLocal }).edges), { closedByServer: 1 })
    assert.deepEqual(eventsOf(counted(fromOutside, { closed: Closed.resetByRemote }).edges), { closedByClient: 1 })
  })

  it('that are requests end by being idle, those met in the middle do not', () => {
    const idle = { closed: Closed.idle, ended: Retired.yes }
    assert.deepEqual(eventsOf(counted(udp, {}, idle).edges), { opened: 1, closedIdle: 1 })
    assert.deepEqual(eventsOf(counted(echo, {}, idle).edges), { closedIdle: 1 })
    assert.deepEqual(eventsOf(counted({ ...udp, opener: Opener.remote }, {}, idle).edges), {})
    assert.deepEqual(eventsOf(counted({ ...echo, confidence: Confidence.firstPacket }, {}, idle).edges), {})
  })

  it('are not counted in a flow whose port was left out: it may be many', () => {
    const { edges } = counted({ ...udp, localPort: 0, flags: FlowFlag.collapsed }, {}, { closed: Closed.idle })
    assert.deepEqual(eventsOf(edges), {})
  })

  it('are left to the other pod that opened them', () => {
    const started = { interfaceSlot: 2, remote: '10.0.0.1', localPort: 8080, remotePort: 40_000, opener: Opener.remote }
    const row = {
      opened: 1,
      closed: Closed.fin,
      handshakeSeconds: 0.001,
      fromPod: { retransmits: 3, rttSumSeconds: 1 },
    }
    const { edges } = counted(started, row)
    assert.equal(edges.edges.length, 0)
    assert.equal(edges.restarts.length, 0)
    assert.equal(edges.pairs.handshake.length + edges.pairs.responseRtt.length, 0)
  })
})

describe('what TCP’s senders did', () => {
  const fromPod = { retransmits: 1, outOfOrder: 2, zeroWindows: 3, resets: 4 }
  const toPod = { retransmits: 10, outOfOrder: 20, zeroWindows: 30, resets: 40 }

  it('adds up by direction', () => {
    const { edges } = counted({}, { fromPod, toPod }, { fromPod: { retransmits: 1 } })
    assert.deepEqual(eventsOf(edges), {
      requestRetransmits: 2,
      responseRetransmits: 10,
      requestOutOfOrder: 2,
      responseOutOfOrder: 20,
      requestResets: 4,
      responseResets: 40,
      requestZeroWindows: 3,
      responseZeroWindows: 30,
    })
  })

  it('is turned round when the remote is the client', () => {
    const { edges } = counted(fromOutside, { fromPod: { retransmits: 1 }, toPod: { zeroWindows: 2 } })
    assert.deepEqual(eventsOf(edges), { responseRetransmits: 1, requestZeroWindows: 2 })
  })

  it('is one count per metric in the overflow edge', () => {
    const { table, edges } = smallCluster({ seriesLimit: 0, detail: 'full' })
    const row = { fromPod, toPod, failed: Failed.reset, closed: Closed.resetByRemote }
    table.apply(flowBatch({ started: [{}], flows: [row] }))
    assert.deepEqual(eventsOf(edges), {
      failedRefused: 1,
      requestRetransmits: 11,
      requestOutOfOrder: 22,
      requestResets: 44,
      requestZeroWindows: 33,
      closedFin: 1,
    })
  })

  it('stays with the edge of its flow when the slot is used again in the same batch', () => {
    const { table, edges } = smallCluster({ detail: 'full' })
    table.apply(flowBatch({ started: [{}], flows: [{}] }))
    const flows = [
      { fromPod: { retransmits: 1, rttSumSeconds: 0.5 }, ended: true },
      { generation: 2, state: ConnectionState.established, fromPod: { retransmits: 2, rttSumSeconds: 0.25 } },
    ]
    const rtt = [
      { row: 0, bucket: 14, count: 1 },
      { row: 1, bucket: 13, count: 1 },
    ]
    table.apply(flowBatch({ sequence: 2, started: [{ generation: 2, remotePort: 81 }], flows, rtt }))
    assert.deepEqual([eventsOf(edges, 0), eventsOf(edges, 1)], [{ requestRetransmits: 1 }, { requestRetransmits: 2 }])
    const { retransmits, rttSamples, rttSumSeconds } = [...table.views(true)][0]!.tcp!.fromPod
    assert.deepEqual([retransmits, rttSamples, rttSumSeconds], [2, 1, 0.25])
    assert.deepEqual([...edges.pairs.requestRtt.sums.subarray(0, 1)], [0.75])
  })

  it('begins a count with its first event, unless it began with its edge', () => {
    const { table, edges } = smallCluster({ detail: 'full' })
    table.apply(flowBatch({ readAtMs: 1_001_000, started: [{}], flows: [{}] }))
    const row = { fromPod: { resets: 1, retransmits: 1 } }
    table.apply(flowBatch({ sequence: 2, readAtMs: 1_005_000, flows: [{}] }))
    table.apply(flowBatch({ sequence: 3, readAtMs: 1_006_000, flows: [row] }))
    table.apply(flowBatch({ sequence: 4, readAtMs: 1_007_000, flows: [row] }))
    assert.equal(edges.starts[EdgeCount.requestResets], 1_005_000)
    assert.equal(edges.starts[EdgeCount.requestRetransmits], 1_000_000)
  })
})

describe('a flow in a slot that was used before', () => {
  it('has nothing of the earlier one', () => {
    const { table, edges } = smallCluster({ detail: 'full' })
    const side = { retransmits: 1, outOfOrder: 1, duplicateAcks: 1, zeroWindows: 1, resets: 1, rttSumSeconds: 1 }
    const { established } = ConnectionState
    const times = { handshakeSeconds: 1, acceptedSeconds: 1 }
    const row = { state: established, opened: 1, failed: Failed.timeout, ...times, fromPodPackets: 1, toPodPackets: 1 }
    const flows = [{ ...row, fromPod: side, toPod: side, ended: true }]
    table.apply(flowBatch({ started: [{}], flows, rtt: [{}, { direction: 1 }] }))
    const middle = { generation: 2, confidence: Confidence.firstPacket }
    table.apply(flowBatch({ sequence: 2, started: [middle], flows: [{ generation: 2, state: established }] }))
    const [view] = table.views(false)
    const none = {
      retransmits: 0,
      outOfOrder: 0,
      duplicateAcks: 0,
      zeroWindows: 0,
      resets: 0,
      rttSamples: 0,
      rttSumSeconds: 0,
    }
    assert.deepEqual(view!.tcp, { state: established, fromPod: none, toPod: none })
    const { opened, failed, fromPodPackets, toPodPackets } = view!
    assert.deepEqual([opened, failed, fromPodPackets, toPodPackets], [0, 0, 0, 0])
    table.apply(flowBatch({ sequence: 3, flows: [{ generation: 2, closed: Closed.fin, ended: true }] }))
    assert.equal(edges.pairs.duration.length, 0)
  })

  it('is no connection and no request because the earlier one was', () => {
    const { table } = smallCluster()
    const flows = [
      { state: ConnectionState.established, ended: true },
      { slot: 8, ended: true },
    ]
    table.apply(flowBatch({ started: [{}, { ...udp, slot: 8 }], flows }))
    const other = { generation: 2, protocol: 47, confidence: Confidence.firstPacket }
    const started = [
      { ...other, slot: 7 },
      { ...other, slot: 8 },
    ]
    table.apply(
      flowBatch({ sequence: 2, started, flows: started.map(({ slot, generation }) => ({ slot, generation })) }),
    )
    assert.deepEqual([...table.activeByEdge()], [0, 0, 0])
    assert.deepEqual(
      [...table.views(false)].map(({ tcp }) => tcp),
      [undefined, undefined],
    )
  })
})
