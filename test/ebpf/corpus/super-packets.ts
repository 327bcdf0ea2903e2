// Super-packets of GSO and GRO: what the kernel segments, in tunnels too, and what can't be read.
import { type Envelope, ethernet, icmp, ip, Protocol, patched, Tag, tcp, udp } from '../../support/packet.ts'
import { sctp, udpLite } from '../../support/transports.ts'
import { geneve, greTunnel, ipInIp, packetIn, TunnelPort, vxlan } from '../../support/tunnel.ts'
import type { PacketClass } from '../packet-model.ts'
import type { Chapter, Options } from './case.ts'

const ports = { sourcePort: 40_004, destinationPort: 9000 }
const sourcePort = 49_200
const IPV4_LENGTH = 16
const IPV6_LENGTH = 18
const IPV6_PAYLOAD = 54
const GRE_VERSION_1 = 1
const BY_FRAGMENTS = 0xffff
const inner = { from: '172.16.0.1', to: '172.16.0.2', ...ports, payload: 1000 }
const inner6 = { from: 'fd99::1', to: 'fd99::2', ...ports, payload: 1000 }

/** 1000 bytes in segments of 300 are 4. */
const cut300: Options = { gsoSize: 300, gsoSegs: 4, valid: true }
const innerFrames: Readonly<Record<string, Uint8Array>> = {
  'IPv4 TCP': tcp({ ...inner, tcpOptionBytes: 12 }),
  'IPv6 TCP': tcp(inner6),
  'IPv4 UDP': udp(inner),
  'IPv6 UDP': udp(inner6),
}
const unreadable: Readonly<Record<string, Uint8Array>> = {
  'a tagged packet': tcp({ ...inner, tags: [Tag.customer] }),
  'IPv6 with a header': tcp({ ...inner6, extensions: [{ kind: 'destination' }] }),
  SCTP: sctp(inner),
  'another tunnel': ipInIp({ ...inner, inner: tcp(inner) }),
  'what is not IP': ethernet(0x8847, [], new Uint8Array(1054)),
  'IPv4 of version 5': patched(tcp(inner), 14, 0x55),
  'IPv4 of 16 bytes': patched(tcp(inner), 14, 0x44),
  'IPv6 of version 5': patched(tcp(inner6), 14, 0x50),
  'TCP of 16 bytes': patched(tcp(inner), 46, 0x40),
}

export function writeSuperPackets(chapter: Chapter): void {
  writeSegments(chapter)
  writeTunnels(chapter)
  writeGuesses(chapter)
  writeBigTcp(chapter)
}

function writeSegments(chapter: Chapter): void {
  const build = (e: Envelope) => tcp({ ...e, ...ports, tcpOptionBytes: 12, payload: 1000 })
  for (const gsoSize of [1, 7, 300, 500, 999, 1000, 1001, 1448, BY_FRAGMENTS])
    chapter.both('flow', `TCP in segments of ${gsoSize}`, build, { gsoSize, inSeries: gsoSize !== 300 })
  chapter.both('flow', 'TCP without payload', e => tcp({ ...e, ...ports }), { gsoSize: 300 })
  chapter.both('flow', 'UDP in datagrams of 300', e => udp({ ...e, ...ports, payload: 1000 }), cut300)
  chapter.both('flow', 'UDP in datagrams of 300, nobody says how many', e => udp({ ...e, ...ports, payload: 1000 }), {
    gsoSize: 300,
  })
  chapter.both('flow', 'UDP without payload', e => udp({ ...e, ...ports }), { gsoSize: 300, gsoSegs: 3 })
  const tagged = (tags: number[]) => (e: Envelope) => tcp({ ...e, ...ports, tags, payload: 1000 })
  chapter.both('flow', 'tagged TCP', tagged([Tag.customer]), cut300)
  chapter.both('flow', 'TCP tagged twice', tagged([Tag.service, Tag.customer]), cut300)
  chapter.both('flow', 'TCP with a tag in metadata', tagged([]), { ...cut300, metadataTag: true })
  chapter.both('flow', 'UDP with a tag in metadata', e => udp({ ...e, ...ports, payload: 1000 }), {
    ...cut300,
    metadataTag: true,
  })
  chapter.v4('flow', 'TCP behind options', e => tcp({ ...e, ...ports, optionBytes: 24, payload: 1000 }), cut300)
  const extensions = [{ kind: 'hopByHop' as const }, { kind: 'destination' as const, bytes: 16 }]
  chapter.v6('flow', 'TCP behind headers', e => tcp({ ...e, ...ports, extensions, payload: 1000 }), cut300)
  chapter.both('flow', 'SCTP by its list', e => sctp({ ...e, ...ports, payload: 1000 }), {
    gsoSize: BY_FRAGMENTS,
    gsoSegs: 4,
  })
  chapter.both('flow', 'SCTP by a list of nobody knows how many', e => sctp({ ...e, ...ports, payload: 1000 }), {
    gsoSize: BY_FRAGMENTS,
  })
  const fragment = { offset: 1480, more: false }
  chapter.both('fragment', 'a later fragment', e => ip(Protocol.tcp, { ...e, fragment, payload: 1000 }), cut300)
  chapter.both('malformed_transport', 'TCP of 16 bytes', e => ip(Protocol.tcp, { ...e, payload: 16 }), cut300)
}

