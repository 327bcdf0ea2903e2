// The columns of one drain, name by name. Row i of every column of a table is the same flow or interface.
// Arrays belong to the receiver. Counts are exact up to 2^53.

/** Flows whose counters moved since the last drain, and flows that ended. */
export interface FlowColumns {
  readonly length: number
  /** Index of the flow's slot, 0 to the flow limit. A slot is used again by later flows. */
  readonly slot: Uint32Array
  /** Together with the slot the flow's name: it differs for each flow that uses the slot. */
  readonly generation: Uint32Array
  /** Increase since the last drain, packets on the wire that the pod sent. */
  readonly fromPodPackets: Float64Array
  /** Increase in bytes on the wire, from the Ethernet header on, without FCS. */
  readonly fromPodBytes: Float64Array
  readonly toPodPackets: Float64Array
  readonly toPodBytes: Float64Array
  /** TCP handshakes completed since the last drain. */
  readonly opened: Uint32Array
  /** 1 when the flow was retired: this is its last row. */
  readonly ended: Uint8Array
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

/** One row per attached interface: cumulative since attaching, all from one snapshot. */
export interface InterfaceColumns {
  readonly length: number
  readonly interfaceSlot: Uint16Array
  /** 1 when the interface was detached: this is its last row, and the slot may be given to another. */
  readonly ended: Uint8Array
  /** 1 when the device counters below were read now; 0 when they are the last reading of a device that is gone. */
  readonly devicePresent: Uint8Array
  readonly fromPod: DirectionColumns
  readonly toPod: DirectionColumns
}

/** As the pod sees it: `fromPod` is transmit, `toPod` is receive. */
export interface DirectionColumns {
  /** Kernel buffers that we saw, and their bytes: what a device counter shows. */
  readonly skbs: Float64Array
  readonly skbBytes: Float64Array
  /** Packets and bytes on the wire. seen = flow (the sum of the flows' rows) + other + overflow + filtered. */
  readonly seenPackets: Float64Array
  readonly seenBytes: Float64Array
  readonly otherPackets: Float64Array
  readonly otherBytes: Float64Array
  readonly overflowPackets: Float64Array
  readonly overflowBytes: Float64Array
  readonly filteredPackets: Float64Array
  readonly filteredBytes: Float64Array
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
}

export interface FlowBatch {
  /** 1, 2, 3, … */
  readonly sequence: number
  /** Wall clock of the reading, ms since 1970. */
  readonly readAtMs: number
  readonly flows: FlowColumns
  readonly started: StartedColumns
  readonly interfaces: InterfaceColumns
  /** Slots in use after the drain. */
  readonly liveFlows: number
  readonly faults: CaptureFaults
}

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

export const FlowFlag = { fragment: 1, collapsed: 2 } as const
