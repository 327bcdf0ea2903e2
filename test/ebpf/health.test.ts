// What a drain says of TCP's health: what is new since the last one, beside the row of its flow.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, it } from 'mocha'
import type { FlowBatch } from '../../lib/capture/flow-batch.ts'
import { RETIRE_TIMES } from '../../lib/capture/native-probe.ts'
import { Conversation } from './conversation.ts'
import { CountedInterface, tcpRow } from './counted-interface.ts'
import { idleNetwork } from './idle-network.ts'

const HEALTHY = { retransmits: 0, outOfOrder: 0, duplicateAcks: 0, zeroWindows: 0, resets: 0 }

describe('a drain', function () {
  this.timeout(30_000)
  const network = idleNetwork()
  let counted: CountedInterface
  let connection: Conversation

  beforeEach(async () => {
    counted = await CountedInterface.open(network.one, { retire: { ...RETIRE_TIMES, closedMs: 0 } })
    connection = new Conversation(counted)
    connection.open('pod')
    await counted.drain()
  })
  afterEach(() => counted?.close())

  /** Both directions of the first row, without round trips. */
  function health({ flows }: FlowBatch) {
    return [flows.fromPod, flows.toPod].map(columns => {
      const { rttSumSeconds, ...rest } = tcpRow(columns, 0)
      return rest
    })
  }

  interface Sample {
    readonly row: number
    readonly direction: number
    readonly bucket: number
    readonly count: number
  }

  function samples({ rtt }: FlowBatch): Sample[] {
    return Array.from({ length: rtt.length }, (_, i) => ({
      row: rtt.row[i]!,
      direction: rtt.direction[i]!,
      bucket: rtt.bucket[i]!,
      count: rtt.count[i]!,
    }))
  }

  it('tells what each side did since the last one, and no more', async () => {
    const { pod, peer } = connection.next
    connection.pod('PA', { payload: 100 })
    connection.pod('PA', { payload: 100 })
    connection.pod('PA', { sequence: pod, payload: 100 })
    connection.pod('PA', { sequence: pod + 100, payload: 100 })
    connection.peer('A', { acknowledgment: pod + 100 })
    connection.peer('A', { acknowledgment: pod + 100 })
    connection.peer('A', { acknowledgment: pod + 100, window: 0 })
    connection.peer('PA', { sequence: peer + 100, payload: 100 })
    connection.peer('PA', { sequence: peer, payload: 100 })
    assert.deepEqual(health(await counted.drain()), [
      { ...HEALTHY, retransmits: 2 },
      { ...HEALTHY, duplicateAcks: 1, zeroWindows: 1, outOfOrder: 1 },
    ])
    connection.pod('PA', { sequence: pod, payload: 100 })
    assert.deepEqual(health(await counted.drain()), [{ ...HEALTHY, retransmits: 1 }, HEALTHY])
    connection.next.peer = peer + 200
    connection.pod('A')
    assert.deepEqual(health(await counted.drain()), [HEALTHY, HEALTHY])
  })

  it('tells a reset in the row that ends the flow', async () => {
    connection.peer('R')
    const batch = await counted.drain()
    assert.deepEqual(health(batch), [HEALTHY, { ...HEALTHY, resets: 1 }])
    assert.equal(batch.flows.ended.at(-1), 1)
  })

  it('puts each round trip into the bucket that its sum falls into, once, by the direction of the data', async () => {
    connection.pod('PA', { payload: 10 })
    await sleep(20)
    connection.peer('A')
    const first = await counted.drain()
    const seconds = first.flows.fromPod.rttSumSeconds[0]!
    assert.ok(seconds > 0.019 && seconds < 1, `${seconds} s`)
    assert.deepEqual(samples(first), [{ row: 0, direction: 0, bucket: bucketOf(seconds), count: 1 }])
    assert.equal(first.flows.toPod.rttSumSeconds[0], 0)
    for (let i = 0; i < 3; i++) {
      connection.peer('PA', { payload: 10 })
      connection.pod('A')
    }
    const second = await counted.drain()
    assert.equal(second.flows.fromPod.rttSumSeconds[0], 0)
    assert.ok(second.flows.toPod.rttSumSeconds[0]! > 0)
    assert.ok(samples(second).every(({ row, direction }) => row === 0 && direction === 1))
    assert.equal(
      samples(second).reduce((sum, { count }) => sum + count, 0),
      3,
    )
    assert.deepEqual(samples(await counted.drain()), [])
  })

  it('names the row that samples belong to, among flows that have none', async () => {
    const others = [50_001, 50_002, 50_003].map(podPort => new Conversation(counted, { podPort }))
    for (const other of others) other.open('pod')
    for (const other of others.slice(1)) {
      other.pod('PA', { payload: 10 })
      other.peer('A')
    }
    const batch = await counted.drain()
    const ports = samples(batch).map(({ row }) => {
      const i = batch.started.slot.indexOf(batch.flows.slot[row]!)
      return batch.started.localPort[i]
    })
    assert.deepEqual(ports, [50_002, 50_003])
    assert.deepEqual(
      [...batch.flows.fromPod.rttSumSeconds].map(sum => sum > 0),
      [false, true, true],
    )
  })

  it('begins anew with the flow that gets a slot', async () => {
    for (let round = 1; round <= 3; round++) {
      const next = new Conversation(counted, { podPort: 50_000 + round })
      next.open('pod')
      const start = next.next.pod
      next.pod('PA', { payload: 10 })
      next.peer('A')
      for (let i = 0; i < round; i++) next.pod('PA', { sequence: start, payload: 10 })
      next.close('pod')
      const batch = await counted.drain()
      assert.deepEqual([...batch.flows.slot], [1, 1])
      assert.deepEqual(health(batch), [{ ...HEALTHY, retransmits: round }, HEALTHY])
      // Of the data, and of each FIN.
      assert.equal(
        samples(batch).reduce((sum, { count }) => sum + count, 0),
        3,
      )
    }
  })

  it('tells none of it while details are off, and takes no pause for a round trip', async () => {
    const start = connection.next.pod
    connection.pod('PA', { payload: 10 })
    await counted.source.setTcpDetail(false)
    connection.pod('PA', { sequence: start, payload: 10 })
    await counted.source.setTcpDetail(true)
    connection.peer('A')
    const batch = await counted.drain()
    assert.deepEqual(health(batch), [HEALTHY, HEALTHY])
    assert.deepEqual(samples(batch), [])
    // Where its sender is now, and then a round trip.
    connection.pod('PA', { payload: 10 })
    connection.pod('PA', { payload: 10 })
    connection.peer('A')
    assert.equal(samples(await counted.drain()).length, 1)
  })
})

/** Up to 2^-15 s, up to 2^-14 s, …: the smallest that holds it. */
function bucketOf(seconds: number): number {
  return Math.max(0, Math.min(15, Math.ceil(Math.log2(seconds)) + 15))
}