function writeTunnels(chapter: Chapter): void {
  for (const [name, frame] of Object.entries(innerFrames)) {
    const both = (what: string, build: (e: Envelope) => Uint8Array) =>
      chapter.both('flow', `${what} ${name}`, build, cut300)
    both('tunnel of', e => ipInIp({ ...e, inner: frame }))
    both('GRE with', e => greTunnel({ ...e, inner: frame }))
    both('GRE with all its fields and', e =>
      greTunnel({ ...e, inner: frame, checksum: true, key: true, sequence: true }),
    )
    both('GRE with a key and a frame of', e => greTunnel({ ...e, inner: frame, key: true, bridged: true }))
    both('VXLAN with', e => vxlan({ ...e, sourcePort, inner: frame }))
    both('VXLAN on the old port with', e =>
      vxlan({ ...e, sourcePort, destinationPort: TunnelPort.vxlanLinux, inner: frame }),
    )
    both('Geneve with', e => geneve({ ...e, sourcePort, inner: frame }))
    both('Geneve with options and', e => geneve({ ...e, sourcePort, inner: frame, optionBytes: 24 }))
    both('Geneve without Ethernet and with', e => geneve({ ...e, sourcePort, inner: frame, routed: true }))
  }
}

function writeGuesses(chapter: Chapter): void {
  const guess = (name: string, build: (e: Envelope) => Uint8Array, options: Options = {}) =>
    chapter.both('gso_guess', name, build, { ...cut300, ...options })
  for (const [name, frame] of Object.entries(unreadable)) {
    guess(`VXLAN with ${name}`, e => vxlan({ ...e, sourcePort, inner: frame }))
    guess(`GRE with a frame of ${name}`, e => greTunnel({ ...e, inner: frame, bridged: true }))
  }
  guess('VXLAN, nobody says how many', e => vxlan({ ...e, sourcePort, inner: sctp(inner) }), { gsoSegs: 0 })
  guess('SCTP by its list in VXLAN', e => vxlan({ ...e, sourcePort, inner: sctp(inner) }), { gsoSize: BY_FRAGMENTS })
  guess(
    'TCP in UDP on a port that is no tunnel’s',
    e => udp({ ...e, sourcePort, destinationPort: 7777, payload: packetIn(tcp(inner)) }),
    { gsoSegs: 3 },
  )
  guess('GRE of version 1', e => {
    const packet = greTunnel({ ...e, inner: tcp(inner) })
    return patched(packet, (packet[14]! >> 4 === 6 ? 54 : 34) + 1, GRE_VERSION_1)
  })
  for (const [name, build] of [
    ['UDP-Lite by size', (e: Envelope) => udpLite({ ...e, ...ports, payload: 1000 })],
    ['SCTP by size', (e: Envelope) => sctp({ ...e, ...ports, payload: 1000 })],
    ['ICMP', (e: Envelope) => icmp({ ...e, type: e.from.includes(':') ? 128 : 8, payload: 1000 })],
    ['an unknown protocol', (e: Envelope) => ip(200, { ...e, payload: 1000 })],
  ] as const)
    guess(name, build)
}

/** Larger than the header's field: the length is 0, and before Linux 7 IPv6 has the kernel's own jumbo header. */
function writeBigTcp(chapter: Chapter): void {
  const big: Options = { ...cut300, valid: false }
  const zeroLength = (packet: Uint8Array) => patched(packet, packet[14]! >> 4 === 6 ? IPV6_LENGTH : IPV4_LENGTH, 0, 0)
  const classes: readonly [string, PacketClass, (e: Envelope) => Uint8Array][] = [
    ['TCP', 'flow', e => tcp({ ...e, ...ports, payload: 1000 })],
    ['VXLAN', 'flow', e => vxlan({ ...e, sourcePort, inner: tcp(inner) })],
    ['unreadable', 'gso_guess', e => vxlan({ ...e, sourcePort, inner: sctp(inner) })],
  ]
  for (const [name, packetClass, build] of classes)
    chapter.both(packetClass, `BIG ${name}`, e => zeroLength(build(e)), big)
  const extensions = [{ kind: 'hopByHop' as const }]
  const jumbo = (e: Envelope) => {
    const packet = zeroLength(tcp({ ...e, ...ports, extensions, payload: 1000 }))
    return patched(packet, IPV6_PAYLOAD + 2, 0xc2, 4, 0, 0, 4, 4)
  }
  chapter.v6('flow', 'BIG TCP with the kernel’s jumbo header', jumbo, big)
  chapter.v6('flow', 'BIG TCP with the kernel’s jumbo header and a tag', jumbo, { ...big, metadataTag: true })
}
