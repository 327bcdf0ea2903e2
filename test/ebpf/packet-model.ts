// What a packet is and counts as, read from the RFCs once more and in another way than the kernel programs read it: the
// judge of every built, mutated and random packet. Where an RFC leaves a choice, docs/classes.md has ours.
import type { packetClasses } from '../../lib/capture/flow-batch.ts'
import { segmentsOf } from './segment-model.ts'

export type PacketClass = (typeof packetClasses)[number]

/** What is not in a packet's bytes. */
export interface Circumstances {
  /** Of a super-packet. */
  readonly gsoSize?: number
  readonly gsoSegs?: number
  /** A tag that the kernel took off and remembers. */
  readonly metadataTag?: boolean
}

/** As the header has it; addresses in hexadecimal. */
export interface FlowName {
  readonly family: 4 | 6
  readonly source: string
  readonly destination: string
  readonly sourcePort: number
  readonly destinationPort: number
  readonly protocol: number
  readonly flags: number
}

export interface Expected {
  readonly class: PacketClass
  /** Absent: it is in no flow. */
  readonly flow?: FlowName
  /** On the wire. */
  readonly packets: number
  readonly bytes: number
}

/** What the headers up to the transport's say. */
export interface Dissected {
  readonly flow: FlowName
  readonly isLaterFragment: boolean
  /** Behind the headers that were read. */
  readonly headersEnd: number
  /** A header that only the kernel's own super-packets have, and none of their packets. */
  readonly unsentBytes: number
}

const IP_TYPE = { 2048: 4, 34525: 6 } as Readonly<Record<number, 4 | 6>>
const ARP = 0x0806
const TAG_TYPES = [0x8100, 0x88a8]
const TAG_BYTES = 4
const TAGS_READ = 2
const EXTENSIONS_READ = 8
const HOP_BY_HOP = 0
const FRAGMENT_HEADER = 44
const AUTHENTICATION = 51
/** Hop-by-hop, routing, fragment, destination options: RFC 8200; authentication: RFC 4302. */
const EXTENSIONS = [HOP_BY_HOP, 43, FRAGMENT_HEADER, 60, AUTHENTICATION]
/** Of the protocols that begin with two ports: TCP, UDP, DCCP, SCTP, UDP-Lite. */
const TRANSPORT_BYTES: Readonly<Record<number, number>> = { 6: 20, 17: 8, 33: 12, 132: 12, 136: 8 }
const TCP = 6
const ICMP = { 4: 1, 6: 58 }
const ECHO = { 4: [8, 0], 6: [128, 129] }
const FLAG_FRAGMENT = 1
const FLAG_ICMP_TYPE = 4

/** Thrown where the reading ends. */
class Refused extends Error {
  readonly class: PacketClass

  constructor(packetClass: PacketClass) {
    super(packetClass)
    this.class = packetClass
  }
}

/** A part of the frame; reading outside of it is refused as `cut`. */
class Part {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  readonly #cut: PacketClass

  constructor(bytes: Uint8Array, start: number, end: number, cut: PacketClass) {
    this.bytes = bytes
    this.start = start
    this.end = end
    this.#cut = cut
  }

