// The columns of one drain, name by name. Row i of every column of a table is the same flow or interface.
// Arrays belong to the receiver. Counts are exact up to 2^53.

/**
 * Flows whose counters or state moved since the last drain, and flows that ended. A slot holds one TCP connection: a new
 * one on the same addresses and ports gets a slot of its own. Increases are those since the last drain.
 */
export interface FlowColumns {
  readonly length: number
  /** Index of the flow's slot, below `slotCount(flowLimit)`. A slot is used again by later flows. */
  readonly slot: Uint32Array
  /** Together with the slot the flow's name: it differs for each flow that uses the slot. */
  readonly generation: Uint32Array
  /** Increase since the last drain, packets on the wire that the pod sent. */
  readonly fromPodPackets: Float64Array
  /** Increase in bytes on the wire, from the Ethernet header on, without FCS. */
  readonly fromPodBytes: Float64Array
  readonly toPodPackets: Float64Array
  readonly toPodBytes: Float64Array
  /** 1 when a TCP handshake was completed since the last drain. */
  readonly opened: Uint8Array
  /** `Failed`: why this connection attempt failed, in the one row that says so. A late answer may still open it. */
  readonly failed: Uint8Array
  /** `Closed`: how the connection or request flow ended, in the one row that says so. */
  readonly closed: Uint8Array
  /** `ConnectionState` at this drain. */
  readonly state: Uint8Array
  /** `Retired`: 0 while the flow goes on, otherwise this is the last row under this slot and generation. */
  readonly ended: Uint8Array
  /** Seconds from the first SYN to the first SYN-ACK, sent again or not; NaN while one of them was not seen. */
  readonly handshakeSeconds: Float64Array
  /** Seconds from the SYN-ACK to the opener's ACK; NaN while one of them was not seen. */
  readonly acceptedSeconds: Float64Array
  /** Wall clock of the end that `state` tells of, ms since 1970; NaN before. */
  readonly endedAtMs: Float64Array
  readonly fromPod: TcpColumns
  readonly toPod: TcpColumns
}

/** Increases, of what the sender in this direction did. */
export interface TcpColumns {
  /** Packets whose data, SYN or FIN we had seen before; not keep-alives and window probes. */
  readonly retransmits: Uint32Array
  /** Packets that filled a gap. */
  readonly outOfOrder: Uint32Array
  readonly duplicateAcks: Uint32Array
  /** Times that the sender closed its window. */
  readonly zeroWindows: Uint32Array
  readonly resets: Uint32Array
  /** Seconds, of the samples that are in `rtt`: this sender's data to its acknowledgment. */
  readonly rttSumSeconds: Float64Array
}

/** Round-trip samples since the last drain, one row per flow, direction and bucket that has some. */
export interface RttColumns {
  readonly length: number
  /** Row in `flows`, in rising order. */
  readonly row: Uint32Array
  /** 0: the pod's data, 1: the data to the pod. */
  readonly direction: Uint8Array
  /** 0 to 15: up to 2^-15 s, up to 2^-14 s, … up to 2^-1 s counted with 0 to 14, longer ones 15. */
  readonly bucket: Uint8Array
  readonly count: Uint32Array
}

/** How TCP connections began: a row when more of it is known than the last row of the same flow said. */
export interface BeginningColumns {
  readonly length: number
  /** Row in `flows`, in rising order. */
  readonly row: Uint32Array
  /** Wall clock of the first SYN, ms since 1970; NaN: not seen. */
  readonly synAtMs: Float64Array
  readonly fromPod: BeginningSide
  readonly toPod: BeginningSide
}

/** Of the sender in this direction. */
export interface BeginningSide {
  /** 1: its SYN or SYN-ACK was seen. */
  readonly hasSequence: Uint8Array
  /** The initial sequence number. */
  readonly sequence: Uint32Array
  /** Wall clock of its first data in order, ms since 1970; NaN: not seen, or the handshake was not. */
  readonly firstDataAtMs: Float64Array
}

/** Flows seen for the first time. A row here has a row in `flows` of the same batch. */
export interface StartedColumns {
  readonly length: number
  readonly slot: Uint32Array
  readonly generation: Uint32Array
  /** 16 bytes a row, IPv4 in the first 4. */
  readonly localAddress: Uint8Array
  readonly remoteAddress: Uint8Array
  /** 4 or 6. */
  readonly family: Uint8Array
  readonly localPort: Uint16Array
  readonly remotePort: Uint16Array
  /** IPPROTO_*. */
  readonly protocol: Uint8Array
  /** `FlowFlag` bits. */
  readonly flags: Uint8Array
  readonly interfaceSlot: Uint16Array
  /** `Opener`: who opened the flow as far as packets tell. */
  readonly opener: Uint8Array
  /** `Confidence` in `opener`. */
  readonly confidence: Uint8Array
  /** Wall clock, ms since 1970. */
  readonly startMs: Float64Array
}

/** A row per attached interface but those at rest, of which all was told before: cumulative since attaching, all from one snapshot. */
export interface InterfaceColumns {
  readonly length: number
  readonly interfaceSlot: Uint16Array
  /** 1 when the interface was detached: this is its last row, and the slot may be given to another. */
  readonly ended: Uint8Array
  /** 1 when the device is there, and its counters were read now; 0 when they are the last reading of a device that is gone. */
  readonly devicePresent: Uint8Array
  /** Bits of `InterfaceCondition`, 0: all is well. */
  readonly condition: Uint8Array
  readonly fromPod: DirectionColumns
  readonly toPod: DirectionColumns
}

