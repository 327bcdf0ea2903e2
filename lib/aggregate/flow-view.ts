// One flow as a reader sees it: a copy, made only for readers that ask.
import { formatAddress } from '../capture/address.ts'
import { ConnectionState, FlowFlag } from '../capture/flow-batch.ts'
import { ADDRESS_BYTES } from './address-order.ts'
import { causeOf, type FailureCause } from './failure-cause.ts'
import { type FlowSlots, isExported, openerBases } from './flow-slots.ts'
import type { Identity } from './identity.ts'
import type { OpenerBasis, Side } from './opener.ts'
import type { SlotSide } from './slot-side.ts'
import { transportOf } from './transport.ts'

export interface FlowView {
  readonly slot: number
  /** Together with the slot the flow's name. */
  readonly generation: number
  readonly interfaceSlot: number
  /** The interface's name inside the pod, absent while nobody knows whose it is. */
  readonly device?: string
  readonly local: Identity
  readonly remote: Identity
  readonly localAddress: string
  readonly remoteAddress: string
  readonly localPort: number
  readonly remotePort: number
  readonly family: number
  /** IPPROTO_*. */
  readonly protocol: number
  /** Bits of `FlowFlag`. */
  readonly flags: number
  readonly transport: string
  readonly client: Side
  readonly clientBasis: OpenerBasis
  /** `Confidence`: what the packets themselves said. */
  readonly confidence: number
  /** False when the flow is counted as `otherEnd`: the remote pod's own interface reports it; or as `excluded`. */
  readonly exported: boolean
  readonly fromPodPackets: number
  readonly fromPodBytes: number
  readonly toPodPackets: number
  readonly toPodBytes: number
  readonly opened: number
  /** `Failed`: why the newest attempt failed; also that of a datagram. */
  readonly failed: number
  /** Why it failed, beside what its packets show; absent: not known. */
  readonly cause?: FailureCause
  /** Its higher port was left out: it may be many flows, and says nothing of TCP. */
  readonly collapsed: boolean
  readonly startMs: number
  /** Time of the last drain in which it moved. */
  readonly lastMs: number
  /** `parked`: over for the kernel, and not for those who talk. */
  readonly life: 'live' | 'ended' | 'parked'
  /** Of a TCP connection alone. */
  readonly tcp?: TcpView
}

export interface TcpView {
  /** `ConnectionState`. */
  readonly state: number
  /** From the first SYN to the first SYN-ACK; absent: not seen. */
  readonly handshakeSeconds?: number
  /** From the SYN-ACK to the opener's ACK. */
  readonly acceptedSeconds?: number
  readonly fromPod: TcpSideView
  readonly toPod: TcpSideView
}

/** What one sender did; times are to the acknowledgment of its data. */
export interface TcpSideView {
  readonly retransmits: number
  readonly outOfOrder: number
  readonly duplicateAcks: number
  readonly zeroWindows: number
  readonly resets: number
  readonly rttSamples: number
  readonly rttSumSeconds: number
}

/** By `SlotState`; what is free is not shown. */
const lives = ['ended', 'live', 'ended', 'parked'] as const

export function viewFlow(slots: FlowSlots, slot: number): FlowView {
  const account = slots.account.of(slot)
  const protocol = slots.protocol[slot]!
  const family = slots.family[slot]!
  const device = account.owner?.device ?? account.attachment?.device
  const cause = causeOf(slots.cause[slot]!)
  return {
    slot,
    generation: slots.generation[slot]!,
    interfaceSlot: account.interfaceSlot,
    ...(device !== undefined && { device }),
    local: slots.local.of(slot),
    remote: slots.remote.of(slot),
    localAddress: formatAddress(slots.localAddress, slot * ADDRESS_BYTES, family),
    remoteAddress: formatAddress(slots.remoteAddress, slot * ADDRESS_BYTES, family),
    localPort: slots.localPort[slot]!,
    remotePort: slots.remotePort[slot]!,
    family,
    protocol,
    flags: slots.flags[slot]!,
    transport: transportOf(protocol),
    client: slots.clientIsLocal[slot] === 1 ? 'local' : 'remote',
    clientBasis: openerBases[slots.basis[slot]!]!,
    confidence: slots.confidence[slot]!,
    exported: isExported(slots.edge[slot]!),
    fromPodPackets: slots.fromPod.packets[slot]!,
    fromPodBytes: slots.fromPod.bytes[slot]!,
    toPodPackets: slots.toPod.packets[slot]!,
    toPodBytes: slots.toPod.bytes[slot]!,
    opened: slots.opened[slot]!,
    failed: slots.failed[slot]!,
    ...(cause !== undefined && { cause }),
    collapsed: (slots.flags[slot]! & FlowFlag.collapsed) !== 0,
    startMs: slots.startMs[slot]!,
    lastMs: slots.lastMs[slot]!,
    life: lives[slots.state[slot]!] ?? 'ended',
    ...(slots.connection[slot] !== ConnectionState.none && { tcp: viewTcp(slots, slot) }),
  }
}

function viewTcp(slots: FlowSlots, slot: number): TcpView {
  const handshakeSeconds = slots.handshakeSeconds[slot]!
  const acceptedSeconds = slots.acceptedSeconds[slot]!
  return {
    state: slots.connection[slot]!,
    ...(handshakeSeconds > 0 && { handshakeSeconds }),
    ...(acceptedSeconds > 0 && { acceptedSeconds }),
    fromPod: viewSide(slots.fromPod, slot),
    toPod: viewSide(slots.toPod, slot),
  }
}

function viewSide(side: SlotSide, slot: number): TcpSideView {
  return {
    retransmits: side.retransmits[slot]!,
    outOfOrder: side.outOfOrder[slot]!,
    duplicateAcks: side.duplicateAcks[slot]!,
    zeroWindows: side.zeroWindows[slot]!,
    resets: side.resets[slot]!,
    rttSamples: side.rttSamples[slot]!,
    rttSumSeconds: side.rttSumSeconds[slot]!,
  }
}
