// Transports: every TCP header length and flag combination, short and lying headers, ICMP of every type, tunnels.
import { cut, type Envelope, icmp, ip, Protocol, patched, tcp, udp } from '../../support/packet.ts'
import { dccp, esp, igmp, sctp, udpLite } from '../../support/transports.ts'
import { geneve, greTunnel, ipInIp, packetIn, vxlan } from '../../support/tunnel.ts'
import type { PacketClass } from '../packet-model.ts'
import type { Chapter } from './case.ts'

const ports = { sourcePort: 40_003, destinationPort: 5432 }
/** Shortest headers. */
const HEADER_BYTES = { TCP: 20, UDP: 8, 'UDP-Lite': 8, SCTP: 12, DCCP: 12 } as const
const NUMBER = { TCP: 6, UDP: 17, 'UDP-Lite': 136, SCTP: 132, DCCP: 33 } as const
const DATA_OFFSET = 12
const UDP_LENGTH = 4
const WIREGUARD_PORT = 51_820

function transportAt(packet: Uint8Array): number {
  return packet[14]! >> 4 === 6 ? 54 : 34
}

function patchedTransport(packet: Uint8Array, offset: number, ...bytes: number[]): Uint8Array {
  return patched(packet, transportAt(packet) + offset, ...bytes)
}

export function writeTransports(chapter: Chapter): void {
  writeTcp(chapter)
  writeUdp(chapter)
  writeCutHeaders(chapter)
  writeIcmp(chapter)
  writeTunnels(chapter)
  chapter.both('flow', 'SCTP', e => sctp({ ...e, ...ports, payload: 16 }))
  chapter.both('flow', 'DCCP', e => dccp({ ...e, ...ports, payload: 16 }))
  chapter.both('flow', 'UDP-Lite', e => udpLite({ ...e, ...ports, payload: 16 }))
  chapter.both('flow', 'ESP', e => esp({ ...e, payload: 40 }))
  chapter.v4('flow', 'IGMP behind a router alert', e => igmp({ ...e, optionBytes: 4 }))
}

function writeTcp(chapter: Chapter): void {
  for (let words = 0; words < 16; words++) {
    const packetClass = words < 5 ? 'malformed_transport' : 'flow'
    chapter.both(packetClass, `TCP, data offset ${words}`, e =>
      patchedTransport(tcp({ ...e, ...ports, payload: new Uint8Array(40).fill(1) }), DATA_OFFSET, words << 4),
    )
    if (words > 5)
      chapter.both('malformed_transport', `TCP without options, data offset ${words}`, e =>
        patchedTransport(tcp({ ...e, ...ports }), DATA_OFFSET, words << 4),
      )
  }
  for (let flags = 0; flags < 256; flags++)
    chapter.both('flow', `TCP, flags ${flags}`, e => tcp({ ...e, ...ports, flags, payload: 4 }), { inSeries: true })
  for (const [sourcePort, destinationPort] of [
    [0, 80],
    [40_000, 0],
    [0, 0],
    [65_535, 65_535],
  ] as const)
    chapter.both('flow', `TCP, ports ${sourcePort} and ${destinationPort}`, e =>
      tcp({ ...e, sourcePort, destinationPort }),
    )
  for (const payload of [0, 1, 1400])
    chapter.both('flow', `TCP, ${payload} bytes`, e => tcp({ ...e, ...ports, payload }), { inSeries: payload > 1 })
  const syn = Buffer.from('020405b40402080a0000000100000000010303070000000000000000000000000000000000000000', 'hex')
  for (let bytes = 0; bytes <= 40; bytes += 4)
    chapter.both(
      'flow',
      `TCP SYN, ${bytes} bytes of options`,
      e => tcp({ ...e, ...ports, flags: 'S', tcpOptionBytes: syn.subarray(0, bytes) }),
      { inSeries: bytes > 0, valid: [0, 4, 8, 20, 40].includes(bytes) },
    )
  for (const [name, option] of [
    ['of length 0', [3, 0, 7, 0]],
    ['longer than the header', [3, 255, 7, 0]],
    ['cut short', [1, 1, 1, 3]],
  ] as const)
    chapter.both(
      'flow',
      `TCP SYN, an option ${name}`,
      e => tcp({ ...e, ...ports, flags: 'S', tcpOptionBytes: Uint8Array.from(option) }),
      { valid: false },
    )
}

