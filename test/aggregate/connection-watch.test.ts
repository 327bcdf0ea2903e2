// What is told of connections when they come to something.
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { ConnectionRecord, Glimpse } from '../../lib/aggregate/connection-record.ts'
import { Closed, Confidence, ConnectionState, Failed, Opener, Retired } from '../../lib/capture/flow-batch.ts'
import { type BatchParts, flowBatch, type StartedRow } from '../support/flow-batch.ts'
import { api, smallCluster, web } from './small-cluster.ts'

/** What api's interface sees of web's connection. */
const otherEnd: StartedRow = {
  interfaceSlot: 2,
  local: '10.0.0.2',
  remote: '10.0.0.1',
  localPort: 8080,
  remotePort: 40_000,
  opener: Opener.remote,
}

function heard(batches: readonly BatchParts[], wants: (glimpse: Glimpse) => boolean = () => true) {
  const records: ConnectionRecord[] = []
  const asked: Glimpse[] = []
  const connections = {
    wants: (glimpse: Glimpse) => {
      asked.push(glimpse)
      return wants(glimpse)
    },
    tell: (record: ConnectionRecord) => records.push(record),
  }
  const cluster = smallCluster({ connections, flowLimit: 64 })
  batches.forEach((batch, i) => {
    cluster.table.apply(flowBatch({ sequence: i + 1, ...batch }))
  })
  return { records, asked, ...cluster }
}

const occasionsOf = ({ records }: { records: readonly ConnectionRecord[] }) => records.map(({ occasion }) => occasion)

