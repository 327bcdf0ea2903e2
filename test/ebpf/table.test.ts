// From flow key to slot: the cache in front, the end of the table, counters of any size, and what can fail.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { ConnectionState, Failed, FlowFlag, slotCount } from '../../lib/capture/flow-batch.ts'
import { slotsForOne } from '../support/fair-share.ts'
import { deleteFromMap, fillFlows, key32, putProgram, readMap, testRun, writeMap } from '../support/kernel.ts'
import { tcp, udp } from '../support/packet.ts'
import { Tally } from '../support/tally.ts'
import { CountedInterface, flowRows, startedRows } from './counted-interface.ts'
import { idleNetwork } from './idle-network.ts'

const packet4 = udp({ from: '10.0.0.1', to: '10.0.0.2', sourcePort: 1, destinationPort: 2, payload: 22 })
const packet6 = udp({ from: 'fd00::1', to: 'fd00::2', sourcePort: 1, destinationPort: 2, payload: 2 })
const PACKET_BYTES = 64

/** As flow.h has them: a slot is two lines of 64 bytes, one a direction. */
const LINE_BYTES = 64
const PACKETS_AT = 24
const BYTES_AT = 32

describe('the flow table', function () {
  this.timeout(60_000)
  const network = idleNetwork()
  let current: CountedInterface | undefined

  async function open(flowLimit: number): Promise<CountedInterface> {
    current = await CountedInterface.open(network.one, { flowLimit })
    return current
  }
  afterEach(async () => {
    await current?.close()
    current = undefined
  })

  for (const [family, packet] of [
    ['IPv4', packet4],
    ['IPv6', packet6],
  ] as const)
    it(`keeps 100,000 flows of ${family} apart, however many share a place in the cache`, async () => {
      const flows = 100_000
      const counted = await open(131_072)
      for (let round = 0; round < 3; round++) fillFlows(counted.outProgram, packet, flows, 1)
      const batch = await counted.drain()
      assert.equal(batch.started.length, flows)
      assert.ok(batch.flows.fromPodPackets.every(packets => packets === 3))
      assert.ok(batch.flows.fromPodBytes.every(bytes => bytes === 3 * packet.length))
    })

  it('collapses what finds no slot, sends the rest to overflow, and goes on counting what has one', async () => {
    const flows = 50
    const counted = await open(16)
    const slots = slotsForOne(16)
    const collapsed = slotsForOne(slotCount(16) - 16)
    for (let round = 0; round < 3; round++) fillFlows(counted.outProgram, packet4, flows, 7)
    const batch = await counted.drain()
    const { fromPod } = counted.totals(batch)
    assert.equal(batch.flows.length, slots + collapsed)
    assert.ok(batch.flows.fromPodPackets.every(packets => packets === 3))
    assert.equal(fromPod.overflowPackets, 3 * (flows - slots - collapsed))
    assert.equal(fromPod.overflowBytes, 3 * (flows - slots - collapsed) * PACKET_BYTES)
    assert.equal(fromPod.seenPackets, 3 * flows)
    assert.deepEqual([batch.liveFlows, batch.collapsedFlows], [slots + collapsed, collapsed])
    const tally = new Tally()
    tally.add(batch)
    assert.deepEqual(tally.gaps(), [])
    assert.equal(tally.faults, 0)
  })

  it('leaves the higher port out of what it collapses, and gives both directions one flow', async () => {
    const counted = await open(16)
    fillFlows(counted.outProgram, packet4, slotsForOne(16), 7)
    await counted.drain()
    for (const port of [50_000, 50_001, 50_002]) {
      counted.send(tcp({ from: '10.0.0.1', to: '10.0.0.3', sourcePort: port, destinationPort: 80, flags: 'S' }))
      counted.receive(tcp({ from: '10.0.0.3', to: '10.0.0.1', sourcePort: 80, destinationPort: port, flags: 'RA' }))
    }
    const batch = await counted.drain()
    const [started, ...more] = startedRows(batch)
    const [row] = flowRows(batch)
    assert.equal(more.length, 0)
    assert.deepEqual([started!.localPort, started!.remotePort, started!.flags], [0, 80, FlowFlag.collapsed])
    assert.deepEqual([row!.fromPodPackets, row!.toPodPackets], [3, 3])
    assert.deepEqual([row!.state, row!.failed], [ConnectionState.none, Failed.none])
    assert.ok(row!.slot >= 16)
  })

  it('shares its slots between IPv4 and IPv6', async () => {
    const counted = await open(16)
    const slots = slotsForOne(16) + slotsForOne(slotCount(16) - 16)
    fillFlows(counted.outProgram, packet4, 10, 7)
    fillFlows(counted.outProgram, packet6, 20, 7)
    const batch = await counted.drain()
    assert.equal(batch.started.family.filter(family => family === 4).length, 10)
    assert.equal(batch.started.family.filter(family => family === 6).length, slots - 10)
    assert.equal(counted.totals(batch).fromPod.overflowPackets, 30 - slots)
  })

  for (const { name, most, packets } of [
    { name: 'past 2^32', most: 2 ** 32, packets: 3 },
    { name: 'up to 2^53', most: 2 ** 53, packets: 2 },
  ])
    it(`counts ${name} exactly`, async () => {
      const counted = await open(16)
      counted.send(packet4)
      const [first] = flowRows(await counted.drain())
      const slot = readMap(counted.map('slots'), key32(first!.slot))!
      const view = new DataView(slot.buffer)
      view.setBigUint64(PACKETS_AT, BigInt(most - 2), true)
      view.setBigUint64(BYTES_AT, BigInt(most - 2 * PACKET_BYTES), true)
      view.setBigUint64(LINE_BYTES + PACKETS_AT, BigInt(most - 1), true)
      writeMap(counted.map('slots'), key32(first!.slot), slot)
      for (let i = 0; i < packets; i++) counted.send(packet4)
      const [row] = flowRows(await counted.drain())
      assert.equal(row!.fromPodPackets, most - 2 + packets - 1)
      assert.equal(row!.fromPodBytes, most - 2 * PACKET_BYTES + (packets - 1) * PACKET_BYTES)
      assert.equal(row!.toPodPackets, most - 1)
    })

  it('has a row of a flow only when it moved', async () => {
    const counted = await open(16)
    fillFlows(counted.outProgram, packet4, 5, 7)
    await counted.drain()
    counted.receive(tcp({ from: '10.9.9.9', to: '10.0.0.1', sourcePort: 80, destinationPort: 4000 }))
    const batch = await counted.drain()
    assert.equal(batch.flows.length, 1)
    assert.equal(batch.liveFlows, 6)
  })
})