/** As the pod sees it: `fromPod` is transmit, `toPod` is receive. */
export interface DirectionColumns {
  /** Kernel buffers that we saw, and their bytes: what a device counter shows. */
  readonly skbs: Float64Array
  readonly skbBytes: Float64Array
  /** Packets and bytes on the wire. seen = flow and collapsed (the sum of the flows' rows) + other + overflow + filtered. */
  readonly seenPackets: Float64Array
  readonly seenBytes: Float64Array
  readonly otherPackets: Float64Array
  readonly otherBytes: Float64Array
  readonly overflowPackets: Float64Array
  readonly overflowBytes: Float64Array
  readonly filteredPackets: Float64Array
  readonly filteredBytes: Float64Array
  /** `PACKET_CLASSES` values a row, in the order of `packetClasses`. Those of `other` add up to it, the rest is in flows. */
  readonly classPackets: Float64Array
  readonly classBytes: Float64Array
  /** The pod end's own packet counter, since the device exists. */
  readonly devicePackets: Float64Array
  /** Counted by a second counter of the kernel after we saw them and never by the device: `tx_dropped`, qdisc drops. Since attaching. */
  readonly overseenSkbs: Float64Array
  /** Counted by the device and, as a second counter shows, not passed to us: the reading at attach and proven bypasses. */
  readonly unobservedSkbs: Float64Array
}

/** What the kernel side could not do, since loading. All are 0 on a healthy node. */
export interface CaptureFaults {
  /** skbs whose dispatcher could not reach the counting program. */
  readonly tailCallFailed: number
  /** Flows sent to overflow although a slot was free. */
  readonly indexInsertFailed: number
  /** Slots lost to the stack of free slots. */
  readonly slotPushFailed: number
  /** Connections without a slot of their own: they went on in that of an earlier one on the same ports. */
  readonly connectionsMerged: number
}

/** The kernel's table compared with its own totals, since loading: T1 <= F <= T2 of docs/ledger.md. */
export interface SelfAudit {
  readonly audits: number
  readonly violations: number
  /** Of the newest violation, empty while there is none: which interface and what did not fit. */
  readonly newest: string
}

export interface FlowBatch {
  /** 1, 2, 3, … */
  readonly sequence: number
  /** Wall clock of the reading, ms since 1970. */
  readonly readAtMs: number
  readonly flows: FlowColumns
  readonly rtt: RttColumns
  readonly beginnings: BeginningColumns
  readonly started: StartedColumns
  readonly interfaces: InterfaceColumns
  /** Slots in use after the drain. */
  readonly liveFlows: number
  /** Of those, the ones without their ephemeral port. */
  readonly collapsedFlows: number
  readonly faults: CaptureFaults
  readonly audit: SelfAudit
}

/** A TCP connection's; `none` for collapsed flows and for other protocols. */
export const ConnectionState = {
  none: 0,
  /** A SYN without its answer, or an answer without its ACK. */
  connecting: 1,
  established: 2,
  /** Met in the middle: whether it was opened by whom is not known. */
  midstream: 3,
  /** One side has sent its FIN. */
  closing: 4,
  closed: 5,
  resetByLocal: 6,
  resetByRemote: 7,
  refused: 8,
  timeout: 9,
  unreachable: 10,
  /** RST before it was established, and not to the SYN. */
  resetEarly: 11,
} as const

/** What keeps an attached interface from being observed wholly. */
export const InterfaceCondition = {
  /** Somebody took our programs off it. */
  removed: 1,
  /** Packets reach the pod past it. */
  bypassed: 2,
} as const

export const Failed = { none: 0, refused: 1, timeout: 2, unreachable: 3, reset: 4 } as const
export const Closed = { none: 0, fin: 1, resetByLocal: 2, resetByRemote: 3, idle: 4 } as const
/** `parked`: a TCP connection that was not closed, only idle when slots were scarce. It may come back (`Confidence.resumed`). */
export const Retired = { no: 0, yes: 1, parked: 2 } as const

/** `podweir.packet.class`. The first five are `other`: in no flow. */
export const packetClasses = [
  'arp',
  'not_ip',
  'malformed_short',
  'malformed_header',
  'malformed_transport',
  'fragment',
  'gso_guess',
  'flow',
] as const
export const PACKET_CLASSES = packetClasses.length
export const OTHER_CLASSES = 5

export const Opener = { unknown: 0, local: 1, remote: 2 } as const

/** How sure `opener` is. */
export const Confidence = {
  /** The opener is the sender of the first packet that we saw: a flow met in the middle may be the other way round. */
  firstPacket: 0,
  /** A SYN, SYN-ACK or ICMP echo request was seen. */
  handshake: 1,
  /** The flow was here before and was retired while idle: never counted as opened again. */
  resumed: 2,
} as const

/** `icmpType`: ICMP other than echo, whose two ports are type * 256 + code. */
export const FlowFlag = { fragment: 1, collapsed: 2, icmpType: 4 } as const

/** Slots of a flow limit: one a flow, and an eighth more for collapsed flows, at least 16. */
export function slotCount(flowLimit: number): number {
  return flowLimit + Math.max(16, Math.floor(flowLimit / 8))
}
