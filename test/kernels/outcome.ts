// What a packet must be counted as, read from its bytes a second time, by the RFCs and not by the kernel program.
import { FlowFlag } from '../../lib/capture/flow-batch.ts'
import { Protocol, Tag } from '../support/packet.ts'

/** Counts of a corpus packet: in a flow, or not. */
export const PacketClass = { flow: 0, other: 1 } as const

export interface Flow {
  readonly family: 4 | 6
  readonly protocol: number
  readonly flags: number
  readonly sourcePort: number
  readonly destinationPort: number
  readonly source: Uint8Array
  readonly destination: Uint8Array
}

export interface Outcome {
  readonly packetClass: number
  readonly packets: number
  readonly bytes: number
  /** Only where the class is `flow`. */
  readonly flow?: Flow
}

export interface Gso {
  readonly size: number
  readonly segments: number
}

const ETHERNET_BYTES = 14
const TAG_BYTES = 4
const MOST_TAGS = 2
const MOST_EXTENSIONS = 4
const EtherType = { ipv4: 0x0800, ipv6: 0x86dd }
const Extension = { hopByHop: 0, routing: 43, fragment: 44, authentication: 51, destination: 60 }
const ECHOES: Record<number, number[]> = { [Protocol.icmp]: [0, 8], [Protocol.icmp6]: [128, 129] }

interface Parsed {
  readonly flow: Flow
  /** From the Ethernet header up to the payload. */
  readonly headerBytes: number
}

/** `tagTaken`: a tag that is the packet's first does not come with the packet, but beside it. */
export function outcomeOf(packet: Uint8Array, gso: Gso | undefined, tagTaken: boolean): Outcome {
  const parsed = parse(Buffer.from(packet), tagTaken ? MOST_TAGS + 1 : MOST_TAGS)
  if (!parsed) return { packetClass: PacketClass.other, packets: 1, bytes: packet.length }
  const packets = gso ? Math.max(1, Math.ceil((packet.length - parsed.headerBytes) / gso.size)) : 1
  const bytes = packet.length + (packets - 1) * parsed.headerBytes
  return { packetClass: PacketClass.flow, packets, bytes, flow: parsed.flow }
}

function parse(packet: Buffer, mostTags: number): Parsed | undefined {
  let at = ETHERNET_BYTES
  let type = packet.readUInt16BE(12)
  for (let tags = 0; tags < mostTags && (type === Tag.customer || type === Tag.service); tags++) {
    if (packet.length < at + TAG_BYTES) return undefined
    type = packet.readUInt16BE(at + 2)
    at += TAG_BYTES
  }
  if (type === EtherType.ipv4) return parseIpv4(packet, at)
  return type === EtherType.ipv6 ? parseIpv6(packet, at) : undefined
}

function parseIpv4(packet: Buffer, at: number): Parsed | undefined {
  if (packet.length < at + 20 || packet[at]! >> 4 !== 4 || (packet[at]! & 15) < 5) return undefined
  const isLaterFragment = (packet.readUInt16BE(at + 6) & 0x1fff) !== 0
  const addresses = { source: padded(packet, at + 12), destination: padded(packet, at + 16) }
  return parseTransport(packet, at + (packet[at]! & 15) * 4, 4, packet[at + 9]!, isLaterFragment, addresses)
}

function parseIpv6(packet: Buffer, ip: number): Parsed | undefined {
  if (packet.length < ip + 40 || packet[ip]! >> 4 !== 6) return undefined
  let at = ip + 40
  let protocol = packet[ip + 6]!
  let isLaterFragment = false
  for (let i = 0; i < MOST_EXTENSIONS && !isLaterFragment; i++) {
    if (!Object.values(Extension).includes(protocol)) break
    if (packet.length < at + 4) return undefined
    isLaterFragment = protocol === Extension.fragment && (packet.readUInt16BE(at + 2) & 0xfff8) !== 0
    const next = packet[at]!
    at += extensionBytes(protocol, packet[at + 1]!)
    protocol = next
  }
  const addresses = { source: packet.subarray(ip + 8, ip + 24), destination: packet.subarray(ip + 24, ip + 40) }
  return parseTransport(packet, at, 6, protocol, isLaterFragment, addresses)
}

function extensionBytes(protocol: number, length: number): number {
  if (protocol === Extension.fragment) return 8
  return protocol === Extension.authentication ? (length + 2) * 4 : (length + 1) * 8
}

function parseTransport(
  packet: Buffer,
  at: number,
  family: 4 | 6,
  protocol: number,
  isLaterFragment: boolean,
  addresses: { source: Uint8Array; destination: Uint8Array },
): Parsed | undefined {
  const flags = isLaterFragment ? FlowFlag.fragment : 0
  const parsed = (sourcePort: number, destinationPort: number, bytes: number) => ({
    flow: { family, protocol, flags, sourcePort, destinationPort, ...addresses },
    headerBytes: at + bytes,
  })
  if (isLaterFragment) return parsed(0, 0, 0)
  if (protocol === Protocol.tcp) {
    if (packet.length < at + 20 || packet[at + 12]! >> 4 < 5) return undefined
    return parsed(packet.readUInt16BE(at), packet.readUInt16BE(at + 2), (packet[at + 12]! >> 4) * 4)
  }
  if (protocol === Protocol.udp) {
    if (packet.length < at + 8) return undefined
    return parsed(packet.readUInt16BE(at), packet.readUInt16BE(at + 2), 8)
  }
  // An error message is no echo, and one that ends before the identifier neither.
  const isEcho = packet.length >= at + 8 && ECHOES[protocol]?.includes(packet[at]!)
  const identifier = isEcho ? packet.readUInt16BE(at + 4) : 0
  return parsed(identifier, identifier, 0)
}

/** An IPv4 address in the first four of sixteen bytes. */
function padded(packet: Buffer, at: number): Uint8Array {
  const address = new Uint8Array(16)
  address.set(packet.subarray(at, at + 4))
  return address
}
