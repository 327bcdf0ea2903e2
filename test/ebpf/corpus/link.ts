// Frames: tags, lengths instead of types, what is not IP, and what is cut before IP begins.
import { arp, EtherType, ethernet, padded, Tag, tcp, udp } from '../../support/packet.ts'
import type { Chapter } from './case.ts'

const ports = { sourcePort: 40_000, destinationPort: 80 }
const stacks: Readonly<Record<string, readonly number[]>> = {
  'a tag': [Tag.customer],
  'a service tag': [Tag.service],
  'two tags': [Tag.service, Tag.customer],
  'two customer tags': [Tag.customer, Tag.customer],
}
const otherTypes: Readonly<Record<string, number>> = {
  RARP: EtherType.rarp,
  LLDP: EtherType.lldp,
  'an unknown EtherType': 0x9000,
  'the smallest EtherType': 0x0600,
  'precision time': 0x88f7,
  MACsec: 0x88e5,
  'a bridged frame’s EtherType': EtherType.bridged,
}

export function writeFrames(chapter: Chapter): void {
  writeTags(chapter)
  writeNotIp(chapter)
  chapter.both('flow', 'UDP in a frame filled up to 60 bytes', envelope =>
    padded(udp({ ...envelope, ...ports, payload: 1 })),
  )
  chapter.v4('flow', 'TCP in a frame filled up to 60 bytes', envelope => padded(tcp({ ...envelope, ...ports })))
  chapter.both('flow', 'UDP in front of 40 bytes that no header knows', envelope => {
    const packet = udp({ ...envelope, ...ports, payload: 100 })
    return padded(packet, packet.length + 40)
  })
}

function writeTags(chapter: Chapter): void {
  for (const [name, tags] of Object.entries(stacks)) {
    chapter.both('flow', `TCP behind ${name}`, envelope => tcp({ ...envelope, ...ports, tags, payload: 10 }))
    chapter.both('flow', `UDP behind ${name}`, envelope => udp({ ...envelope, ...ports, tags, payload: 10 }))
    chapter.add('arp', `ARP behind ${name}`, arp(tags))
    chapter.add('not_ip', `LLDP behind ${name}`, ethernet(EtherType.lldp, tags, new Uint8Array(46)))
    chapter.add('malformed_short', `${name} and nothing behind it`, ethernet(EtherType.ipv4, tags, new Uint8Array(0)))
  }
  const three = [Tag.service, Tag.customer, Tag.customer]
  chapter.both('not_ip', 'TCP behind three tags', envelope => tcp({ ...envelope, ...ports, tags: three }))
  chapter.both('flow', 'UDP, its tag in metadata', envelope => udp({ ...envelope, ...ports, payload: 9 }), {
    metadataTag: true,
  })
  const one = [Tag.customer]
  const taken = { metadataTag: true }
  chapter.both('flow', 'TCP, one tag in metadata and one in the frame', e => tcp({ ...e, ...ports, tags: one }), taken)
  chapter.add('arp', 'ARP, its tag in metadata', arp(), taken)
}

function writeNotIp(chapter: Chapter): void {
  chapter.add('arp', 'ARP', arp())
  chapter.add('arp', 'ARP in a frame filled up to 60 bytes', padded(arp()))
  chapter.add('arp', 'ARP without an address', ethernet(EtherType.arp, [], new Uint8Array(8)))
  chapter.add('arp', 'ARP of no bytes', ethernet(EtherType.arp, [], new Uint8Array(0)))
  for (const [name, type] of Object.entries(otherTypes))
    chapter.add('not_ip', name, ethernet(type, [], new Uint8Array(46)))
  const spanningTree = Buffer.from('424203000000000080000277000000010000000080000277000000018001000014000200', 'hex')
  chapter.add('not_ip', 'LLC, a spanning tree’s', ethernet(spanningTree.length, [], padded(spanningTree, 46)))
  chapter.add('not_ip', 'a length of 1500', ethernet(1500, [], new Uint8Array(1500)))
  chapter.add('not_ip', 'a length of 0', ethernet(0, [], new Uint8Array(46)))
  chapter.v4('not_ip', 'in SNAP', envelope => {
    const packet = udp({ ...envelope, ...ports, payload: 4 }).subarray(14)
    const snap = Buffer.from('aaaa030000000800', 'hex')
    return ethernet(snap.length + packet.length, [], Buffer.concat([snap, packet]))
  })
  chapter.v4('not_ip', 'in MPLS', envelope => {
    const label = Buffer.from('00064140', 'hex')
    return ethernet(EtherType.mpls, [], Buffer.concat([label, udp({ ...envelope, ...ports }).subarray(14)]))
  })
  chapter.v4('not_ip', 'in PPPoE', envelope => {
    const packet = udp({ ...envelope, ...ports }).subarray(14)
    const session = Buffer.from('1100000100000021', 'hex')
    session.writeUInt16BE(packet.length + 2, 4)
    return ethernet(EtherType.pppoe, [], Buffer.concat([session, packet]))
  })
  chapter.add('malformed_short', 'IPv4 of no bytes', ethernet(EtherType.ipv4, [], new Uint8Array(0)))
  chapter.add('malformed_short', 'IPv6 of no bytes', ethernet(EtherType.ipv6, [], new Uint8Array(0)))
}