function writeUdp(chapter: Chapter): void {
  for (const length of [0, 1, 7, 8, 39, 40, 41, 65_535])
    chapter.both(
      'flow',
      `UDP, length ${length} where 40 are`,
      e => patchedTransport(udp({ ...e, ...ports, payload: 32 }), UDP_LENGTH, length >> 8, length & 255),
      { valid: length === 40, inSeries: true },
    )
  for (const payload of [0, 1, 1400])
    chapter.both('flow', `UDP, ${payload} bytes`, e => udp({ ...e, ...ports, payload }), { inSeries: payload > 1 })
  for (const [sourcePort, destinationPort] of [
    [0, 53],
    [5353, 0],
    [0, 0],
  ] as const)
    chapter.both('flow', `UDP, ports ${sourcePort} and ${destinationPort}`, e =>
      udp({ ...e, sourcePort, destinationPort }),
    )
  chapter.both('flow', 'WireGuard', e =>
    udp({
      ...e,
      sourcePort: WIREGUARD_PORT,
      destinationPort: WIREGUARD_PORT,
      payload: Uint8Array.of(4, 0, 0, 0, 1, 2),
    }),
  )
}

/** IP is whole, and has fewer bytes than the transport's header. */
function writeCutHeaders(chapter: Chapter): void {
  for (const [name, headerBytes] of Object.entries(HEADER_BYTES) as [keyof typeof NUMBER, number][])
    for (let bytes = 0; bytes < headerBytes; bytes++)
      chapter.both(
        'malformed_transport',
        `${name}, ${bytes} bytes of it`,
        e => ip(NUMBER[name], { ...e, payload: new Uint8Array(bytes).fill(0x55) }),
        { inSeries: true },
      )
}

function writeIcmp(chapter: Chapter): void {
  const quoted = (e: Envelope) => packetIn(udp({ from: e.to, to: e.from, ...ports, payload: 20 }))
  for (let type = 0; type < 256; type++)
    chapter.both('flow', `ICMP type ${type}`, e => icmp({ ...e, type, code: 1, identifier: 513, payload: 12 }), {
      inSeries: true,
      valid: [8, 0, 128, 129].includes(type),
    })
  for (let code = 0; code < 16; code++) {
    chapter.v4('flow', `ICMP unreachable, code ${code}`, e => icmp({ ...e, type: 3, code, payload: quoted(e) }))
    chapter.v6('flow', `ICMP unreachable, code ${code}`, e => icmp({ ...e, type: 1, code, payload: quoted(e) }), {
      inSeries: code > 7,
    })
  }
  chapter.v4('flow', 'ICMP time exceeded', e => icmp({ ...e, type: 11, payload: quoted(e) }))
  chapter.v6('flow', 'ICMP packet too big', e => icmp({ ...e, type: 2, payload: quoted(e) }))
  for (let bytes = 0; bytes < 8; bytes++)
    for (const [name, types] of [
      ['echo request', { 4: 8, 6: 128 }],
      ['echo reply', { 4: 0, 6: 129 }],
      ['unreachable', { 4: 3, 6: 1 }],
    ] as const) {
      const packetClass: PacketClass = name === 'unreachable' && bytes >= 4 ? 'flow' : 'malformed_transport'
      const options = { inSeries: true, valid: false }
      const headed = (type: number) => patched(new Uint8Array(8), 0, type).subarray(0, bytes)
      chapter.v4(
        packetClass,
        `ICMP ${name}, ${bytes} bytes of it`,
        e => ip(1, { ...e, payload: headed(types[4]) }),
        options,
      )
      chapter.v6(
        packetClass,
        `ICMP ${name}, ${bytes} bytes of it`,
        e => ip(58, { ...e, payload: headed(types[6]) }),
        options,
      )
    }
  const header = Uint8Array.of(8, 0, 0, 0, 1, 2, 0, 0)
  chapter.v6('flow', 'ICMP of IPv4', e => ip(Protocol.icmp, { ...e, payload: header }), { valid: false })
  chapter.v4('flow', 'ICMP of IPv6', e => ip(Protocol.icmp6, { ...e, payload: header }), { valid: false })
}

/** What is inside is nobody's flow. */
function writeTunnels(chapter: Chapter): void {
  const inner = { from: '172.16.0.1', to: '172.16.0.2', ...ports }
  const inner6 = { from: 'fd99::1', to: 'fd99::2', ...ports }
  for (const [name, frame] of Object.entries({
    'IPv4 TCP': tcp({ ...inner, payload: 8 }),
    'IPv6 UDP': udp({ ...inner6, payload: 8 }),
  })) {
    chapter.both('flow', `tunnel of ${name}`, e => ipInIp({ ...e, inner: frame }))
    chapter.both('flow', `GRE with ${name}`, e => greTunnel({ ...e, inner: frame, key: true }))
    chapter.both('flow', `VXLAN with ${name}`, e => vxlan({ ...e, sourcePort: 49_152, inner: frame }))
    chapter.both('flow', `Geneve with ${name}`, e => geneve({ ...e, sourcePort: 49_153, inner: frame, optionBytes: 8 }))
  }
  chapter.v4('flow', 'VXLAN with a cut frame', e => vxlan({ ...e, sourcePort: 49_154, inner: cut(tcp(inner), 10) }), {
    valid: false,
  })
}
