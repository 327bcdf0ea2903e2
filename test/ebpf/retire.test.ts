// A flow that ends gives its slot back and loses nothing, whoever is counting in it at that moment.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, it } from 'mocha'
import { Confidence } from '../../lib/capture/flow-batch.ts'
import { fillFlows, RunLoop } from '../support/kernel.ts'
import { udp } from '../support/packet.ts'
import { allAfter } from '../support/retire-times.ts'
import { Tally } from '../support/tally.ts'
import { Conversation } from './conversation.ts'
import { CountedInterface, flowRows, startedRows } from './counted-interface.ts'
import { idleNetwork } from './idle-network.ts'

const packet = (port: number) => udp({ from: '10.0.0.1', to: '10.0.0.2', sourcePort: port, destinationPort: 53 })
const packet6 = (port: number) => udp({ from: 'fd00::1', to: 'fd00::2', sourcePort: port, destinationPort: 53 })
const STORM_MS = 1_500

describe('a flow that retires', function () {
  this.timeout(60_000)
  const network = idleNetwork()
  let current: CountedInterface | undefined

  async function open(ms: number, flowLimit = 1024): Promise<CountedInterface> {
    current = await CountedInterface.open(network.one, { retire: allAfter(ms), flowLimit })
    return current
  }
  afterEach(async () => {
    await current?.close()
    current = undefined
  })

  it('stays while it moves, and ends with one last row when it was idle for long enough', async () => {
    const counted = await open(200)
    for (let i = 0; i < 4; i++) {
      counted.send(packet(1))
      assert.deepEqual(
        flowRows(await counted.drain()).map(({ ended }) => ended),
        [0],
      )
      await sleep(80)
    }
    await sleep(200)
    const [last, ...more] = flowRows(await counted.drain())
    assert.deepEqual([last!.ended, last!.fromPodPackets, more.length], [1, 0, 0])
    const batch = await counted.drain()
    assert.equal(batch.flows.length, 0)
    assert.equal(batch.liveFlows, 0)
  })

  it('has what came since the last drain in its last row', async () => {
    const counted = await open(0)
    counted.send(packet(1))
    counted.send(packet(1))
    const rows = flowRows(await counted.drain())
    assert.equal(
      rows.reduce((sum, row) => sum + row.fromPodPackets, 0),
      2,
    )
    assert.equal(rows.at(-1)!.ended, 1)
  })

  it('gives its slot to a later flow, under another generation', async () => {
    const counted = await open(0, 16)
    const seen = new Set<string>()
    for (let round = 0; round < 5; round++) {
      fillFlows(counted.outProgram, packet(1), 16, round * 100)
      const batch = await counted.drain()
      assert.equal(batch.started.length, 16)
      for (const row of flowRows(batch).filter(({ ended }) => ended)) seen.add(`${row.slot} ${row.generation}`)
      assert.equal(counted.totals(batch).fromPod.overflowPackets, 0)
    }
    assert.equal(seen.size, 5 * 16)
  })

  it('and comes back is a resumed flow, of IPv4 and of IPv6', async () => {
    const counted = await open(0)
    for (const build of [packet, packet6]) {
      counted.send(build(9))
      assert.equal(startedRows(await counted.drain())[0]!.confidence, Confidence.firstPacket)
      counted.send(build(9))
      assert.equal(startedRows(await counted.drain())[0]!.confidence, Confidence.resumed)
      counted.send(build(10))
      assert.equal(startedRows(await counted.drain())[0]!.confidence, Confidence.firstPacket)
    }
  })

  it('and comes back with a handshake is opened again', async () => {
    const counted = await open(0)
    for (const podStart of [1, 100_000]) {
      new Conversation(counted, { podStart }).open('pod')
      const batch = await counted.drain()
      assert.equal(
        flowRows(batch).reduce((sum, row) => sum + row.opened, 0),
        1,
      )
      assert.equal(startedRows(batch)[0]!.confidence, Confidence.handshake)
    }
  })

  it('never leaves its counts to the flow that gets its slot', async () => {
    const counted = await open(0, 16)
    const tally = new Tally()
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i <= round; i++) counted.send(packet(1000 + round))
      const batch = await counted.drain()
      tally.add(batch)
      assert.equal(
        flowRows(batch).reduce((sum, row) => sum + row.fromPodPackets, 0),
        round + 1,
      )
    }
    assert.deepEqual(tally.gaps(), [])
    assert.equal(tally.strays, 0)
  })

  for (const { name, flows, flowLimit } of [
    { name: 'one flow that never pauses', flows: 1, flowLimit: 16 },
    { name: 'a table that holds its flows', flows: 40, flowLimit: 256 },
    { name: 'a table that is too small', flows: 40, flowLimit: 16 },
  ])
    it(`loses nothing while two CPUs count: ${name}`, async () => {
      const counted = await open(0, flowLimit)
      const packets = Array.from({ length: flows }, (_, i) => (i % 4 === 3 ? packet6(i) : packet(i)))
      const loops = [0, 1].flatMap(cpu => [
        new RunLoop(counted.outProgram, packets, { repeat: 20, cpu }),
        new RunLoop(counted.inProgram, packets.toReversed(), { repeat: 20, cpu }),
      ])
      const tally = new Tally()
      const until = performance.now() + STORM_MS
      while (performance.now() < until) tally.add(await counted.drain())
      const runs = loops.reduce((sum, loop) => sum + loop.stop(), 0)
      for (let i = 0; i < 2; i++) tally.add(await counted.drain())
      const { fromPod, toPod } = tally.of(counted.interfaceSlot)
      assert.deepEqual(tally.gaps(), [])
      assert.equal(fromPod.skbs + toPod.skbs, runs)
      assert.equal(fromPod.seen.packets + toPod.seen.packets, runs)
      assert.equal(tally.strays, 0)
      assert.equal(tally.faults, 0)
      assert.equal(tally.liveFlows, 0)
      assert.ok(tally.ended > 2 * flows, `only ${tally.ended} flows retired in ${runs} runs`)
    })
})
