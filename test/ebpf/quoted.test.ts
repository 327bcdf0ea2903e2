// Which flow an ICMP error is about: the one whose packet it quotes, if it quotes enough of one that was here.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { ConnectionState, Failed } from '../../lib/capture/flow-batch.ts'
import { type Envelope, icmp, ip, Protocol, patched, tcp, udp } from '../support/packet.ts'
import { packetIn } from '../support/tunnel.ts'
import { CountedInterface, flowRows, startedRows } from './counted-interface.ts'
import { idleNetwork } from './idle-network.ts'

const ports = { sourcePort: 40_000, destinationPort: 53 }
const FRAGMENTATION_NEEDED = 4

interface Family {
  readonly name: string
  readonly pod: string
  readonly peer: string
  readonly router: string
  readonly unreachable: number
  readonly others: readonly number[]
  readonly headerBytes: number
  /** First bytes of headers of other versions, or shorter than can be. */
  readonly impossible: readonly number[]
}

const families: readonly Family[] = [
  {
    name: 'IPv4',
    pod: '10.0.0.1',
    peer: '10.0.0.2',
    router: '10.0.0.254',
    unreachable: 3,
    // Source quench, redirect, time exceeded, parameter problem.
    others: [4, 5, 11, 12],
    headerBytes: 20,
    impossible: [0x00, 0x44, 0x40, 0x55, 0x65],
  },
  {
    name: 'IPv6',
    pod: 'fd00::1',
    peer: 'fd00::2',
    router: 'fd00::ff',
    unreachable: 1,
    // Packet too big, time exceeded, parameter problem.
    others: [2, 3, 4],
    headerBytes: 40,
    impossible: [0x00, 0x40, 0x45, 0x50, 0xf0],
  },
]

