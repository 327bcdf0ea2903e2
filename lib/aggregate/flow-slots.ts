// What is kept of each flow, column by column: index is the kernel's slot.
import { ADDRESS_BYTES } from './address-order.ts'
import type { Identity } from './identity.ts'
import type { InterfaceAccount } from './interface-account.ts'
import type { OpenerBasis } from './opener.ts'

export const SlotState = { free: 0, live: 1, ended: 2 } as const
/** In `edge`: not exported here, the other end's interface reports it. */
export const OTHER_END = -1
export const openerBases: readonly OpenerBasis[] = ['handshake', 'ports', 'service', 'lower_port', 'address']

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
  readonly localPort: Uint16Array
  readonly remotePort: Uint16Array
  readonly localAddress: Uint8Array
  readonly remoteAddress: Uint8Array
  readonly named: Uint8Array
  readonly fromPodPackets: Float64Array
  readonly fromPodBytes: Float64Array
  readonly toPodPackets: Float64Array
  readonly toPodBytes: Float64Array
  readonly opened: Float64Array
  readonly startMs: Float64Array
  readonly lastMs: Float64Array
  /** Sequence of the last batch with a row of this flow. */
  readonly changedIn: Float64Array
  readonly account: (InterfaceAccount | undefined)[]
  readonly local: (Identity | undefined)[]
  readonly remote: (Identity | undefined)[]

  constructor(length: number) {
    this.length = length
    this.state = new Uint8Array(length)
    this.generation = new Uint32Array(length)
    this.edge = new Int32Array(length)
    this.clientIsLocal = new Uint8Array(length)
    this.basis = new Uint8Array(length)
    this.opener = new Uint8Array(length)
    this.confidence = new Uint8Array(length)
    this.family = new Uint8Array(length)
    this.protocol = new Uint8Array(length)
    this.localPort = new Uint16Array(length)
    this.remotePort = new Uint16Array(length)
    this.localAddress = new Uint8Array(length * ADDRESS_BYTES)
    this.remoteAddress = new Uint8Array(length * ADDRESS_BYTES)
    this.named = new Uint8Array(length)
    this.fromPodPackets = new Float64Array(length)
    this.fromPodBytes = new Float64Array(length)
    this.toPodPackets = new Float64Array(length)
    this.toPodBytes = new Float64Array(length)
    this.opened = new Float64Array(length)
    this.startMs = new Float64Array(length)
    this.lastMs = new Float64Array(length)
    this.changedIn = new Float64Array(length)
    this.account = new Array(length).fill(undefined)
    this.local = new Array(length).fill(undefined)
    this.remote = new Array(length).fill(undefined)
  }

  isLive(slot: number, generation: number): boolean {
    return this.state[slot] === SlotState.live && this.generation[slot] === generation
  }

  free(slot: number): void {
    this.state[slot] = SlotState.free
    this.account[slot] = undefined
    this.local[slot] = undefined
    this.remote[slot] = undefined
  }
}
