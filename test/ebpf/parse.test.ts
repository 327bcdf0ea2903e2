// Which flow a packet is in: addresses, ports, protocol and flags, seen from the pod.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { FlowFlag } from '../../lib/capture/flow-batch.ts'
import { type Envelope, icmp, ip, Protocol, Tag, tcp, udp } from '../support/packet.ts'
import { dccp, sctp, udpLite } from '../support/transports.ts'
import { ipInIp, vxlan } from '../support/tunnel.ts'
import { CountedInterface, type Started, startedRows } from './counted-interface.ts'
import { idleNetwork } from './idle-network.ts'

const out4 = { from: '10.1.2.3', to: '192.168.7.9' }
const in4 = { from: '192.168.7.9', to: '10.1.2.3' }
const out6 = { from: 'fd00::1:2', to: '2001:db8:9::f' }
const in6 = { from: '2001:db8:9::f', to: 'fd00::1:2' }
const outPorts = { sourcePort: 40_123, destinationPort: 443 }
const inPorts = { sourcePort: 443, destinationPort: 40_123 }

describe('a flow', function () {
  this.timeout(30_000)
  const network = idleNetwork()
  let counted: CountedInterface

  beforeEach(async () => {
    counted = await CountedInterface.open(network.one)
  })
  afterEach(() => counted?.close())

  /** The only flow that there is, with all that was counted. */
  async function flow(): Promise<Partial<Started>> {
    const batch = await counted.drain()
    const started = startedRows(batch)
    assert.equal(started.length, 1, `${started.length} flows`)
    const { fromPod, toPod } = counted.totals(batch)
    assert.equal(fromPod.otherPackets + toPod.otherPackets, 0, 'a packet is in no flow')
    const { local, remote, localPort, remotePort, protocol, flags } = started[0]!
    return { local, remote, localPort, remotePort, protocol, flags }
  }

  const expected = (protocol: number, family: 4 | 6 = 4, ports = { localPort: 40_123, remotePort: 443 }, flags = 0) => {
    const [local, remote] = family === 4 ? [out4.from, out4.to] : [out6.from, out6.to]
    return { local, remote, ...ports, protocol, flags }
  }
  const noPorts = { localPort: 0, remotePort: 0 }

  for (const [family, out, back] of [
    [4, out4, in4],
    [6, out6, in6],
  ] as const) {
    it(`of TCP over IPv${family} is the same in both directions`, async () => {
      counted.send(tcp({ ...out, ...outPorts }))
      counted.receive(tcp({ ...back, ...inPorts }))
      assert.deepEqual(await flow(), expected(Protocol.tcp, family))
    })

    it(`of UDP over IPv${family} is the same in both directions`, async () => {
      counted.receive(udp({ ...back, ...inPorts }))
      counted.send(udp({ ...out, ...outPorts }))
      assert.deepEqual(await flow(), expected(Protocol.udp, family))
    })

    it(`of ICMP echo over IPv${family} has the identifier as both ports`, async () => {
      const [request, reply] = family === 4 ? [8, 0] : [128, 129]
      counted.send(icmp({ ...out, type: request, identifier: 513 }))
      counted.receive(icmp({ ...back, type: reply, identifier: 513 }))
      const protocol = family === 4 ? Protocol.icmp : Protocol.icmp6
      assert.deepEqual(await flow(), expected(protocol, family, { localPort: 513, remotePort: 513 }))
    })

    it(`of other ICMP over IPv${family} has type and code as both ports, and says so`, async () => {
      const type = family === 4 ? 11 : 3
      counted.send(icmp({ ...out, type, code: 1, identifier: 513 }))
      const ports = { localPort: type * 256 + 1, remotePort: type * 256 + 1 }
      const protocol = family === 4 ? Protocol.icmp : Protocol.icmp6
      assert.deepEqual(await flow(), expected(protocol, family, ports, FlowFlag.icmpType))
    })

    for (const [name, protocol, build] of [
      ['SCTP', Protocol.sctp, sctp],
      ['DCCP', Protocol.dccp, dccp],
      ['UDP-Lite', Protocol.udpLite, udpLite],
    ] as const)
      it(`of ${name} over IPv${family} has ports and is the same in both directions`, async () => {
        counted.send(build({ ...out, ...outPorts }))
        counted.receive(build({ ...back, ...inPorts }))
        assert.deepEqual(await flow(), expected(protocol, family))
      })

    it(`of another protocol over IPv${family} has its number and no ports`, async () => {
      counted.send(ip(Protocol.esp, { ...out, payload: 40 }))
      assert.deepEqual(await flow(), expected(Protocol.esp, family, noPorts))
    })

    it(`of a tunnel over IPv${family} is the outer one`, async () => {
      const inner = tcp({ from: '172.16.0.1', to: '172.16.0.2', ...inPorts })
      counted.send(ipInIp({ ...out, inner }))
      assert.deepEqual(await flow(), expected(Protocol.ipv4, family, noPorts))
    })

    it(`of VXLAN over IPv${family} has the outer ports`, async () => {
      const inner = tcp({ from: '172.16.0.1', to: '172.16.0.2', ...inPorts })
      counted.send(vxlan({ ...out, sourcePort: 49_152, inner }))
      assert.deepEqual(await flow(), expected(Protocol.udp, family, { localPort: 49_152, remotePort: 4789 }))
    })

    it(`over IPv${family} is the same with one tag, with two, and without`, async () => {
      for (const tags of [[], [Tag.customer], [Tag.service, Tag.customer]])
        counted.send(udp({ ...out, ...outPorts, tags }))
      assert.deepEqual(await flow(), expected(Protocol.udp, family))
    })

    it(`over IPv${family} has the ports of a first fragment`, async () => {
      counted.send(udp({ ...out, ...outPorts, fragment: { offset: 0, more: true }, payload: 16 }))
      assert.deepEqual(await flow(), expected(Protocol.udp, family))
    })

    it(`of later fragments over IPv${family} is one of its own`, async () => {
      for (const [offset, more] of [
        [16, true],
        [32, true],
        [48, false],
      ] as const)
        counted.send(ip(Protocol.udp, { ...out, fragment: { offset, more }, payload: 16 }))
      assert.deepEqual(await flow(), expected(Protocol.udp, family, noPorts, FlowFlag.fragment))
    })
  }

  it('is found behind IPv4 options of every length', async () => {
    for (let optionBytes = 0; optionBytes <= 40; optionBytes += 4)
      counted.send(tcp({ ...out4, ...outPorts, optionBytes }))
    assert.deepEqual(await flow(), expected(Protocol.tcp))
  })

  it('is found behind IPv6 extension headers, up to eight', async () => {
    const chains: Envelope['extensions'][] = [
      [{ kind: 'hopByHop' }],
      [{ kind: 'destination', bytes: 64 }],
      [{ kind: 'authentication', bytes: 28 }],
      [
        { kind: 'hopByHop', bytes: 16 },
        { kind: 'routing', bytes: 40 },
        { kind: 'authentication', bytes: 24 },
        { kind: 'destination' },
      ],
      Array.from({ length: 8 }, () => ({ kind: 'destination' })),
    ]
    for (const extensions of chains) counted.send(tcp({ ...out6, ...outPorts, extensions: extensions! }))
    assert.deepEqual(await flow(), expected(Protocol.tcp, 6))
  })

  it('behind more than eight extension headers has the ninth’s number for protocol', async () => {
    const extensions = Array.from({ length: 9 }, () => ({ kind: 'destination' as const }))
    counted.send(tcp({ ...out6, ...outPorts, extensions }))
    assert.deepEqual(await flow(), expected(60, 6, noPorts))
  })

  it('is another one with another address, port, protocol or interface', async () => {
    const base = { ...out4, ...outPorts }
    const packets = [
      tcp(base),
      tcp({ ...base, from: '10.1.2.4' }),
      tcp({ ...base, to: '192.168.7.10' }),
      tcp({ ...base, sourcePort: 40_124 }),
      tcp({ ...base, destinationPort: 444 }),
      udp(base),
    ]
    for (const packet of packets) counted.send(packet)
    const second = await CountedInterface.attach(counted.source, network.other)
    second.send(tcp(base))
    const started = startedRows(await counted.drain())
    assert.equal(started.length, packets.length + 1)
    assert.deepEqual(
      started.map(({ interfaceSlot }) => interfaceSlot),
      [...packets.map(() => counted.interfaceSlot), second.interfaceSlot],
    )
  })
})
