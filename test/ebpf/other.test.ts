// What is in no flow has one class, and is counted there and under other.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import { PACKET_CLASSES, packetClasses } from '../../lib/capture/flow-batch.ts'
import { arp, cut, EtherType, ethernet, ip, Protocol, patched, Tag, tcp, udp } from '../support/packet.ts'
import { CountedInterface } from './counted-interface.ts'
import { idleNetwork } from './idle-network.ts'
import type { PacketClass } from './packet-model.ts'

const v4 = { from: '10.1.2.3', to: '192.168.7.9', sourcePort: 40_123, destinationPort: 443 }
const v6 = { from: 'fd00::1:2', to: '2001:db8:9::f', sourcePort: 40_123, destinationPort: 443 }

/** By hand, one of each kind. */
const otherPackets: Readonly<Record<string, readonly [PacketClass, Uint8Array]>> = {
  ARP: ['arp', arp()],
  'ARP behind a tag': ['arp', arp([Tag.customer])],
  RARP: ['not_ip', ethernet(EtherType.rarp, [], new Uint8Array(46))],
  LLDP: ['not_ip', ethernet(EtherType.lldp, [], new Uint8Array(46))],
  'a length instead of a type': ['not_ip', ethernet(46, [], new Uint8Array(46))],
  'three tags': ['not_ip', tcp({ ...v4, tags: [Tag.service, Tag.customer, Tag.customer] })],
  'a tag and nothing behind it': ['malformed_short', ethernet(Tag.customer, [], new Uint8Array(2))],
  'IPv4 that was cut': ['malformed_short', cut(udp({ ...v4, payload: 40 }), 81)],
  'IPv6 that was cut': ['malformed_short', cut(udp({ ...v6, payload: 40 }), 101)],
  'an extension header cut short': ['malformed_short', ip(0, { ...v6, payload: 4 })],
  'an IPv4 EtherType and version 6': ['malformed_header', patched(tcp({ ...v4 }), 14, 0x65)],
  'an IPv6 EtherType and version 4': ['malformed_header', patched(tcp({ ...v6 }), 14, 0x40)],
  'an IPv4 header of 16 bytes': ['malformed_header', patched(udp({ ...v4, payload: 8 }), 14, 0x44)],
  'IPv4 shorter than its header': ['malformed_header', patched(tcp({ ...v4 }), 16, 0, 19)],
  'a TCP header of 16 bytes': ['malformed_transport', patched(tcp({ ...v4 }), 46, 0x40)],
  'a TCP header longer than its packet': ['malformed_transport', patched(tcp({ ...v4 }), 46, 0x60)],
  'IPv4 TCP without its header': ['malformed_transport', ip(Protocol.tcp, { ...v4, payload: 8 })],
  'IPv6 UDP without its header': ['malformed_transport', ip(Protocol.udp, { ...v6, payload: 4 })],
  'an echo request without identifier': ['malformed_transport', ip(1, { ...v4, payload: Uint8Array.of(8, 0, 0, 0) })],
}

describe('what is in no flow', function () {
  this.timeout(30_000)
  const network = idleNetwork()
  let counted: CountedInterface

  before(async () => {
    counted = await CountedInterface.open(network.one)
  })
  after(() => counted?.close())

  async function drained(): Promise<{ flows: number; other: number[]; inClasses: Record<string, number[]> }> {
    const batch = await counted.drain()
    const { otherPackets, otherBytes } = counted.totals(batch).fromPod
    const row = batch.interfaces.interfaceSlot.indexOf(counted.interfaceSlot)
    const { classPackets, classBytes } = batch.interfaces.fromPod
    const inClasses = packetClasses.map((packetClass, i) => {
      const at = row * PACKET_CLASSES + i
      return [packetClass, [classPackets[at]!, classBytes[at]!]]
    })
    return { flows: batch.flows.length, other: [otherPackets, otherBytes], inClasses: Object.fromEntries(inClasses) }
  }

  for (const [name, [packetClass, packet]] of Object.entries(otherPackets))
    it(`is counted as ${packetClass}: ${name}`, async () => {
      const before = await drained()
      counted.send(packet)
      const { flows, other, inClasses } = await drained()
      const one = (was: number[]) => [was[0]! + 1, was[1]! + packet.length]
      assert.equal(flows, 0)
      assert.deepEqual(other, one(before.other))
      assert.deepEqual(inClasses, { ...before.inClasses, [packetClass]: one(before.inClasses[packetClass]!) })
    })
})
