// How many packets of the wire a super-packet is, and with how many bytes: each has a copy of all headers.
import type { Circumstances, Dissected, Expected } from './packet-model.ts'

const TAG_BYTES = 4
/** `gso_size` of an skb whose packets are listed (include/linux/skbuff.h). */
const BY_FRAGMENTS = 0xffff
const TCP = 6
const UDP = 17
const SCTP = 132
const GRE = 47
const INNER_PACKET: Readonly<Record<number, number>> = { 4: 0x0800, 41: 0x86dd }
const TRANSPARENT_BRIDGING = 0x6558
const VXLAN_PORTS = [4789, 8472]
const GENEVE_PORT = 6081
const GRE_OPTIONAL_FIELDS = [0x8000, 0x2000, 0x1000]

interface Place {
  readonly type: number
  readonly at: number
}

export function segmentsOf(
  frame: Uint8Array,
  { flow, headersEnd, unsentBytes }: Dissected,
  { gsoSize = 0, gsoSegs = 0, metadataTag = false }: Circumstances,
): Pick<Expected, 'class' | 'packets' | 'bytes'> {
  const tagBytes = metadataTag ? TAG_BYTES : 0
  const wire = (packets: number, headerBytes: number) => ({
    packets,
    bytes: packets * (headerBytes + tagBytes - unsentBytes) + frame.length - headerBytes,
  })
  const bySize = (headerBytes: number) => Math.max(1, Math.ceil((frame.length - headerBytes) / gsoSize))
  const known = (packets: number, headerBytes: number) => ({ class: 'flow' as const, ...wire(packets, headerBytes) })
  const listed = Math.max(1, gsoSegs)
  const guess = { class: 'gso_guess' as const, ...wire(listed, headersEnd) }

  if (gsoSize === 0) return known(1, headersEnd)
  if (flow.protocol === TCP) return known(bySize(headersEnd), headersEnd)
  if (gsoSize === BY_FRAGMENTS) return flow.protocol === SCTP ? known(listed, headersEnd) : guess
  const tunnel = tunnelled(frame, headersEnd, flow.protocol, flow.destinationPort)
  if (tunnel) {
    const inside = innerHeadersEnd(frame, tunnel)
    return inside === undefined ? guess : known(bySize(inside), inside)
  }
  if (flow.protocol !== UDP) return guess
  // The kernel's own number speaks against datagrams of this size: a tunnel on a port that nobody knows.
  if (gsoSegs > 0 && frame.length > headersEnd && bySize(headersEnd) !== gsoSegs) return guess
  return known(bySize(headersEnd), headersEnd)
}

/** `at` -1: a tunnel whose header can't be read; undefined: no tunnel. */
function tunnelled(frame: Uint8Array, at: number, protocol: number, port: number): Place | undefined {
  const inner = INNER_PACKET[protocol]
  if (inner) return { type: inner, at }
  if (protocol === GRE) return gre(frame, at)
  if (protocol !== UDP) return undefined
  if (VXLAN_PORTS.includes(port)) return { type: TRANSPARENT_BRIDGING, at: at + 8 }
  if (port !== GENEVE_PORT) return undefined
  if (at + 4 > frame.length) return { type: 0, at: -1 }
  return { type: u16(frame, at + 2), at: at + 8 + (frame[at]! & 0x3f) * 4 }
}

function gre(frame: Uint8Array, at: number): Place {
  if (at + 4 > frame.length) return { type: 0, at: -1 }
  const flags = u16(frame, at)
  const fields = GRE_OPTIONAL_FIELDS.filter(flag => flags & flag)
  const isKnown = fields.reduce((sum, flag) => sum + flag, 0) === flags
  return isKnown ? { type: u16(frame, at + 2), at: at + 4 + fields.length * 4 } : { type: 0, at: -1 }
}

/** Behind the inner TCP or UDP header; undefined: it can't be read. */
function innerHeadersEnd(frame: Uint8Array, { type, at }: Place): number | undefined {
  if (type === TRANSPARENT_BRIDGING) {
    if (at + 14 > frame.length) return undefined
    return innerHeadersEnd(frame, { type: u16(frame, at + 12) === type ? 0 : u16(frame, at + 12), at: at + 14 })
  }
  if (type === 0x0800 && at + 20 <= frame.length && frame[at]! >> 4 === 4 && (frame[at]! & 15) >= 5)
    return innerTransportEnd(frame, frame[at + 9]!, at + (frame[at]! & 15) * 4)
  if (type === 0x86dd && at + 40 <= frame.length && frame[at]! >> 4 === 6)
    return innerTransportEnd(frame, frame[at + 6]!, at + 40)
  return undefined
}

function innerTransportEnd(frame: Uint8Array, protocol: number, at: number): number | undefined {
  if (protocol === UDP) return at + 8
  if (protocol !== TCP || at + 20 > frame.length || frame[at + 12]! >> 4 < 5) return undefined
  return at + (frame[at + 12]! >> 4) * 4
}

function u16(frame: Uint8Array, at: number): number {
  return (frame[at]! << 8) | frame[at + 1]!
}
