// One interface that floods the table leaves room for the others, and what it does not get is counted all the same.
import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'mocha'
import { type FlowBatch, packetClasses, slotCount } from '../../lib/capture/flow-batch.ts'
import { slotsForOne } from '../support/fair-share.ts'
import { fillFlows, key32, readMap } from '../support/kernel.ts'
import { arp, tcp, udp } from '../support/packet.ts'
import { allAfter } from '../support/retire-times.ts'
import { Tally } from '../support/tally.ts'
import { CountedInterface } from './counted-interface.ts'
import { idleNetwork } from './idle-network.ts'

const FLOW_LIMIT = 1024
const SCAN = 20_000
const syn = tcp({ from: '10.0.0.1', to: '10.0.0.2', sourcePort: 1, destinationPort: 2, flags: 'S' })
const query = udp({ from: '10.0.0.1', to: '10.0.0.2', sourcePort: 1, destinationPort: 53 })

describe('the table', function () {
  this.timeout(60_000)
  const network = idleNetwork()
  let scanner: CountedInterface
  let quiet: CountedInterface

  async function open(retireMs: number): Promise<void> {
    scanner = await CountedInterface.open(network.one, { flowLimit: FLOW_LIMIT, retire: allAfter(retireMs) })
    quiet = await CountedInterface.attach(scanner.source, network.other)
  }
  afterEach(() => scanner?.close())

  /** Slots of ordinary flows by interface. */
  function slotsOf({ started }: FlowBatch, { interfaceSlot }: CountedInterface): number {
    return started.interfaceSlot.reduce(
      (sum, each, i) => sum + (each === interfaceSlot && started.slot[i]! < FLOW_LIMIT ? 1 : 0),
      0,
    )
  }

  it('has slots for who comes late, however much one interface scans', async () => {
    await open(3_600_000)
    fillFlows(scanner.outProgram, syn, SCAN, 7)
    fillFlows(quiet.outProgram, query, 100, 1)
    fillFlows(scanner.outProgram, syn, SCAN, 70_000)
    fillFlows(quiet.outProgram, query, 150, 1)
    const batch = await scanner.drain()
    assert.equal(slotsOf(batch, scanner), slotsForOne(FLOW_LIMIT))
    assert.equal(slotsOf(batch, quiet), 150)
    assert.equal(quiet.totals(batch).fromPod.overflowPackets, 0)
    const collapsed = slotsForOne(slotCount(FLOW_LIMIT) - FLOW_LIMIT)
    assert.equal(batch.collapsedFlows, collapsed)
    assert.equal(scanner.totals(batch).fromPod.overflowPackets, 2 * SCAN - slotsForOne(FLOW_LIMIT) - collapsed)
    const tally = new Tally()
    tally.add(batch)
    assert.deepEqual([tally.gaps(), tally.faults, tally.strays], [[], 0, 0])
  })

  it('counts as many slots retired as started once it is empty, of every interface and of all', async () => {
    await open(0)
    for (let round = 0; round < 3; round++) {
      fillFlows(scanner.outProgram, syn, 3_000, round * 10_000 + 1)
      fillFlows(quiet.outProgram, query, 50, round * 10_000 + 1)
      await scanner.drain()
    }
    assert.equal((await scanner.drain()).liveFlows, 0)
    for (const [slot, leastStarted] of [
      [0, 3 * (slotsForOne(FLOW_LIMIT) + 50)],
      [scanner.interfaceSlot, 3 * slotsForOne(FLOW_LIMIT)],
      [quiet.interfaceSlot, 150],
    ] as const) {
      const use = new Uint32Array(readMap(scanner.map('slot_use'), key32(slot))!.buffer)
      const [started, collapsedStarted, retired, collapsedRetired] = use
      assert.deepEqual([retired, collapsedRetired], [started, collapsedStarted])
      assert.ok(started! >= leastStarted, `${started} started in slot ${slot}`)
    }
  })

  it('forgets the classes of an interface that is gone, and counts each packet in one of them until then', async () => {
    await open(3_600_000)
    for (let i = 0; i < 5; i++) scanner.send(arp())
    scanner.send(query, { repeat: 7 })
    const { fromPod, toPod } = scanner.totals(await scanner.drain())
    const of = (counts: Record<string, number>) => packetClasses.map(name => counts[name] ?? 0)
    assert.deepEqual(fromPod.classPackets, of({ arp: 5, flow: 7 }))
    assert.deepEqual(fromPod.classBytes, of({ arp: 5 * arp().length, flow: 7 * query.length }))
    assert.deepEqual(toPod.classPackets, of({}))
    const counts = () => readMap(scanner.map('class_counts'), key32(scanner.interfaceSlot))!
    assert.ok(counts().some(byte => byte !== 0))
    await scanner.source.detach(scanner.interfaceSlot)
    await scanner.drain()
    assert.ok(counts().every(byte => byte === 0))
  })
})
