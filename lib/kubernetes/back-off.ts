// How long to wait before the next attempt: at random up to a bound that doubles, so that a thousand agents don't come back at once.

export interface BackOffTimes {
  readonly firstMs: number
  readonly mostMs: number
}

export const BACK_OFF: BackOffTimes = { firstMs: 500, mostMs: 30_000 }

export class JitteredBackOff {
  readonly #times: BackOffTimes
  readonly #random: () => number
  #boundMs: number

  constructor(times: BackOffTimes = BACK_OFF, random: () => number = Math.random) {
    this.#times = times
    this.#random = random
    this.#boundMs = times.firstMs
  }

  /** ms to wait: never less than half of the first bound, so that luck is no spin. */
  next(): number {
    const leastMs = this.#times.firstMs / 2
    const waitMs = leastMs + this.#random() * (this.#boundMs - leastMs)
    this.#boundMs = Math.min(2 * this.#boundMs, this.#times.mostMs)
    return waitMs
  }

  reset(): void {
    this.#boundMs = this.#times.firstMs
  }
}
