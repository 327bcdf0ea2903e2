// Since when rows are idle, and which of them have to go: in two steps, so that nothing is said of a row right before its end.
import { grown } from './histograms.ts'

const INITIAL_ROWS = 64

export class EdgeIdleness {
  /** Wall clock in ms of the newest change; for who counts to write into. */
  usedMs = new Float64Array(INITIAL_ROWS)
  /** When it was found to be idle first. */
  #leavingMs = new Float64Array(INITIAL_ROWS)

  /** The row begins. */
  begin(index: number, nowMs: number): void {
    if (index >= this.usedMs.length) {
      this.usedMs = grown(this.usedMs, this.usedMs.length * 2)
      this.#leavingMs = grown(this.#leavingMs, this.#leavingMs.length * 2)
    }
    this.usedMs[index] = nowMs
    this.#leavingMs[index] = 0
  }

  /**
   * The row goes with the next sweep unless something happens to it. What a receiver has of it is not sent again: a point
   * of it must not be later than its end.
   */
  isLeaving(index: number): boolean {
    return this.#leavingMs[index]! > this.usedMs[index]!
  }

  /** One sweep's look at a row; true: it goes. `isInUse`: a flow has it. */
  hasToGo(index: number, isInUse: boolean, nowMs: number, idleMs: number): boolean {
    if (isInUse || nowMs - this.usedMs[index]! < idleMs) {
      this.#leavingMs[index] = 0
      return false
    }
    if (this.isLeaving(index)) return true
    this.#leavingMs[index] = nowMs
    return false
  }
}
