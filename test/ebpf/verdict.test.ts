// Whatever comes: the decision is left to others, the packet stays as it is, and it is counted in one place.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import { KernelObject, key32, putProgram, testRun, writeMap } from '../support/kernel.ts'
import { cut } from '../support/packet.ts'
import { Tally } from '../support/tally.ts'
import { allPackets, flowPackets, otherPackets, randomPackets } from './corpus.ts'
import { CountedInterface } from './counted-interface.ts'
import { idleNetwork } from './idle-network.ts'

const ETHERNET_BYTES = 14
const RANDOM_PACKETS = 2_000
const SEED = 20_261_121

describe('a packet of any kind', function () {
  this.timeout(30_000)
  const network = idleNetwork()
  let counted: CountedInterface

  before(async () => {
    counted = await CountedInterface.open(network.one, { flowLimit: 4096 })
  })
  after(() => counted?.close())

  /** `send` and `receive` demand -1 of each run. */
  function pass(packet: Uint8Array): void {
    for (const run of [counted.send(packet), counted.receive(packet)])
      assert.deepEqual(Buffer.from(run.packet), Buffer.from(packet))
  }

  for (const [name, packet] of allPackets)
    it(`passes unchanged: ${name}`, () => {
      pass(packet)
    })

  it('passes unchanged when it is cut, at every length', () => {
    const wrapper = new KernelObject('packet_wrapper')
    try {
      for (const program of [counted.outProgram, counted.inProgram]) {
        putProgram(wrapper.maps.under_test!, 0, program)
        for (const packet of allPackets.values())
          for (let bytes = ETHERNET_BYTES; bytes < packet.length; bytes++) {
            writeMap(wrapper.maps.length!, key32(0), key32(bytes))
            const run = testRun(wrapper.programs.cut_to_length!, packet)
            assert.equal(run.returned, -1, `at ${bytes} bytes`)
            assert.deepEqual(Buffer.from(run.packet), Buffer.from(cut(packet, bytes)))
          }
      }
    } finally {
      wrapper.close()
    }
  })

  it('passes unchanged when its bytes have no meaning', () => {
    for (const packet of randomPackets(RANDOM_PACKETS, SEED)) passIfAccepted(packet)
  })

  it('passes when it is a super-packet with any segment size', () => {
    for (const packet of allPackets.values())
      for (const gsoSize of [1, 7, 1448, 65_535]) counted.send(packet, { gsoSize, gsoSegs: 3 })
  })

  it('passes with a tag in its metadata', () => {
    const wrapper = new KernelObject('packet_wrapper')
    try {
      putProgram(wrapper.maps.under_test!, 0, counted.outProgram)
      for (const packet of allPackets.values())
        assert.equal(testRun(wrapper.programs.with_tag_in_metadata!, packet).returned, -1)
    } finally {
      wrapper.close()
    }
  })

  it('is counted once, as a flow or as something else', async () => {
    const tally = new Tally()
    tally.add(await counted.drain())
    assert.deepEqual(tally.gaps(), [])
    const { fromPod, toPod } = tally.of(counted.interfaceSlot)
    assert.ok(fromPod.flow.packets > 0 && fromPod.elsewhere.packets > 0 && toPod.flow.packets > 0)
    assert.equal(tally.faults, 0)
  })

  /** The kernel makes no test skb that is shorter than the header it announces, which is no decision of ours. */
  function passIfAccepted(packet: Uint8Array): void {
    try {
      pass(packet)
    } catch (error) {
      if (!String(error).includes('Invalid argument')) throw error
    }
  }
})

describe('the interface’s totals', function () {
  this.timeout(30_000)
  const network = idleNetwork()
  let counted: CountedInterface

  before(async () => {
    counted = await CountedInterface.open(network.one)
  })
  after(() => counted?.close())

  it('have every packet and byte, those that are in no flow under other', async () => {
    const sum = (packets: ReadonlyMap<string, Uint8Array>) =>
      [...packets.values()].reduce((bytes, packet) => bytes + packet.length, 0)
    for (const packet of allPackets.values()) counted.send(packet)
    const batch = await counted.drain()
    const { fromPod, toPod } = counted.totals(batch)
    assert.equal(fromPod.skbs, allPackets.size)
    assert.equal(fromPod.skbBytes, sum(allPackets))
    assert.equal(fromPod.seenPackets, allPackets.size)
    assert.equal(fromPod.seenBytes, sum(allPackets))
    assert.equal(fromPod.otherPackets, otherPackets.size)
    assert.equal(fromPod.otherBytes, sum(otherPackets))
    const tally = new Tally()
    tally.add(batch)
    const { flow } = tally.of(counted.interfaceSlot).fromPod
    assert.deepEqual(flow, { packets: flowPackets.size, bytes: sum(flowPackets) })
    assert.equal(toPod.skbs, 0)
  })
})
