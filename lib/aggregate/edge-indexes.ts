// Indexes of rows that come and go: those of what is gone are given to others, and whoever keeps something by index is told before.

/**
 * Everything of the row is still where it was; afterwards its index may be another's. `endMs`: wall clock. The row's last
 * value stands until 2 ms before it and its end is 1 ms before it: whatever takes its attributes again starts then or later.
 */
export type EvictionListener = (index: number, endMs: number) => void

export class EdgeIndexes {
  readonly #free: number[] = []
  readonly #listeners: EvictionListener[] = []
  readonly #width: number
  #length = 0

  /** `width`: rows that are taken together. */
  constructor(width = 1) {
    this.#width = width
  }

  /** Indexes from here on were never taken. */
  get length(): number {
    return this.#length
  }

  /** To be called before anything is freed. */
  onEvicted(listener: EvictionListener): void {
    this.#listeners.push(listener)
  }

  /** The first of `width` rows that nobody has. */
  take(): number {
    const free = this.#free.pop()
    if (free !== undefined) return free
    this.#length += this.#width
    return this.#length - this.#width
  }

  tell(index: number, endMs: number): void {
    for (const listener of this.#listeners) listener(index, endMs)
  }

  /** `index`: as `take` gave it. */
  free(index: number): void {
    this.#free.push(index)
  }
}
