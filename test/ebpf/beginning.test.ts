// How a TCP connection began: initial sequence numbers, which no NAT on the way changes, and the first data of both ends.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'mocha'
import type { BeginningSide, FlowBatch } from '../../lib/capture/flow-batch.ts'
import { Conversation } from './conversation.ts'
import { CountedInterface, flowRows } from './counted-interface.ts'
import { idleNetwork } from './idle-network.ts'

const POD_START = 4_000_000_000
const PEER_START = 7

/** Of the flow in the first row. */
function beginnings({ beginnings, flows }: FlowBatch) {
  const sequence = (side: BeginningSide, i: number) => (side.hasSequence[i] === 1 ? side.sequence[i]! : undefined)
  return Array.from({ length: beginnings.length }, (_, i) => ({
    slot: flows.slot[beginnings.row[i]!]!,
    synAtMs: beginnings.synAtMs[i]!,
    pod: sequence(beginnings.fromPod, i),
    peer: sequence(beginnings.toPod, i),
    podDataAtMs: beginnings.fromPod.firstDataAtMs[i]!,
    peerDataAtMs: beginnings.toPod.firstDataAtMs[i]!,
  }))
}

describe('the beginning of a TCP connection', function () {
  this.timeout(30_000)
  const network = idleNetwork()
  let counted: CountedInterface
  let connection: Conversation

  beforeEach(async () => {
    counted = await CountedInterface.open(network.one)
    connection = new Conversation(counted, { podStart: POD_START, peerStart: PEER_START })
  })
  afterEach(() => counted?.close())

  it('is told with both initial sequence numbers, in a row of its own for each that comes to be known', async () => {
    const beforeMs = Date.now()
    connection.pod('S')
    const [first] = beginnings(await counted.drain())
    assert.deepEqual([first!.pod, first!.peer], [POD_START, undefined])
    assert.ok(first!.synAtMs >= beforeMs - 1 && first!.synAtMs <= Date.now() + 1, String(first!.synAtMs - beforeMs))
    connection.peer('SA')
    connection.pod('A')
    const batch = await counted.drain()
    const [second, ...none] = beginnings(batch)
    assert.deepEqual(second, { ...first!, peer: PEER_START })
    assert.deepEqual([none, second!.slot], [[], flowRows(batch)[0]!.slot])
  })

  it('is told once', async () => {
    connection.open('peer')
    assert.deepEqual(
      beginnings(await counted.drain()).map(({ pod, peer }) => [pod, peer]),
      [[POD_START, PEER_START]],
    )
    connection.peer('PA', { payload: 10 })
    connection.pod('A')
    assert.equal(beginnings(await counted.drain()).length, 1)
    for (let i = 0; i < 3; i++) {
      connection.peer('PA', { payload: 10 })
      connection.pod('A')
      assert.deepEqual(beginnings(await counted.drain()), [])
    }
    connection.close('pod')
    assert.deepEqual(beginnings(await counted.drain()), [])
  })

  it('has the time of the first data of each side, not of later data', async () => {
    connection.open('pod')
    await counted.drain()
    const beforeMs = Date.now()
    connection.pod('PA', { payload: 10 })
    const afterMs = Date.now()
    const [asked] = beginnings(await counted.drain())
    assert.ok(asked!.podDataAtMs >= beforeMs - 1 && asked!.podDataAtMs <= afterMs + 1)
    assert.ok(Number.isNaN(asked!.peerDataAtMs))
    connection.peer('A')
    connection.pod('PA', { payload: 10 })
    connection.peer('PA', { payload: 1000 })
    const [answered] = beginnings(await counted.drain())
    assert.equal(answered!.podDataAtMs, asked!.podDataAtMs)
    assert.ok(answered!.peerDataAtMs >= afterMs - 1)
  })

  it('has no data where a side only said that it is done', async () => {
    connection.open('pod')
    connection.close('peer')
    const [row] = beginnings(await counted.drain())
    assert.ok(Number.isNaN(row!.podDataAtMs) && Number.isNaN(row!.peerDataAtMs))
  })

  it('is not known of one that was met in the middle', async () => {
    connection.pod('PA', { payload: 10 })
    connection.peer('PA', { payload: 10 })
    connection.pod('PA', { payload: 10 })
    assert.deepEqual(beginnings(await counted.drain()), [])
  })

  it('is that of each connection, where the same addresses and ports are used again', async () => {
    connection.open('pod')
    connection.pod('PA', { payload: 10 })
    connection.close('pod')
    await counted.drain()
    const next = new Conversation(counted, { podStart: 70_000, peerStart: 9_000_000 })
    next.open('pod')
    const rows = beginnings(await counted.drain())
    assert.deepEqual(
      rows.map(({ pod, peer, podDataAtMs }) => [pod, peer, podDataAtMs]),
      [[70_000, 9_000_000, Number.NaN]],
    )
  })
})
