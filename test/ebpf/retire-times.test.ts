// When a flow leaves the table, by what it is and how full the table is.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, it } from 'mocha'
import { Closed, Confidence, ConnectionState, Failed, Retired } from '../../lib/capture/flow-batch.ts'
import type { RetireTimes } from '../../lib/capture/native-probe.ts'
import { slotsForOne } from '../support/fair-share.ts'
import { fillFlows } from '../support/kernel.ts'
import { icmp, ip, Protocol, tcp, udp } from '../support/packet.ts'
import { allAfter } from '../support/retire-times.ts'
import { Conversation } from './conversation.ts'
import { CountedInterface, flowRows, startedRows } from './counted-interface.ts'
import { idleNetwork } from './idle-network.ts'

const NEVER = 3_600_000
const SOON = 100
const FLOW_LIMIT = 16
const addresses = { from: '10.0.0.1', to: '10.0.0.2' }
const datagram = udp({ ...addresses, sourcePort: 1, destinationPort: 53 })

describe('a flow leaves the table', function () {
  this.timeout(30_000)
  const network = idleNetwork()
  let counted: CountedInterface

  /** Every time but those given is far away. */
  async function open(times: Partial<RetireTimes>): Promise<void> {
    counted = await CountedInterface.open(network.one, { flowLimit: FLOW_LIMIT, retire: allAfter(NEVER, times) })
  }
  afterEach(() => counted?.close())

  /** The one last row of the next drain, if it has one. */
  async function last() {
    const rows = flowRows(await counted.drain()).filter(({ ended }) => ended !== Retired.no)
    assert.ok(rows.length < 2, `${rows.length} last rows`)
    return rows[0]
  }

  const courses: Record<string, { times: Partial<RetireTimes>; packets: (connection: Conversation) => void }> = {
    'after it was closed': {
      times: { closedMs: SOON },
      packets: connection => {
        connection.open('pod')
        connection.close('pod')
      },
    },
    'after it was reset': {
      times: { closedMs: SOON },
      packets: connection => {
        connection.open('pod')
        connection.peer('R')
      },
    },
    'after it was refused': {
      times: { failedMs: SOON },
      packets: connection => {
        connection.pod('S')
        connection.peer('RA', { sequence: 0 })
      },
    },
    'after it was reset early': {
      times: { failedMs: SOON },
      packets: connection => {
        connection.pod('S')
        connection.peer('SA')
        connection.pod('R')
      },
    },
    'after it had timed out': {
      times: { connectTimeoutMs: 0, failedMs: SOON },
      packets: connection => connection.pod('S'),
    },
    'when its handshake goes no further': {
      times: { halfOpenMs: SOON },
      packets: connection => {
        connection.pod('S')
        connection.peer('SA')
      },
    },
    'when it is UDP and silent': { times: { datagramMs: SOON }, packets: () => counted.send(datagram) },
    'when it was open, and silent for so long that nobody can still have it': {
      times: { abandonedMs: SOON },
      packets: connection => connection.open('pod'),
    },
  }
  for (const [when, { times, packets }] of Object.entries(courses))
    it(`${when}, and not before`, async () => {
      await open(times)
      const began = performance.now()
      packets(new Conversation(counted))
      const [first] = flowRows(await counted.drain())
      // A drain that came late on a busy machine may have found it due already.
      if (performance.now() - began < SOON) assert.equal(first!.ended, Retired.no)
      await sleep(SOON + 10)
      assert.equal((await last())?.ended, Retired.yes)
      assert.equal((await counted.drain()).liveFlows, 0)
    })

  it('a fixed time after its end, however much is sent after that', async () => {
    await open({ closedMs: 300 })
    const connection = new Conversation(counted)
    connection.open('pod')
    connection.close('pod')
    let ended: number | undefined
    for (let i = 0; i < 40 && ended === undefined; i++) {
      connection.pod('A')
      ended = (await last())?.ended
      await sleep(20)
    }
    assert.equal(ended, Retired.yes)
  })

  it('parked when slots are scarce and it is open and silent, and is recognised when it comes back', async () => {
    await open({ idleMs: SOON })
    const connection = new Conversation(counted)
    connection.open('pod')
    connection.pod('PA', { payload: 10 })
    await counted.drain()
    await sleep(SOON + 10)
    assert.equal(await last(), undefined)
    fillFlows(counted.outProgram, datagram, slotsForOne(FLOW_LIMIT) - 1, 7)
    const parked = await last()
    assert.deepEqual(
      [parked!.ended, parked!.closed, parked!.failed, parked!.state],
      [Retired.parked, Closed.none, Failed.none, ConnectionState.established],
    )
    connection.peer('A')
    const batch = await counted.drain()
    assert.equal(startedRows(batch)[0]!.confidence, Confidence.resumed)
    assert.deepEqual([batch.flows.state[0], batch.flows.opened[0]], [ConnectionState.midstream, 0])
  })

  it('parked neither while slots abound nor as long as it speaks', async () => {
    await open({ idleMs: SOON })
    new Conversation(counted, { podPort: 40_000 }).open('pod')
    const speaking = new Conversation(counted, { podPort: 40_001 })
    speaking.open('pod')
    const slotOf = async () => (await last())?.slot
    for (let i = 0; i < 6; i++) {
      await sleep(SOON / 4)
      speaking.pod('PA', { payload: 1 })
      assert.equal(await slotOf(), undefined)
    }
    fillFlows(counted.outProgram, datagram, slotsForOne(FLOW_LIMIT) - 2, 7)
    speaking.pod('PA', { payload: 1 })
    assert.equal((await last())!.ended, Retired.parked)
    assert.equal((await counted.drain()).liveFlows, slotsForOne(FLOW_LIMIT) - 1)
  })

  it('earlier when it is no TCP and hardly a slot is free', async () => {
    const other = { sourcePort: 1, destinationPort: 53, to: '10.0.0.2' }
    await open({ datagramMs: 1000 })
    const second = await CountedInterface.attach(counted.source, network.other)
    fillFlows(counted.outProgram, datagram, slotsForOne(FLOW_LIMIT), 7)
    await counted.drain()
    await sleep(520)
    assert.equal(flowRows(await counted.drain()).length, 0)
    for (let i = 0; i < 3; i++) second.send(udp({ ...other, from: `10.0.1.${i}` }))
    const batch = await counted.drain()
    const ended = flowRows(batch).filter(row => row.ended === Retired.yes)
    assert.deepEqual([ended.length, batch.liveFlows], [slotsForOne(FLOW_LIMIT), 3])
  })

  it('closed by idleness only when it is UDP or ICMP, and a request of its own', async () => {
    await open({ datagramMs: 0 })
    const packets = {
      udp: datagram,
      echo: icmp({ ...addresses, type: 8, identifier: 3 }),
      sctp: ip(Protocol.sctp, { ...addresses, payload: 32 }),
      gre: ip(Protocol.gre, { ...addresses, payload: 32 }),
      fragment: tcp({ ...addresses, sourcePort: 1, destinationPort: 2, fragment: { offset: 800, more: false } }),
    }
    const closed: Record<string, number> = {}
    for (const [name, packet] of Object.entries(packets)) {
      counted.send(packet)
      closed[name] = (await last())!.closed
    }
    const { idle, none } = Closed
    assert.deepEqual(closed, { udp: idle, echo: idle, sctp: none, gre: none, fragment: none })
  })

  it('not closed by idleness when many flows are collapsed in it', async () => {
    await open({ datagramMs: 0 })
    fillFlows(counted.outProgram, datagram, slotsForOne(FLOW_LIMIT) + 3, 7)
    const rows = flowRows(await counted.drain()).filter(row => row.ended === Retired.yes)
    const closedAt = (collapsed: boolean) =>
      new Set(rows.filter(({ slot }) => slot >= FLOW_LIMIT === collapsed).map(row => row.closed))
    assert.equal(rows.length, slotsForOne(FLOW_LIMIT) + 3)
    assert.deepEqual([closedAt(false), closedAt(true)], [new Set([Closed.idle]), new Set([Closed.none])])
  })

  it('with its interface, and neither closed nor failed by that', async () => {
    await open({})
    new Conversation(counted, { podPort: 40_000 }).open('pod')
    new Conversation(counted, { podPort: 40_001 }).pod('S')
    counted.send(datagram)
    await counted.drain()
    await counted.source.detach(counted.interfaceSlot)
    const rows = flowRows(await counted.drain())
    assert.deepEqual(
      rows.map(({ ended, closed, failed }) => [ended, closed, failed]),
      Array.from({ length: 3 }, () => [Retired.yes, Closed.none, Failed.none]),
    )
  })
})
