// The table compared with the kernel's own totals while packets go on, and what it takes to break that.
import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'mocha'
import type { SelfAudit } from '../../lib/capture/flow-batch.ts'
import { key32, RunLoop, readMap, writeMap } from '../support/kernel.ts'
import { arp, tcp, udp } from '../support/packet.ts'
import { allAfter } from '../support/retire-times.ts'
import { CountedInterface, flowRows } from './counted-interface.ts'
import { idleNetwork } from './idle-network.ts'

const STORM_MS = 2_000
/** As flow.h has them. */
const PACKETS_AT = 24
const BYTES_AT = 32
const HALF_BYTES = 64
const INTERFACE_SLOTS = 1024

const packet = udp({ from: '10.0.0.1', to: '10.0.0.2', sourcePort: 1, destinationPort: 2, payload: 58 })
const PACKET_BYTES = 100

describe('the self-audit', function () {
  this.timeout(60_000)
  const network = idleNetwork()
  let counted: CountedInterface

  afterEach(() => counted?.close())

  async function audit(): Promise<SelfAudit> {
    return (await counted.drain()).audit
  }

  /** Adds to a counter of a slot, as nothing but a fault would. */
  function tamper(slot: number, at: number, more: bigint): void {
    const value = readMap(counted.map('slots'), key32(slot))!
    const view = new DataView(value.buffer, value.byteOffset)
    view.setBigUint64(at, BigInt.asUintN(64, view.getBigUint64(at, true) + more), true)
    writeMap(counted.map('slots'), key32(slot), value)
  }

  for (const { name, retireMs, flowLimit } of [
    { name: 'in a table that holds its flows', retireMs: 60_000, flowLimit: 256 },
    { name: 'while all flows retire in each drain', retireMs: 0, flowLimit: 256 },
    { name: 'in a table that is too small', retireMs: 20, flowLimit: 16 },
  ])
    it(`balances under traffic on two CPUs ${name}`, async () => {
      counted = await CountedInterface.open(network.one, { flowLimit, retire: allAfter(retireMs), auditEvery: 1 })
      const packets = [
        arp(),
        ...Array.from({ length: 60 }, (_, i) =>
          (i % 2 ? tcp : udp)({ from: '10.0.0.1', to: '10.0.0.2', sourcePort: i, destinationPort: 80, payload: i }),
        ),
      ]
      const loops = [0, 1].flatMap(cpu => [
        new RunLoop(counted.outProgram, packets, { repeat: 20, cpu }),
        new RunLoop(counted.inProgram, packets.toReversed(), { repeat: 20, cpu }),
      ])
      const until = performance.now() + STORM_MS
      let drains = 0
      while (performance.now() < until) {
        const { audits, violations, newest } = await audit()
        drains++
        assert.deepEqual({ audits, violations, newest }, { audits: drains, violations: 0, newest: '' })
      }
      for (const loop of loops) assert.ok(loop.stop() > 0)
      assert.ok(drains > 5)
    })

  it('runs in each so many drains, and never when it is off', async () => {
    for (const [auditEvery, audits] of [
      [0, 0],
      [1, 7],
      [3, 2],
    ]) {
      counted = await CountedInterface.open(network.one, { auditEvery: auditEvery! })
      for (let i = 0; i < 6; i++) await counted.drain()
      assert.equal((await audit()).audits, audits)
      await counted.close()
    }
  })

  for (const { name, at, more, expected } of [
    {
      name: 'packets that nobody sent',
      at: PACKETS_AT,
      more: 1n,
      expected: /^interface 1 from the pod: 5 packets in flows, totals say 4 to 4$/,
    },
    {
      name: 'missing packets',
      at: HALF_BYTES + PACKETS_AT,
      more: -2n,
      expected: /^interface 1 to the pod: 1 packets in flows, totals say 3 to 3$/,
    },
    {
      name: 'missing bytes',
      at: BYTES_AT,
      more: -7n,
      expected: /^interface 1 from the pod: 393 bytes in flows, totals say 400 to 400$/,
    },
  ])
    it(`says so of ${name}, and goes on doing it`, async () => {
      counted = await CountedInterface.open(network.one, { auditEvery: 1 })
      counted.send(packet, { repeat: 4 })
      counted.receive(packet, { repeat: 3 })
      assert.equal(packet.length, PACKET_BYTES)
      const rows = flowRows(await counted.drain())
      const slot = rows.find(row => (at < HALF_BYTES ? row.fromPodPackets : row.toPodPackets) > 0)!.slot
      assert.equal((await audit()).violations, 0)
      tamper(slot, at, more)
      const found = await audit()
      assert.deepEqual([found.audits, found.violations], [3, 1])
      assert.match(found.newest, expected)
      assert.equal((await audit()).violations, 2)
      tamper(slot, at, -more)
      const mended = await audit()
      assert.equal(mended.violations, 2)
      assert.match(mended.newest, expected)
    })

  it('knows what retired flows had', async () => {
    counted = await CountedInterface.open(network.one, { retire: allAfter(0), auditEvery: 1 })
    for (let i = 0; i < 3; i++) {
      counted.send(packet, { repeat: 10 })
      assert.equal((await audit()).violations, 0)
    }
    // Totals that fell below what was in flows: one CPU's reading of them is zeroed.
    const totals = readMap(counted.map('interface_totals'), key32(counted.interfaceSlot))!
    writeMap(counted.map('interface_totals'), key32(counted.interfaceSlot), new Uint8Array(totals.length))
    const { violations, newest } = await audit()
    assert.equal(violations, 1)
    assert.match(newest, /30 packets in flows, totals say 0 to 0/)
  })

  it('starts anew with an interface that gets the slot of another', async () => {
    counted = await CountedInterface.open(network.one, { auditEvery: 1 })
    counted.send(packet, { repeat: 10 })
    await counted.source.detach(counted.interfaceSlot)
    assert.equal((await audit()).violations, 0)
    // A refused attachment takes the next slot for a moment, too.
    const none = { netns: network.one, device: 'none', place: 'pod', hook: 'auto' } as const
    for (let slot = 2; slot < INTERFACE_SLOTS; slot++) await assert.rejects(counted.source.attach(none))
    const again = await CountedInterface.attach(counted.source, network.one)
    assert.equal(again.interfaceSlot, counted.interfaceSlot)
    again.send(packet, { repeat: 3 })
    assert.equal(again.totals(await counted.drain()).fromPod.seenPackets, 3)
    assert.equal((await audit()).newest, '')
  })
})
