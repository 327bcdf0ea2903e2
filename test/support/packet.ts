// Builds packets byte by byte, from the Ethernet header on. Checksums stay 0: nothing that counts looks at them.
import { parseAddress } from '../../lib/capture/address.ts'

export const Protocol = {
  icmp: 1,
  igmp: 2,
  ipv4: 4,
  tcp: 6,
  udp: 17,
  dccp: 33,
  ipv6: 41,
  gre: 47,
  esp: 50,
  authentication: 51,
  icmp6: 58,
  nothing: 59,
  sctp: 132,
  udpLite: 136,
} as const

export const EtherType = {
  ipv4: 0x0800,
  arp: 0x0806,
  rarp: 0x8035,
  bridged: 0x6558,
  ipv6: 0x86dd,
  mpls: 0x8847,
  pppoe: 0x8864,
  lldp: 0x88cc,
} as const

/** EtherTypes of tags: 802.1Q and 802.1ad. */
export const Tag = { customer: 0x8100, service: 0x88a8 } as const

export type ExtensionKind = 'hopByHop' | 'routing' | 'destination' | 'authentication'

export interface Extension {
  readonly kind: ExtensionKind
  /** With its first 8 bytes: a multiple of 8, of 4 for `authentication`. */
  readonly bytes?: number
}

export interface Fragment {
  /** In bytes, a multiple of 8. */
  readonly offset: number
  readonly more: boolean
}

/** What every packet may have. IPv6 when `from` is an IPv6 address. */
export interface Envelope {
  readonly from: string
  readonly to: string
  /** EtherTypes of the tags in the packet, the outermost first. */
  readonly tags?: readonly number[]
  /** IPv4: a multiple of 4, up to 40. */
  readonly optionBytes?: number
  /** IPv6: between its header and the fragment header, in order. */
  readonly extensions?: readonly Extension[]
  readonly fragment?: Fragment
  readonly payload?: number | Uint8Array
}

export interface Ports {
  readonly sourcePort: number
  readonly destinationPort: number
}

export interface TcpOptions extends Envelope, Ports {
  /** Any of F, S, R, P, A, U, E (ECE), C (CWR), or all eight bits. */
  readonly flags?: string | number
  readonly sequence?: number
  readonly acknowledgment?: number
  /** As the header has it, not scaled. */
  readonly window?: number
  /** A multiple of 4, up to 40: so many zeros, or the options themselves. */
  readonly tcpOptionBytes?: number | Uint8Array
}

export interface IcmpOptions extends Envelope {
  readonly type: number
  readonly code?: number
  readonly identifier?: number
}

const EXTENSION: Record<ExtensionKind, number> = { hopByHop: 0, routing: 43, destination: 60, authentication: 51 }
const FRAGMENT_HEADER = 44
const TCP_FLAG: Record<string, number> = { F: 0x01, S: 0x02, R: 0x04, P: 0x08, A: 0x10, U: 0x20, E: 0x40, C: 0x80 }
const HOP_LIMIT = 64

export function tcp(options: TcpOptions): Uint8Array {
  const { flags = 'A', sequence = 1, acknowledgment = 0, window = 0xffff } = options
  const header = Buffer.concat([Buffer.alloc(20), bytesOf(options.tcpOptionBytes)])
  writePorts(header, options)
  header.writeUInt32BE(sequence, 4)
  header.writeUInt32BE(acknowledgment, 8)
  header[12] = (header.length / 4) << 4
  header[13] = typeof flags === 'number' ? flags : [...flags].reduce((bits, flag) => bits | TCP_FLAG[flag]!, 0)
  header.writeUInt16BE(window, 14)
  return ip(Protocol.tcp, { ...options, payload: Buffer.concat([header, bytesOf(options.payload)]) })
}

export function udp(options: Envelope & Ports): Uint8Array {
  const payload = bytesOf(options.payload)
  const header = Buffer.alloc(8)
  writePorts(header, options)
  header.writeUInt16BE(header.length + payload.length, 4)
  return ip(Protocol.udp, { ...options, payload: Buffer.concat([header, payload]) })
}

/** ICMP or ICMPv6, 8 bytes and the payload. */
export function icmp(options: IcmpOptions): Uint8Array {
  const header = Buffer.alloc(8)
  header[0] = options.type
  header[1] = options.code ?? 0
  header.writeUInt16BE(options.identifier ?? 0, 4)
  const protocol = isIPv6(options) ? Protocol.icmp6 : Protocol.icmp
  return ip(protocol, { ...options, payload: Buffer.concat([header, bytesOf(options.payload)]) })
}

