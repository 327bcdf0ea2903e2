// One packet of every kind that the programs tell apart, by name.
import { arp, type Envelope, ethernet, icmp, ip, Protocol, Tag, tcp, udp } from '../support/packet.ts'

const v4 = { from: '10.0.0.1', to: '10.0.0.2' }
const v6 = { from: 'fd00::1', to: 'fd00::2' }
const ports = { sourcePort: 40_000, destinationPort: 80 }
const ECHO_REQUEST = 8
const ECHO6_REQUEST = 128
const MLD_REPORT = 143
const UNREACHABLE = 3

function both(name: string, build: (envelope: Envelope) => Uint8Array): [string, Uint8Array][] {
  return [
    [`IPv4 ${name}`, build(v4)],
    [`IPv6 ${name}`, build(v6)],
  ]
}

/** Each is in a flow. */
export const flowPackets = new Map<string, Uint8Array>([
  ...both('TCP', envelope => tcp({ ...envelope, ...ports, payload: 100 })),
  ...both('TCP SYN with options', envelope => tcp({ ...envelope, ...ports, flags: 'S', tcpOptionBytes: 20 })),
  ...both('TCP SYN-ACK', envelope => tcp({ ...envelope, ...ports, flags: 'SA' })),
  ...both('TCP RST', envelope => tcp({ ...envelope, ...ports, flags: 'R' })),
  ...both('UDP', envelope => udp({ ...envelope, ...ports, payload: 32 })),
  ...both('GRE', envelope => ip(Protocol.gre, { ...envelope, payload: 24 })),
  ...both('SCTP', envelope => ip(Protocol.sctp, { ...envelope, payload: 24 })),
  ...both('without payload', envelope => ip(Protocol.gre, envelope)),
  ...both('TCP, tagged', envelope => tcp({ ...envelope, ...ports, tags: [Tag.customer] })),
  ...both('UDP, tagged twice', envelope => udp({ ...envelope, ...ports, tags: [Tag.service, Tag.customer] })),
  ...both('first fragment', envelope =>
    udp({ ...envelope, ...ports, fragment: { offset: 0, more: true }, payload: 64 }),
  ),
  ...both('later fragment', envelope =>
    ip(Protocol.udp, { ...envelope, fragment: { offset: 1480, more: false }, payload: 64 }),
  ),
  ['ICMP echo request', icmp({ ...v4, type: ECHO_REQUEST, identifier: 77, payload: 56 })],
  ['ICMP unreachable', icmp({ ...v4, type: UNREACHABLE, payload: 28 })],
  ['ICMPv6 echo request', icmp({ ...v6, type: ECHO6_REQUEST, identifier: 77, payload: 56 })],
  ['ICMPv6 MLD report', icmp({ ...v6, type: MLD_REPORT, extensions: [{ kind: 'hopByHop' }] })],
  ['IPv4 TCP behind options', tcp({ ...v4, ...ports, optionBytes: 40, payload: 10 })],
  [
    'IPv6 TCP behind extension headers',
    tcp({
      ...v6,
      ...ports,
      extensions: [{ kind: 'hopByHop' }, { kind: 'routing', bytes: 24 }, { kind: 'destination', bytes: 16 }],
    }),
  ],
  [
    'IPv6 UDP behind an authentication header',
    udp({ ...v6, ...ports, extensions: [{ kind: 'authentication', bytes: 24 }] }),
  ],
])

/** None is in a flow: not IP, or malformed. */
export const otherPackets = new Map<string, Uint8Array>([
  ['ARP', arp()],
  ['LLDP', ethernet(0x88cc, [], new Uint8Array(46))],
  ['three tags', tcp({ ...v4, ...ports, tags: [Tag.service, Tag.customer, Tag.customer] })],
  ['a tag and nothing behind it', ethernet(Tag.customer, [], new Uint8Array(2))],
  ['an IPv4 EtherType and version 6', patched(tcp({ ...v4, ...ports }), 14, 0x65)],
  ['an IPv6 EtherType and version 4', patched(tcp({ ...v6, ...ports }), 14, 0x40)],
  ['an IPv4 header of 16 bytes', patched(udp({ ...v4, ...ports, payload: 8 }), 14, 0x44)],
  ['a TCP header of 16 bytes', patched(tcp({ ...v4, ...ports }), 46, 0x40)],
  ['IPv4 TCP without its header', ip(Protocol.tcp, { ...v4, payload: 8 })],
  ['IPv6 UDP without its header', ip(Protocol.udp, { ...v6, payload: 4 })],
  ['an extension header cut short', ip(0, { ...v6, payload: 4 })],
])

export const allPackets: ReadonlyMap<string, Uint8Array> = new Map([...flowPackets, ...otherPackets])

function patched(packet: Uint8Array, offset: number, byte: number): Uint8Array {
  const changed = packet.slice()
  changed[offset] = byte
  return changed
}

/** Bytes without meaning, the same ones each time; every other packet claims to be IP. */
export function randomPackets(count: number, seed: number): Uint8Array[] {
  let state = seed
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state >>> 8
  }
  return Array.from({ length: count }, (_, i) => {
    const packet = Uint8Array.from({ length: 14 + (next() % 120) }, () => next() & 0xff)
    const claims = [[0x08, 0x00, 0x45], [0x86, 0xdd, 0x60], [0x81, 0x00], []][i % 4]!
    claims.slice(0, Math.max(0, packet.length - 12)).forEach((byte, at) => {
      packet[12 + at] = byte
    })
    return packet
  })
}
