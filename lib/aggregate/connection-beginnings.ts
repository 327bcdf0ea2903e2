// How connections began, flow by flow: index is the kernel's slot. Only where somebody wants to hear of connections.
import type { BeginningColumns, BeginningSide } from '../capture/flow-batch.ts'
import type { ConnectionSide } from './connection-record.ts'
import { clear } from './slot-side.ts'

class SideColumns {
  readonly sequence: Uint32Array
  /** 1: `sequence` is known. */
  readonly hasSequence: Uint8Array
  /** Wall clock, ms since 1970; 0: not known. */
  readonly firstDataAtMs: Float64Array

  constructor(slots: number) {
    this.sequence = new Uint32Array(slots)
    this.hasSequence = new Uint8Array(slots)
    this.firstDataAtMs = new Float64Array(slots)
  }

  take(slot: number, from: BeginningSide, row: number): void {
    this.hasSequence[slot] = from.hasSequence[row]!
    this.sequence[slot] = from.sequence[row]!
    this.firstDataAtMs[slot] = from.firstDataAtMs[row]! || 0
  }

  clear(slot: number): void {
    clear(this.hasSequence, slot)
    clear(this.firstDataAtMs, slot)
  }

  of(slot: number): ConnectionSide {
    const firstDataAtMs = this.firstDataAtMs[slot]!
    return {
      ...(this.hasSequence[slot] === 1 && { sequence: this.sequence[slot]! }),
      ...(firstDataAtMs !== 0 && { firstDataAtMs }),
    }
  }
}

export class ConnectionBeginnings {
  /** Wall clock of the first SYN, ms since 1970; 0: not seen. */
  readonly synAtMs: Float64Array
  readonly local: SideColumns
  readonly remote: SideColumns

  constructor(slots: number) {
    this.synAtMs = new Float64Array(slots)
    this.local = new SideColumns(slots)
    this.remote = new SideColumns(slots)
  }

  begin(slot: number): void {
    clear(this.synAtMs, slot)
    this.local.clear(slot)
    this.remote.clear(slot)
  }

  take(slot: number, from: BeginningColumns, row: number): void {
    this.synAtMs[slot] = from.synAtMs[row]! || 0
    this.local.take(slot, from.fromPod, row)
    this.remote.take(slot, from.toPod, row)
  }
}
