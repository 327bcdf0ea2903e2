// What the sender of one direction did, flow by flow: index is the kernel's slot.
import type { Columns } from './columns.ts'

/** Of its columns together; a multiple of 8. */
export const SIDE_BYTES = 3 * 8 + 6 * 4

export class SlotSide {
  readonly packets: Float64Array
  readonly bytes: Float64Array
  readonly retransmits: Uint32Array
  readonly outOfOrder: Uint32Array
  readonly duplicateAcks: Uint32Array
  readonly zeroWindows: Uint32Array
  readonly resets: Uint32Array
  /** Of this sender's data. */
  readonly rttSamples: Uint32Array
  readonly rttSumSeconds: Float64Array

  constructor(columns: Columns) {
    this.packets = columns.float64()
    this.bytes = columns.float64()
    this.rttSumSeconds = columns.float64()
    this.retransmits = columns.uint32()
    this.outOfOrder = columns.uint32()
    this.duplicateAcks = columns.uint32()
    this.zeroWindows = columns.uint32()
    this.resets = columns.uint32()
    this.rttSamples = columns.uint32()
  }

  clear(slot: number): void {
    this.packets[slot] = 0
    this.bytes[slot] = 0
    clear(this.retransmits, slot)
    clear(this.outOfOrder, slot)
    clear(this.duplicateAcks, slot)
    clear(this.zeroWindows, slot)
    clear(this.resets, slot)
    clear(this.rttSamples, slot)
    clear(this.rttSumSeconds, slot)
  }
}

/** Most flows have none: a page that nobody ever wrote to takes no memory. */
export function clear(column: Uint8Array | Uint32Array | Float64Array, slot: number): void {
  if (column[slot] !== 0) column[slot] = 0
}
