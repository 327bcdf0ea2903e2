// One flow as a reader sees it: a copy, made only for readers that ask.
import { formatAddress } from '../capture/address.ts'
import { ADDRESS_BYTES } from './address-order.ts'
import { type FlowSlots, OTHER_END, openerBases, SlotState } from './flow-slots.ts'
import type { Identity } from './identity.ts'
import type { OpenerBasis, Side } from './opener.ts'
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
  readonly transport: string
  readonly client: Side
  readonly clientBasis: OpenerBasis
  /** `Confidence`: what the packets themselves said. */
  readonly confidence: number
  /** False when the flow is counted as `otherEnd`: the remote pod's own interface reports it. */
  readonly exported: boolean
  readonly fromPodPackets: number
  readonly fromPodBytes: number
  readonly toPodPackets: number
  readonly toPodBytes: number
  readonly opened: number
  readonly startMs: number
  /** Time of the last drain in which it moved. */
  readonly lastMs: number
  readonly ended: boolean
}

export function viewFlow(slots: FlowSlots, slot: number): FlowView {
  const account = slots.account[slot]!
  const protocol = slots.protocol[slot]!
  const family = slots.family[slot]!
  const device = account.owner?.device ?? account.attachment?.device
  return {
    slot,
    generation: slots.generation[slot]!,
    interfaceSlot: account.interfaceSlot,
    ...(device !== undefined && { device }),
    local: slots.local[slot]!,
    remote: slots.remote[slot]!,
    localAddress: formatAddress(slots.localAddress, slot * ADDRESS_BYTES, family),
    remoteAddress: formatAddress(slots.remoteAddress, slot * ADDRESS_BYTES, family),
    localPort: slots.localPort[slot]!,
    remotePort: slots.remotePort[slot]!,
    family,
    protocol,
    transport: transportOf(protocol),
    client: slots.clientIsLocal[slot] === 1 ? 'local' : 'remote',
    clientBasis: openerBases[slots.basis[slot]!]!,
    confidence: slots.confidence[slot]!,
    exported: slots.edge[slot] !== OTHER_END,
    fromPodPackets: slots.fromPodPackets[slot]!,
    fromPodBytes: slots.fromPodBytes[slot]!,
    toPodPackets: slots.toPodPackets[slot]!,
    toPodBytes: slots.toPodBytes[slot]!,
    opened: slots.opened[slot]!,
    startMs: slots.startMs[slot]!,
    lastMs: slots.lastMs[slot]!,
    ended: slots.state[slot] === SlotState.ended,
  }
}
