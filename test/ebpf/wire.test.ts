// A super-packet counts as the packets that it becomes on the wire, each with its own headers. Numbers by hand.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { KernelObject, putProgram, testRun } from '../support/kernel.ts'
import { ip, Protocol, patched, Tag, tcp, udp } from '../support/packet.ts'
import { sctp } from '../support/transports.ts'
import { geneve, greTunnel, ipInIp, vxlan } from '../support/tunnel.ts'
import { CountedInterface, flowRows } from './counted-interface.ts'
import { idleNetwork } from './idle-network.ts'

const v4 = { from: '10.0.0.1', to: '10.0.0.2', sourcePort: 40_000, destinationPort: 80 }
const v6 = { from: 'fd00::1', to: 'fd00::2', sourcePort: 40_000, destinationPort: 80 }

const tunnel = { sourcePort: 49_152, destinationPort: 4789 }
const inner = tcp({ ...v4, payload: 1000 })
const inner6 = tcp({ ...v6, payload: 1000 })
const innerUdp = udp({ ...v4, payload: 1000 })

/** Headers: Ethernet 14, a tag 4, IPv4 20, IPv6 40, TCP 20, its timestamps 12, UDP 8. */
const cases: { name: string; packet: Uint8Array; gsoSize: number; gsoSegs?: number; packets: number; bytes: number }[] =
  [
    { name: 'TCP of one segment', packet: tcp({ ...v4, payload: 1000 }), gsoSize: 0, packets: 1, bytes: 1054 },
    {
      name: 'TCP in three equal segments',
      packet: tcp({ ...v4, payload: 3000 }),
      gsoSize: 1000,
      packets: 3,
      bytes: 3162,
    },
    {
      name: 'TCP with a shorter last segment',
      packet: tcp({ ...v4, payload: 2001 }),
      gsoSize: 1000,
      packets: 3,
      bytes: 2163,
    },
    {
      name: 'TCP with exactly one segment’s payload',
      packet: tcp({ ...v4, payload: 1000 }),
      gsoSize: 1000,
      packets: 1,
      bytes: 1054,
    },
    { name: 'TCP with less than a segment', packet: tcp({ ...v4, payload: 10 }), gsoSize: 1000, packets: 1, bytes: 64 },
    { name: 'TCP without payload', packet: tcp(v4), gsoSize: 1000, packets: 1, bytes: 54 },
    {
      name: 'TCP with timestamps',
      packet: tcp({ ...v4, tcpOptionBytes: 12, payload: 2896 }),
      gsoSize: 1448,
      packets: 2,
      bytes: 3028,
    },
    {
      name: 'TCP with 40 bytes of options',
      packet: tcp({ ...v4, tcpOptionBytes: 40, payload: 300 }),
      gsoSize: 100,
      packets: 3,
      bytes: 582,
    },
    {
      name: 'TCP behind IPv4 options',
      packet: tcp({ ...v4, optionBytes: 24, payload: 300 }),
      gsoSize: 100,
      packets: 3,
      bytes: 534,
    },
    { name: 'TCP in segments of one byte', packet: tcp({ ...v4, payload: 50 }), gsoSize: 1, packets: 50, bytes: 2750 },
    { name: 'UDP', packet: udp({ ...v4, payload: 2500 }), gsoSize: 1200, packets: 3, bytes: 2626 },
    {
      name: 'tagged TCP',
      packet: tcp({ ...v4, tags: [Tag.customer], payload: 2000 }),
      gsoSize: 1000,
      packets: 2,
      bytes: 2116,
    },
    {
      name: 'TCP tagged twice',
      packet: tcp({ ...v4, tags: [Tag.service, Tag.customer], payload: 2000 }),
      gsoSize: 1000,
      packets: 2,
      bytes: 2124,
    },
    { name: 'TCP over IPv6', packet: tcp({ ...v6, payload: 3000 }), gsoSize: 1000, packets: 3, bytes: 3222 },
    { name: 'UDP over IPv6', packet: udp({ ...v6, payload: 2500 }), gsoSize: 1200, packets: 3, bytes: 2686 },
    {
      name: 'TCP over IPv6 behind an extension header',
      packet: tcp({ ...v6, extensions: [{ kind: 'hopByHop' }], payload: 2000 }),
      gsoSize: 1000,
      packets: 2,
      bytes: 2164,
    },
    {
      name: 'tagged TCP over IPv6',
      packet: tcp({ ...v6, tags: [Tag.customer], payload: 2000 }),
      gsoSize: 1000,
      packets: 2,
      bytes: 2156,
    },
    {
      name: 'SCTP, which has its segments listed',
      packet: ip(Protocol.sctp, { ...v4, payload: 100 }),
      gsoSize: 0xffff,
      gsoSegs: 4,
      packets: 4,
      bytes: 272,
    },
    // 1000 bytes in segments of 300 are 4 packets: three times the outer and inner headers more.
    { name: 'TCP in IPv4 in IPv4', packet: ipInIp({ ...v4, inner }), gsoSize: 300, packets: 4, bytes: 1296 },
    { name: 'TCP in IPv4 in IPv6', packet: ipInIp({ ...v6, inner }), gsoSize: 300, packets: 4, bytes: 1376 },
    { name: 'TCP in IPv6 in IPv4', packet: ipInIp({ ...v4, inner: inner6 }), gsoSize: 300, packets: 4, bytes: 1376 },
    { name: 'TCP in GRE', packet: greTunnel({ ...v4, inner }), gsoSize: 300, packets: 4, bytes: 1312 },
    {
      name: 'TCP in a frame in GRE with key and sequence',
      packet: greTunnel({ ...v4, inner, bridged: true, key: true, sequence: true }),
      gsoSize: 300,
      packets: 4,
      bytes: 1400,
    },
    { name: 'TCP in VXLAN', packet: vxlan({ ...v4, ...tunnel, inner }), gsoSize: 300, packets: 4, bytes: 1416 },
    {
      name: 'UDP in VXLAN over IPv6',
      packet: vxlan({ ...v6, ...tunnel, inner: innerUdp }),
      gsoSize: 300,
      packets: 4,
      bytes: 1448,
    },
    {
      name: 'TCP in Geneve with 8 bytes of options',
      packet: geneve({ ...v4, ...tunnel, destinationPort: 6081, inner, optionBytes: 8 }),
      gsoSize: 300,
      packets: 4,
      bytes: 1448,
    },
    // Unreadable inside: as many as the kernel says, each with the outer headers that we know, 14 + 20 + 8.
    {
      name: 'SCTP in VXLAN',
      packet: vxlan({ ...v4, ...tunnel, inner: sctp(v4) }),
      gsoSize: 300,
      gsoSegs: 4,
      packets: 4,
      bytes: 238,
    },
    {
      name: 'BIG TCP',
      packet: patched(tcp({ ...v4, payload: 1000 }), 16, 0, 0),
      gsoSize: 300,
      packets: 4,
      bytes: 1216,
    },
    {
      name: 'BIG TCP over IPv6',
      packet: patched(tcp({ ...v6, payload: 1000 }), 18, 0, 0),
      gsoSize: 300,
      packets: 4,
      bytes: 1296,
    },
    {
      name: 'BIG TCP over IPv6 with the kernel’s jumbo header, which leaves no wire',
      packet: patched(tcp({ ...v6, extensions: [{ kind: 'hopByHop' }], payload: 1000 }), 18, 0, 0),
      gsoSize: 300,
      packets: 4,
      bytes: 1296,
    },
  ]