  demand(length: number): void {
    if (this.start + length > this.end) throw new Refused(this.#cut)
  }

  u8(at: number): number {
    this.demand(at + 1)
    return this.bytes[this.start + at]!
  }

  u16(at: number): number {
    return (this.u8(at) << 8) | this.u8(at + 1)
  }

  hex(at: number, length: number): string {
    this.demand(at + length)
    return Buffer.from(this.bytes.subarray(this.start + at, this.start + at + length)).toString('hex')
  }

  from(at: number, end = this.end, cut = this.#cut): Part {
    return new Part(this.bytes, this.start + at, end, cut)
  }
}

interface Internet {
  readonly source: string
  readonly destination: string
  readonly protocol: number
  readonly payload: Part
  readonly isLaterFragment: boolean
  readonly unsentBytes: number
}

export function expectedOf(frame: Uint8Array, circumstances: Circumstances = {}): Expected {
  const bytes = frame.length + (circumstances.metadataTag ? TAG_BYTES : 0)
  try {
    const dissected = dissect(frame, (circumstances.gsoSize ?? 0) > 0)
    const { flow } = dissected
    if (dissected.isLaterFragment) return { class: 'fragment', flow, packets: 1, bytes }
    return { flow, ...segmentsOf(frame, dissected, circumstances) }
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    return { class: error.class, packets: 1, bytes }
  }
}

function dissect(frame: Uint8Array, isSuperPacket: boolean): Dissected {
  const { family, packet } = ethernet(new Part(frame, 0, frame.length, 'malformed_short'))
  const { payload, isLaterFragment, unsentBytes, ...rest } =
    family === 4 ? ipv4(packet, isSuperPacket) : ipv6(packet, isSuperPacket)
  const named = isLaterFragment
    ? { flags: FLAG_FRAGMENT, ...NO_PORTS, headerBytes: 0 }
    : transport(family, rest.protocol, payload)
  const { headerBytes, ...ports } = named
  return { flow: { family, ...rest, ...ports }, isLaterFragment, unsentBytes, headersEnd: payload.start + headerBytes }
}

function ethernet(frame: Part): { family: 4 | 6; packet: Part } {
  frame.demand(14)
  let type = frame.u16(12)
  let headerBytes = 14
  for (let tags = 0; TAG_TYPES.includes(type); tags++) {
    if (tags === TAGS_READ) throw new Refused('not_ip')
    frame.demand(headerBytes + TAG_BYTES)
    type = frame.u16(headerBytes + 2)
    headerBytes += TAG_BYTES
  }
  if (type === ARP) throw new Refused('arp')
  const family = IP_TYPE[type]
  if (!family) throw new Refused('not_ip')
  return { family, packet: frame.from(headerBytes) }
}

function ipv4(packet: Part, isSuperPacket: boolean): Internet {
  packet.demand(20)
  const headerBytes = (packet.u8(0) & 15) * 4
  const frameBytes = packet.end - packet.start
  const totalBytes = isSuperPacket ? frameBytes : packet.u16(2)
  if (packet.u8(0) >> 4 !== 4 || headerBytes < 20 || totalBytes < headerBytes) throw new Refused('malformed_header')
  packet.demand(totalBytes)
  return {
    source: packet.hex(12, 4),
    destination: packet.hex(16, 4),
    protocol: packet.u8(9),
    payload: packet.from(headerBytes, packet.start + totalBytes),
    isLaterFragment: (packet.u16(6) & 0x1fff) > 0,
    unsentBytes: 0,
  }
}

function ipv6(packet: Part, isSuperPacket: boolean): Internet {
  packet.demand(40)
  if (packet.u8(0) >> 4 !== 6) throw new Refused('malformed_header')
  const frameBytes = packet.end - packet.start
  const isJumbogram = packet.u16(4) === 0 && packet.u8(6) === HOP_BY_HOP
  const bytes = isSuperPacket || isJumbogram ? frameBytes : 40 + packet.u16(4)
  packet.demand(bytes)
  return {
    source: packet.hex(8, 16),
    destination: packet.hex(24, 16),
    unsentBytes: isSuperPacket && isJumbogram ? 8 : 0,
    ...behindExtensions(packet.u8(6), packet.from(40, packet.start + bytes)),
  }
}

function behindExtensions(first: number, rest: Part): Pick<Internet, 'protocol' | 'payload' | 'isLaterFragment'> {
  let protocol = first
  let payload = rest
  for (let i = 0; i < EXTENSIONS_READ && EXTENSIONS.includes(protocol); i++) {
    const lengthField = payload.u8(1)
    const isFragment = protocol === FRAGMENT_HEADER
    const units = protocol === AUTHENTICATION ? (lengthField + 2) / 2 : lengthField + 1
    const headerBytes = isFragment ? 8 : units * 8
    payload.demand(headerBytes)
    const isLaterFragment = isFragment && payload.u16(2) >> 3 > 0
    protocol = payload.u8(0)
    payload = payload.from(headerBytes)
    if (isLaterFragment) return { protocol, payload, isLaterFragment }
  }
  return { protocol, payload, isLaterFragment: false }
}

const NO_PORTS = { sourcePort: 0, destinationPort: 0 }

interface Transport {
  readonly sourcePort: number
  readonly destinationPort: number
  readonly flags: number
  readonly headerBytes: number
}

function transport(family: 4 | 6, protocol: number, payload: Part): Transport {
  const part = payload.from(0, payload.end, 'malformed_transport')
  if (protocol === ICMP[family]) return icmp(family, part)
  const shortest = TRANSPORT_BYTES[protocol]
  if (!shortest) return { ...NO_PORTS, flags: 0, headerBytes: 0 }
  part.demand(shortest)
  const headerBytes = protocol === TCP ? (part.u8(12) >> 4) * 4 : shortest
  if (headerBytes < shortest) throw new Refused('malformed_transport')
  part.demand(headerBytes)
  return { sourcePort: part.u16(0), destinationPort: part.u16(2), flags: 0, headerBytes }
}

function icmp(family: 4 | 6, part: Part): Transport {
  part.demand(4)
  const isEcho = ECHO[family].includes(part.u8(0))
  if (isEcho) part.demand(8)
  const port = isEcho ? part.u16(4) : part.u16(0)
  return { sourcePort: port, destinationPort: port, flags: isEcho ? 0 : FLAG_ICMP_TYPE, headerBytes: isEcho ? 8 : 4 }
}
