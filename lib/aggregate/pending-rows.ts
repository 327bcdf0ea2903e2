// Rows of a batch whose flow is not known yet, found by slot and generation.
import type { FlowColumns } from '../capture/flow-batch.ts'

export class PendingRows {
  /** Newest row of a slot; the others hang on it. A slot may be used by several flows between two drains. */
  readonly #first = new Map<number, number>()
  #next = new Int32Array(0)

  clear(): void {
    this.#first.clear()
  }

  add(flows: FlowColumns, row: number): void {
    if (this.#next.length < flows.length) this.#next = new Int32Array(flows.length)
    const slot = flows.slot[row]!
    this.#next[row] = this.#first.get(slot) ?? -1
    this.#first.set(slot, row)
  }

  /** Its oldest row, which is then no longer pending; -1 when there is none. It has two when it leaves as it starts. */
  take(flows: FlowColumns, slot: number, generation: number): number {
    let found = -1
    let beforeFound = -1
    let previous = -1
    for (let row = this.#first.get(slot) ?? -1; row !== -1; row = this.#next[row]!) {
      if (flows.generation[row] === generation) {
        found = row
        beforeFound = previous
      }
      previous = row
    }
    if (found !== -1) this.#unlink(slot, beforeFound, this.#next[found]!)
    return found
  }

  *rows(): Generator<number> {
    for (const first of this.#first.values()) for (let row = first; row !== -1; row = this.#next[row]!) yield row
  }

  #unlink(slot: number, previous: number, next: number): void {
    if (previous !== -1) this.#next[previous] = next
    else if (next === -1) this.#first.delete(slot)
    else this.#first.set(slot, next)
  }
}
