// What the sender of one direction did, flow by flow: index is the kernel's slot.

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

  constructor(length: number) {
    this.packets = new Float64Array(length)
    this.bytes = new Float64Array(length)
    this.retransmits = new Uint32Array(length)
    this.outOfOrder = new Uint32Array(length)
    this.duplicateAcks = new Uint32Array(length)
    this.zeroWindows = new Uint32Array(length)
    this.resets = new Uint32Array(length)
    this.rttSamples = new Uint32Array(length)
    this.rttSumSeconds = new Float64Array(length)
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