describe('a record of a connection', () => {
  it('is made when it ends and when it leaves the table, with both ends and what was counted', () => {
    const { records } = heard([
      { started: [{}], flows: [{ fromPodPackets: 3, fromPodBytes: 300, toPodPackets: 2, toPodBytes: 200, opened: 1 }] },
      { flows: [{ fromPodPackets: 1, fromPodBytes: 60, closed: Closed.fin, endedAtMs: 1_001_700 }] },
      { flows: [{ toPodPackets: 1, toPodBytes: 50, ended: Retired.yes, endedAtMs: 1_001_700 }] },
    ])
    assert.deepEqual(
      records.map(({ occasion, flow, beganMs, endedMs, closed, retired }) => [
        ...[occasion, flow.local, flow.remote, flow.fromPodBytes, flow.toPodPackets],
        ...[beganMs, endedMs, closed, retired],
      ]),
      [
        ['closed', web, api, 360, 2, 1_000_500, 1_001_700, Closed.fin, Retired.no],
        ['left', web, api, 360, 3, 1_000_500, 1_001_700, Closed.none, Retired.yes],
      ],
    )
  })

  it('is made when an attempt fails, and once more when an answer came after all', () => {
    const { records } = heard([
      { started: [{}], flows: [{ fromPodPackets: 1, failed: Failed.timeout, endedAtMs: 1_000_900 }] },
      { flows: [{ toPodPackets: 1, opened: 1 }] },
      { flows: [{ closed: Closed.resetByRemote, endedAtMs: 1_002_500 }] },
    ])
    assert.deepEqual(
      records.map(({ occasion, flow, endedMs }) => [occasion, flow.failed, flow.opened, endedMs]),
      [
        ['failed', Failed.timeout, 0, 1_000_900],
        ['closed', Failed.timeout, 1, 1_002_500],
      ],
    )
  })

  it('is of the other end too, which says so', () => {
    const { asked, records } = heard([{ started: [otherEnd], flows: [{ closed: Closed.fin, ended: Retired.yes }] }])
    assert.deepEqual(
      asked.map(({ occasion, exported, included }) => [occasion, exported, included]),
      [
        ['closed', false, true],
        ['left', false, true],
      ],
    )
    assert.deepEqual(
      [records[0]!.flow.local, records[0]!.flow.client, records[0]!.flow.exported],
      [api, 'remote', false],
    )
  })

  it('says when it is left out by configuration', () => {
    const { asked, table, owners } = heard([{ started: [{}], flows: [{}] }])
    owners.set(1, { identity: { ...web, outOfScope: true }, device: 'eth0' })
    table.apply(flowBatch({ sequence: 2, flows: [{ closed: Closed.fin }] }))
    assert.deepEqual(
      asked.map(({ exported, included }) => [exported, included]),
      [[false, false]],
    )
  })

  it('is made of what only fell silent when it leaves, and not as closed', () => {
    const midway: StartedRow = { protocol: 17, opener: Opener.remote, confidence: Confidence.firstPacket }
    const silent = heard([{ started: [midway], flows: [{ closed: Closed.idle, ended: Retired.yes }] }])
    assert.deepEqual(occasionsOf(silent), ['left'])
    const request: StartedRow = { protocol: 17, remotePort: 5353, confidence: Confidence.firstPacket }
    const over = heard([{ started: [request], flows: [{ closed: Closed.idle, ended: Retired.yes }] }])
    assert.deepEqual(occasionsOf(over), ['closed', 'left'])
  })

  it('says whether it failed or ended before, of this flow and of no earlier one in its slot', () => {
    const { asked } = heard([
      { started: [{}], flows: [{ failed: Failed.refused }] },
      { flows: [{ ended: Retired.yes }], started: [{ generation: 2 }] },
      { flows: [{ generation: 2, ended: Retired.yes }] },
    ])
    assert.deepEqual(
      asked.map(({ occasion, toldBefore, failed }) => [occasion, toldBefore, failed]),
      [
        ['failed', false, Failed.refused],
        ['left', true, Failed.refused],
        ['left', false, Failed.none],
      ],
    )
  })

  it('is not made where nobody wants it', () => {
    const { records, asked } = heard([{ started: [{}], flows: [{ failed: Failed.refused }] }], () => false)
    assert.deepEqual([records, asked.length], [[], 1])
  })

  it('has how it began: sequence numbers as they came to be known, and the first data of both', () => {
    const { records } = heard([
      { started: [{}], flows: [{}], beginnings: [{ synAtMs: 1_000_400, fromPod: { sequence: 4_000_000_000 } }] },
      {
        flows: [{}],
        beginnings: [
          {
            synAtMs: 1_000_400,
            fromPod: { sequence: 4_000_000_000, firstDataAtMs: 1_001_100 },
            toPod: { sequence: 0, firstDataAtMs: 1_001_200 },
          },
        ],
      },
      { flows: [{ closed: Closed.fin, endedAtMs: 1_001_900 }] },
    ])
    const [{ local, remote, beganMs }] = records as [ConnectionRecord]
    assert.deepEqual(local, { sequence: 4_000_000_000, firstDataAtMs: 1_001_100 })
    assert.deepEqual(remote, { sequence: 0, firstDataAtMs: 1_001_200 })
    assert.equal(beganMs, 1_000_400)
  })

  it('has nothing of the connection before it in its slot', () => {
    const state = ConnectionState.closed
    const { records } = heard([
      {
        started: [{}],
        flows: [{ fromPod: { retransmits: 1 } }],
        beginnings: [{ synAtMs: 1_000_400, fromPod: { sequence: 5, firstDataAtMs: 1_000_450 } }],
      },
      {
        flows: [
          { state, ended: Retired.yes, fromPod: { retransmits: 1 } },
          { state, generation: 2, closed: Closed.fin },
        ],
        started: [{ generation: 2, startMs: 1_001_500 }],
      },
    ])
    const second = records.find(({ flow }) => flow.generation === 2)!
    assert.deepEqual([second.local, second.beganMs, second.retransmissions], [{}, 1_001_500, []])
    assert.equal(second.flow.tcp!.fromPod.retransmits, 0)
  })

  it('has what TCP did up to its own row, also where the same batch says more of it', () => {
    const state = ConnectionState.established
    const { records, table } = heard([
      { started: [{}], flows: [{ state, fromPod: { retransmits: 2, rttSumSeconds: 0.25 } }], rtt: [{ count: 3 }] },
      {
        flows: [
          { slot: 9 },
          { state, fromPod: { retransmits: 1 }, toPod: { resets: 1, rttSumSeconds: 0.5 }, acceptedSeconds: 0.125 },
          { slot: 9, closed: Closed.fin },
          { state, closed: Closed.resetByRemote, toPod: { zeroWindows: 4 } },
        ],
        started: [{ slot: 9 }],
        rtt: [
          { row: 0, count: 9 },
          { row: 1, direction: 1, count: 2, bucket: 3 },
          { row: 1, direction: 1, count: 5, bucket: 4 },
          { row: 1, direction: 0, count: 1 },
          { row: 2, direction: 1, count: 9 },
        ],
      },
    ])
    const { tcp, slot, generation } = records.find(({ flow }) => flow.slot === 7)!.flow
    assert.deepEqual(
      [tcp!.fromPod.retransmits, tcp!.fromPod.rttSamples, tcp!.fromPod.rttSumSeconds, tcp!.acceptedSeconds],
      [3, 4, 0.25, 0.125],
    )
    assert.deepEqual(
      [tcp!.toPod.resets, tcp!.toPod.rttSamples, tcp!.toPod.rttSumSeconds, tcp!.toPod.zeroWindows],
      [1, 7, 0.5, 4],
    )
    const counted = [...table.views(false)].find(each => each.slot === slot && each.generation === generation)!
    assert.deepEqual(tcp, counted.tcp)
  })

  it('has at most a few drains with retransmissions, and every packet of them', () => {
    const sent = Array.from({ length: 40 }, (_, i) =>
      i % 2 === 0 ? { fromPod: { retransmits: 1 } } : { toPod: { retransmits: 2 } },
    )
    const { records } = heard([
      ...sent.map((row, i) => ({ flows: [row], ...(i === 0 && { started: [{}] }) })),
      { flows: [{ closed: Closed.fin }] },
    ])
    const { retransmissions } = records[0]!
    const packets = (ofLocal: boolean) =>
      retransmissions.filter(each => each.senderIsLocal === ofLocal).reduce((sum, each) => sum + each.packets, 0)
    assert.deepEqual([packets(true), packets(false)], [20, 40])
    assert.ok(retransmissions.length <= 9, String(retransmissions.length))
    assert.deepEqual(retransmissions[0], { drainedAtMs: 1_001_000, senderIsLocal: true, packets: 1 })
  })
})