/** An IP packet whose payload is all that follows the IP headers. */
export function ip(protocol: number, envelope: Envelope): Uint8Array {
  return isIPv6(envelope) ? ipv6(protocol, envelope) : ipv4(protocol, envelope)
}

export function arp(tags: readonly number[] = []): Uint8Array {
  return ethernet(EtherType.arp, tags, Buffer.from('00010800060400010277000000010a4d00010000000000000a4d0002', 'hex'))
}

export function ethernet(type: number, tags: readonly number[], payload: Uint8Array): Uint8Array {
  const types = [...tags, type]
  const header = Buffer.alloc(12 + 2 * types.length + 2 * tags.length)
  header.set([0x02, 0x77, 0, 0, 0, 2, 0x02, 0x77, 0, 0, 0, 1])
  types.forEach((value, i) => {
    header.writeUInt16BE(value, 12 + 4 * i)
  })
  tags.forEach((_, i) => {
    header.writeUInt16BE(i + 2, 14 + 4 * i)
  })
  return Buffer.concat([header, payload])
}

/** The same with other bytes from `offset` on. */
export function patched(packet: Uint8Array, offset: number, ...bytes: readonly number[]): Uint8Array {
  const changed = new Uint8Array(packet)
  changed.set(bytes, offset)
  return changed
}

/** With zeros behind it up to `bytes`, as Ethernet fills frames up to 60. */
export function padded(packet: Uint8Array, bytes = 60): Uint8Array {
  const longer = new Uint8Array(Math.max(bytes, packet.length))
  longer.set(packet)
  return longer
}

/** The first `bytes` bytes, as a capture or a bad link leaves them. */
export function cut(packet: Uint8Array, bytes: number): Uint8Array {
  return packet.slice(0, bytes)
}

function ipv4(protocol: number, envelope: Envelope): Uint8Array {
  const payload = bytesOf(envelope.payload)
  const header = Buffer.alloc(20 + (envelope.optionBytes ?? 0))
  header[0] = 0x40 | (header.length / 4)
  header.writeUInt16BE(header.length + payload.length, 2)
  if (envelope.fragment) header.writeUInt16BE((envelope.fragment.more ? 0x2000 : 0) | (envelope.fragment.offset / 8), 6)
  header[8] = HOP_LIMIT
  header[9] = protocol
  header.set(address(envelope.from), 12)
  header.set(address(envelope.to), 16)
  return ethernet(EtherType.ipv4, envelope.tags ?? [], Buffer.concat([header, payload]))
}

function ipv6(protocol: number, envelope: Envelope): Uint8Array {
  const chain = (envelope.extensions ?? []).map(extension => ({
    type: EXTENSION[extension.kind],
    bytes: extensionHeader(extension),
  }))
  if (envelope.fragment) chain.push({ type: FRAGMENT_HEADER, bytes: fragmentHeader(envelope.fragment) })
  chain.forEach(({ bytes }, i) => {
    bytes[0] = chain[i + 1]?.type ?? protocol
  })
  const rest = Buffer.concat([...chain.map(({ bytes }) => bytes), bytesOf(envelope.payload)])
  const header = Buffer.alloc(40)
  header[0] = 0x60
  header.writeUInt16BE(rest.length, 4)
  header[6] = chain[0]?.type ?? protocol
  header[7] = HOP_LIMIT
  header.set(address(envelope.from), 8)
  header.set(address(envelope.to), 24)
  return ethernet(EtherType.ipv6, envelope.tags ?? [], Buffer.concat([header, rest]))
}

function extensionHeader({ kind, bytes = 8 }: Extension): Buffer {
  const header = Buffer.alloc(bytes)
  header[1] = kind === 'authentication' ? bytes / 4 - 2 : bytes / 8 - 1
  return header
}

function fragmentHeader({ offset, more }: Fragment): Buffer {
  const header = Buffer.alloc(8)
  header.writeUInt16BE(offset | (more ? 1 : 0), 2)
  return header
}

export function writePorts(header: Buffer, ports: Ports): void {
  header.writeUInt16BE(ports.sourcePort, 0)
  header.writeUInt16BE(ports.destinationPort, 2)
}

export function bytesOf(payload: number | Uint8Array = 0): Uint8Array {
  return typeof payload === 'number' ? new Uint8Array(payload) : payload
}

export function isIPv6({ from }: Envelope): boolean {
  return from.includes(':')
}

function address(text: string): Uint8Array {
  const bytes = parseAddress(text)
  if (!bytes) throw new Error(`${text} is no address`)
  return bytes
}