describe('on the wire', function () {
  this.timeout(30_000)
  const network = idleNetwork()
  let counted: CountedInterface

  beforeEach(async () => {
    counted = await CountedInterface.open(network.one)
  })
  afterEach(() => counted?.close())

  for (const { name, packet, gsoSize, gsoSegs = 0, packets, bytes } of cases)
    it(`${name}: ${packets} packets, ${bytes} bytes`, async () => {
      counted.send(packet, { gsoSize, gsoSegs })
      counted.receive(packet, { gsoSize, gsoSegs })
      const batch = await counted.drain()
      for (const row of flowRows(batch)) {
        assert.equal(row.fromPodPackets + row.toPodPackets, packets)
        assert.equal(row.fromPodBytes + row.toPodBytes, bytes)
      }
      const { fromPod, toPod } = counted.totals(batch)
      for (const totals of [fromPod, toPod]) {
        assert.equal(totals.seenPackets, packets)
        assert.equal(totals.seenBytes, bytes)
        assert.equal(totals.skbs, 1)
        assert.equal(totals.skbBytes, packet.length)
      }
    })

  it('a tag in the skb’s metadata is four bytes of each packet', async () => {
    const wrapper = new KernelObject('packet_wrapper')
    try {
      putProgram(wrapper.maps.under_test!, 0, counted.outProgram)
      const program = wrapper.programs.with_tag_in_metadata!
      testRun(program, tcp({ ...v4, payload: 100 }))
      testRun(program, tcp({ ...v4, payload: 3000 }), { gsoSize: 1000 })
    } finally {
      wrapper.close()
    }
    const [row, ...more] = flowRows(await counted.drain())
    assert.equal(more.length, 0)
    assert.equal(row!.fromPodPackets, 1 + 3)
    assert.equal(row!.fromPodBytes, 158 + (3162 + 3 * 4))
  })
})
