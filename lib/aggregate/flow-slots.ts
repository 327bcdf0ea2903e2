// What is kept of each flow, column by column: index is the kernel's slot.
import type { StartedColumns } from '../capture/flow-batch.ts'
import { ADDRESS_BYTES } from './address-order.ts'
import { Columns } from './columns.ts'
import type { Identity } from './identity.ts'
import type { InterfaceAccount } from './interface-account.ts'
import type { OpenerBasis } from './opener.ts'
import type { ParkedConnection } from './parked-connections.ts'
import { SlotObjects } from './slot-objects.ts'
import { clear, SIDE_BYTES, SlotSide } from './slot-side.ts'

export const SlotState = { free: 0, live: 1, ended: 2, parked: 3 } as const
/** In `edge`: not exported here, the other end's interface reports it. */
export const OTHER_END = -1
/** In `edge`: not exported at all, because it is left out by configuration. */
export const EXCLUDED = -2
export const openerBases: readonly OpenerBasis[] = ['handshake', 'ports', 'service', 'lower_port', 'address']

/** Of all typed columns of a slot. */
const ROW_BYTES = 2 * SIDE_BYTES + 5 * 8 + 5 * 4 + 2 * 2 + 15 + 2 * ADDRESS_BYTES

export class FlowSlots {
  readonly length: number
  readonly state: Uint8Array
  readonly generation: Uint32Array
  readonly edge: Int32Array
  /** 1 when the local end is the client. */
  readonly clientIsLocal: Uint8Array
  /** Index in `openerBases`. */
  readonly basis: Uint8Array
  readonly opener: Uint8Array
  readonly confidence: Uint8Array
  readonly family: Uint8Array
  readonly protocol: Uint8Array
  readonly flags: Uint8Array
  readonly localPort: Uint16Array
  readonly remotePort: Uint16Array
  readonly localAddress: Uint8Array
  readonly remoteAddress: Uint8Array
  readonly named: Uint8Array
  /** How the remote end was found: index in `attributionResults`. */
  readonly foundBy: Uint8Array
  /** As `ZoneTable.crossingFor` has it. */
  readonly crossing: Int32Array
  readonly fromPod: SlotSide
  readonly toPod: SlotSide
  readonly opened: Uint32Array
  readonly startMs: Float64Array
  readonly lastMs: Float64Array
  /** Sequence of the last batch with a row of this flow. */
  readonly changedIn: Uint32Array
  /** `ConnectionState`. */
  readonly connection: Uint8Array
  /** `Failed`, the newest. */
  readonly failed: Uint8Array
  /** Why it failed, as `failureCauses`; 0: nothing is known beside `failed`. */
  readonly cause: Uint8Array
  /** 1: UDP whose first packet the client sent, or an ICMP echo whose request we saw. */
  readonly isRequest: Uint8Array
  /** 1: our own connection, and left out. */
  readonly isOwn: Uint8Array
  /** Seconds, 0: not known. */
  readonly handshakeSeconds: Float64Array
  readonly acceptedSeconds: Float64Array
  /** When the connection or request began, which may be before the flow; 0: not known. */
  readonly beganMs: Float64Array
  readonly account = new SlotObjects<InterfaceAccount>()
  readonly local = new SlotObjects<Identity>()
  readonly remote = new SlotObjects<Identity>()

  constructor(length: number) {
    this.length = length
    const columns = new Columns(length, ROW_BYTES)
    this.fromPod = new SlotSide(columns)
    this.toPod = new SlotSide(columns)
    this.startMs = columns.float64()
    this.lastMs = columns.float64()
    this.handshakeSeconds = columns.float64()
    this.acceptedSeconds = columns.float64()
    this.beganMs = columns.float64()
    this.generation = columns.uint32()
    this.opened = columns.uint32()
    this.changedIn = columns.uint32()
    this.edge = columns.int32()
    this.crossing = columns.int32()
    this.localPort = columns.uint16()
    this.remotePort = columns.uint16()
    this.state = columns.uint8()
    this.clientIsLocal = columns.uint8()
    this.basis = columns.uint8()
    this.opener = columns.uint8()
    this.confidence = columns.uint8()
    this.family = columns.uint8()
    this.protocol = columns.uint8()
    this.flags = columns.uint8()
    this.named = columns.uint8()
    this.foundBy = columns.uint8()
    this.connection = columns.uint8()
    this.failed = columns.uint8()
    this.cause = columns.uint8()
    this.isRequest = columns.uint8()
    this.isOwn = columns.uint8()
    this.localAddress = columns.uint8(ADDRESS_BYTES)
    this.remoteAddress = columns.uint8(ADDRESS_BYTES)
  }

  isLive(slot: number, generation: number): boolean {
    return this.state[slot] === SlotState.live && this.generation[slot] === generation
  }

  /** A new flow, with everything of an earlier one gone but what its names decide. */
  begin(started: StartedColumns, i: number, slot: number): void {
    this.state[slot] = SlotState.live
    this.generation[slot] = started.generation[i]!
    this.opener[slot] = started.opener[i]!
    this.confidence[slot] = started.confidence[i]!
    this.family[slot] = started.family[i]!
    this.protocol[slot] = started.protocol[i]!
    this.flags[slot] = started.flags[i]!
    this.localPort[slot] = started.localPort[i]!
    this.remotePort[slot] = started.remotePort[i]!
    copyAddress(started.localAddress, i, this.localAddress, slot)
    copyAddress(started.remoteAddress, i, this.remoteAddress, slot)
    this.startMs[slot] = started.startMs[i]!
    this.fromPod.clear(slot)
    this.toPod.clear(slot)
    clear(this.opened, slot)
    clear(this.connection, slot)
    clear(this.failed, slot)
    clear(this.cause, slot)
    clear(this.isRequest, slot)
    clear(this.isOwn, slot)
    clear(this.handshakeSeconds, slot)
    clear(this.acceptedSeconds, slot)
    clear(this.beganMs, slot)
    this.local.set(slot, undefined)
  }

  /** A connection that was here before, under another slot: what its first packets said stays true. */
  resume(slot: number, { opener, confidence, opened, beganMs }: ParkedConnection): void {
    this.opener[slot] = opener
    this.confidence[slot] = confidence
    this.opened[slot] = opened
    this.beganMs[slot] = beganMs
  }

  free(slot: number): void {
    this.state[slot] = SlotState.free
    this.account.set(slot, undefined)
    this.local.set(slot, undefined)
    this.remote.set(slot, undefined)
  }
}

function copyAddress(from: Uint8Array, row: number, to: Uint8Array, slot: number): void {
  for (let i = 0; i < ADDRESS_BYTES; i++) to[slot * ADDRESS_BYTES + i] = from[row * ADDRESS_BYTES + i]!
}

/** Whether an edge of ours has the flow: `edge` as in the column. */
export function isExported(edge: number): boolean {
  return edge >= 0
}
