// One object for what says the same, as long as somebody needs it.

/** So many are made before it is worth looking for those that nobody needs any more. */
const SWEEP_AT_LEAST = 1024

export class Interned<Value> {
  #values = new Map<string, Value>()
  #sweepAt = SWEEP_AT_LEAST

  get size(): number {
    return this.#values.size
  }

  /** `key`: equal for values that say the same. */
  of(key: string, make: () => Value): Value {
    const known = this.#values.get(key)
    if (known !== undefined) return known
    const value = make()
    this.#values.set(key, value)
    return value
  }

  /** True when there are twice as many as the last sweep has left. */
  get isCrowded(): boolean {
    return this.#values.size >= this.#sweepAt
  }

  /** Forgets all others. */
  sweep(needed: ReadonlySet<Value>): void {
    this.#values = new Map([...this.#values].filter(([, value]) => needed.has(value)))
    this.#sweepAt = Math.max(SWEEP_AT_LEAST, 2 * this.#values.size)
  }
}
