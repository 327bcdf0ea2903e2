// An ICMP "destination unreachable" is about the flow whose packet it quotes.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { Closed, ConnectionState, Failed, FlowFlag, Retired } from '../../lib/capture/flow-batch.ts'
import { type IcmpOptions, icmp, tcp, udp } from '../support/packet.ts'
import { allAfter } from '../support/retire-times.ts'
import { CountedInterface, type FlowRow, flowRows } from './counted-interface.ts'
import { idleNetwork } from './idle-network.ts'

const ETHERNET_BYTES = 14
const families = [
  { name: 'IPv4', pod: '10.0.0.1', peer: '10.0.0.2', router: '10.0.0.254', type: 3 },
  { name: 'IPv6', pod: 'fd00::1', peer: 'fd00::2', router: 'fd00::ff', type: 1 },
]
const ports = { sourcePort: 40_000, destinationPort: 80 }
const back = { sourcePort: 80, destinationPort: 40_000 }

describe('a flow', function () {
  this.timeout(30_000)
  const network = idleNetwork()
  let counted: CountedInterface
  let errors: Set<string>

  beforeEach(async () => {
    counted = await CountedInterface.open(network.one)
    errors = new Set()
  })
  afterEach(() => counted?.close())

  const error = (packet: Uint8Array, options: Omit<IcmpOptions, 'payload'>) =>
    icmp({ ...options, payload: packet.slice(ETHERNET_BYTES) })

  /** Rows of the flows, without that of the ICMP itself. */
  async function rows(): Promise<FlowRow[]> {
    const batch = await counted.drain()
    const { started } = batch
    for (let i = 0; i < started.length; i++)
      if (started.flags[i]! & FlowFlag.icmpType) errors.add(`${started.slot[i]} ${started.generation[i]}`)
    return flowRows(batch).filter(({ slot, generation }) => !errors.has(`${slot} ${generation}`))
  }

  for (const { name, pod, peer, router, type } of families) {
    const out = { from: pod, to: peer, ...ports }

    it(`of TCP over ${name} is unreachable while it is not opened, and may be opened all the same`, async () => {
      const syn = tcp({ ...out, flags: 'S', sequence: 100 })
      counted.send(syn)
      const [first] = await rows()
      assert.equal(first!.state, ConnectionState.connecting)
      const beforeMs = Date.now()
      counted.receive(error(syn, { from: router, to: pod, type, code: 1 }))
      const afterMs = Date.now()
      const [row, ...more] = await rows()
      assert.deepEqual([row!.slot, more.length], [first!.slot, 0])
      assert.deepEqual([row!.state, row!.failed], [ConnectionState.unreachable, Failed.unreachable])
      assert.ok(row!.endedAtMs > beforeMs - 2 && row!.endedAtMs < afterMs + 2)
      assert.deepEqual(await rows(), [])
      counted.receive(tcp({ from: peer, to: pod, ...back, flags: 'SA', sequence: 500, acknowledgment: 101 }))
      counted.send(tcp({ ...out, flags: 'A', sequence: 101, acknowledgment: 501 }))
      const [late] = await rows()
      assert.deepEqual([late!.state, late!.failed, late!.opened], [ConnectionState.established, Failed.none, 1])
    })

    it(`of UDP over ${name} has failed when nobody ever answered, once`, async () => {
      const query = udp(out)
      counted.send(query)
      await rows()
      counted.receive(error(query, { from: peer, to: pod, type, code: name === 'IPv4' ? 3 : 4 }))
      const [row] = await rows()
      assert.deepEqual([row!.state, row!.failed, row!.fromPodPackets], [ConnectionState.none, Failed.unreachable, 0])
      counted.send(query)
      counted.receive(error(query, { from: peer, to: pod, type, code: name === 'IPv4' ? 3 : 4 }))
      assert.deepEqual(
        (await rows()).map(({ failed }) => failed),
        [Failed.none],
      )
    })
  }

  const [{ pod, peer, router, type }] = families as [(typeof families)[0]]
  const out = { from: pod, to: peer, ...ports }

  it('of UDP that was answered before has not failed', async () => {
    const query = udp(out)
    counted.send(query)
    counted.receive(udp({ from: peer, to: pod, ...back }))
    counted.receive(error(query, { from: peer, to: pod, type, code: 3 }))
    assert.deepEqual(
      (await rows()).map(({ failed }) => failed),
      [Failed.none],
    )
  })

  it('of TCP that is open stays so', async () => {
    counted.send(tcp({ ...out, flags: 'S', sequence: 100 }))
    counted.receive(tcp({ from: peer, to: pod, ...back, flags: 'SA', sequence: 500, acknowledgment: 101 }))
    const ack = tcp({ ...out, flags: 'A', sequence: 101, acknowledgment: 501 })
    counted.send(ack)
    counted.receive(error(ack, { from: router, to: pod, type, code: 0 }))
    const [row] = await rows()
    assert.deepEqual([row!.state, row!.failed], [ConnectionState.established, Failed.none])
  })

  it('that failed is not closed for being idle, unless it was answered later', async () => {
    await counted.close()
    counted = await CountedInterface.open(network.one, { retire: allAfter(60_000, { datagramMs: 0 }) })
    for (const [answered, closed] of [
      [false, Closed.none],
      [true, Closed.idle],
    ] as const) {
      const query = udp({ ...out, sourcePort: answered ? 50_000 : 50_001 })
      counted.send(query)
      counted.receive(error(query, { from: peer, to: pod, type, code: 3 }))
      if (answered) counted.receive(udp({ from: peer, to: pod, sourcePort: 80, destinationPort: 50_000 }))
      const all = await rows()
      assert.deepEqual([all.at(-1)!.ended, all.at(-1)!.closed], [Retired.yes, closed])
      assert.equal(
        all.reduce((sum, { failed }) => sum + failed, 0),
        answered ? Failed.none : Failed.unreachable,
      )
    }
  })
})