describe('an ICMP error', function () {
  this.timeout(30_000)
  const network = idleNetwork()
  let counted: CountedInterface

  beforeEach(async () => {
    counted = await CountedInterface.open(network.one)
  })
  afterEach(() => counted?.close())

  /** Of all flows since the last time. */
  async function failures(): Promise<number[]> {
    return flowRows(await counted.drain())
      .map(({ failed }) => failed)
      .filter(failed => failed !== Failed.none)
  }

  for (const { name, pod, peer, router, unreachable, others, headerBytes, impossible } of families) {
    const out: Envelope = { from: pod, to: peer }
    const back: Envelope = { from: peer, to: pod }
    const toPod: Envelope = { from: router, to: pod }
    const query = udp({ ...out, ...ports, payload: 8 })

    describe(`over ${name}`, () => {
      it('that the pod sends is about what it got', async () => {
        const asked = udp({ ...back, ...ports })
        counted.receive(asked)
        counted.send(icmp({ ...out, type: unreachable, code: 3, payload: packetIn(asked) }))
        assert.deepEqual(await failures(), [Failed.unreachable])
      })

      it('that the pod sends ends a connection that the peer opens', async () => {
        const syn = tcp({ ...back, ...ports, flags: 'S' })
        counted.receive(syn)
        counted.send(icmp({ ...out, type: unreachable, code: 1, payload: packetIn(syn) }))
        const states = flowRows(await counted.drain()).map(({ state }) => state)
        assert.deepEqual(states, [ConnectionState.unreachable, ConnectionState.none])
      })

      it('is about the flow whatever its code says', async () => {
        const codes = Array.from({ length: 16 }, (_, code) => code).filter(
          code => name === 'IPv6' || code !== FRAGMENTATION_NEEDED,
        )
        for (const code of codes) {
          const asked = udp({ ...out, ...ports, sourcePort: 30_000 + code })
          counted.send(asked)
          counted.receive(icmp({ ...toPod, type: unreachable, code, payload: packetIn(asked) }))
        }
        assert.deepEqual(
          await failures(),
          codes.map(() => Failed.unreachable),
        )
      })

      it('of another type says nothing of being unreachable', async () => {
        counted.send(query)
        for (const type of others) counted.receive(icmp({ ...toPod, type, payload: packetIn(query) }))
        assert.deepEqual(await failures(), [])
      })

      it('that quotes too little is about nobody, at every length', async () => {
        counted.send(query)
        const quote = packetIn(query)
        for (let bytes = 0; bytes < headerBytes + 4; bytes++)
          counted.receive(icmp({ ...toPod, type: unreachable, code: 3, payload: quote.subarray(0, bytes) }))
        assert.deepEqual(await failures(), [])
        counted.receive(icmp({ ...toPod, type: unreachable, code: 3, payload: quote.subarray(0, headerBytes + 8) }))
        assert.deepEqual(await failures(), [Failed.unreachable])
      })

      it('that quotes what went the other way, or never was here, is about nobody', async () => {
        counted.send(query)
        for (const never of [
          udp({ ...back, sourcePort: 53, destinationPort: 40_000 }),
          udp({ ...out, ...ports, sourcePort: 40_001 }),
          udp({ ...out, to: router, ...ports }),
          tcp({ ...out, ...ports }),
        ])
          counted.receive(icmp({ ...toPod, type: unreachable, code: 3, payload: packetIn(never) }))
        const batch = await counted.drain()
        assert.deepEqual(
          startedRows(batch).map(({ protocol }) => protocol),
          [Protocol.udp, name === 'IPv4' ? Protocol.icmp : Protocol.icmp6],
        )
        assert.ok(flowRows(batch).every(({ failed }) => failed === Failed.none))
      })

      it('that quotes a protocol without ports of ours is about nobody', async () => {
        const packet = ip(Protocol.sctp, { ...out, payload: packetIn(query).subarray(headerBytes) })
        counted.send(packet)
        counted.receive(icmp({ ...toPod, type: unreachable, code: 2, payload: packetIn(packet) }))
        assert.deepEqual(await failures(), [])
      })

      it('that quotes another IP version, or a header that can’t be, is about nobody', async () => {
        counted.send(query)
        const quote = packetIn(query)
        for (const first of impossible)
          counted.receive(icmp({ ...toPod, type: unreachable, code: 3, payload: patched(quote, 0, first) }))
        assert.deepEqual(await failures(), [])
      })

      it('at another interface is about a flow of its own', async () => {
        const second = await CountedInterface.attach(counted.source, network.other)
        counted.send(query)
        second.receive(icmp({ ...toPod, type: unreachable, code: 3, payload: packetIn(query) }))
        assert.deepEqual(await failures(), [])
      })
    })
  }

  it('over IPv4 that quotes options is about the flow behind them', async () => {
    for (let optionBytes = 0; optionBytes <= 40; optionBytes += 4) {
      const asked = udp({ from: '10.0.0.1', to: '10.0.0.2', ...ports, sourcePort: 30_000 + optionBytes, optionBytes })
      counted.send(asked)
      counted.receive(icmp({ from: '10.0.0.254', to: '10.0.0.1', type: 3, code: 3, payload: packetIn(asked) }))
    }
    assert.equal((await failures()).length, 11)
  })

  it('over IPv4 that only wants smaller packets says nothing of being unreachable', async () => {
    const asked = udp({ from: '10.0.0.1', to: '10.0.0.2', ...ports })
    counted.send(asked)
    const code = FRAGMENTATION_NEEDED
    counted.receive(icmp({ from: '10.0.0.254', to: '10.0.0.1', type: 3, code, payload: packetIn(asked) }))
    assert.deepEqual(await failures(), [])
  })

  it('behind IPv4 options and IPv6 headers of its own is read, too', async () => {
    const asked4 = udp({ from: '10.0.0.1', to: '10.0.0.2', ...ports })
    const asked6 = udp({ from: 'fd00::1', to: 'fd00::2', ...ports })
    counted.send(asked4)
    counted.send(asked6)
    const [payload4, payload6] = [packetIn(asked4), packetIn(asked6)]
    counted.receive(icmp({ from: '10.0.0.254', to: '10.0.0.1', type: 3, code: 1, optionBytes: 12, payload: payload4 }))
    const extensions = [{ kind: 'hopByHop' as const }, { kind: 'destination' as const, bytes: 24 }]
    counted.receive(icmp({ from: 'fd00::ff', to: 'fd00::1', type: 1, code: 1, extensions, payload: payload6 }))
    assert.deepEqual(await failures(), [Failed.unreachable, Failed.unreachable])
  })
})