describe('a dispatcher', function () {
  this.timeout(30_000)
  const network = idleNetwork()
  let counted: CountedInterface

  beforeEach(async () => {
    counted = await CountedInterface.open(network.one)
  })
  afterEach(() => counted?.close())

  it('that reaches no counting program lets the packet pass, and says so', async () => {
    const fromPodEntry = 0
    const { programs } = await counted.source.inspect()
    const shared = programs.find(({ name }) => name === 'flow4_from_pod')!
    deleteFromMap(counted.map('programs'), key32(fromPodEntry))
    for (let i = 0; i < 3; i++) counted.send(packet4)
    counted.receive(packet4)
    putProgram(counted.map('programs'), fromPodEntry, shared.id)
    counted.send(packet4)
    const batch = await counted.drain()
    assert.equal(batch.faults.tailCallFailed, 3)
    assert.equal(counted.totals(batch).fromPod.skbs, 1)
    assert.equal(counted.totals(batch).toPod.skbs, 1)
  })

  it('counts for its own interface, whatever ran before on the same CPU', async () => {
    const second = await CountedInterface.attach(counted.source, network.other)
    for (let i = 0; i < 10; i++) {
      assert.equal(testRun(counted.outProgram, packet4).returned, -1)
      assert.equal(testRun(second.inProgram, packet4).returned, -1)
      assert.equal(testRun(second.outProgram, packet4).returned, -1)
    }
    const batch = await counted.drain()
    const [one, other] = [counted.totals(batch), second.totals(batch)]
    assert.deepEqual([one.fromPod.skbs, one.toPod.skbs, other.fromPod.skbs, other.toPod.skbs], [10, 0, 10, 10])
    assert.notEqual(counted.interfaceSlot, 0)
  })
})
