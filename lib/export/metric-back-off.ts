// How long metrics wait after a request that failed: with full jitter, so that the agents of a cluster don't come back all
// at once, and never longer than an interval, because with the next collection they would come anyway.

const FIRST_MS = 1_000
const LEAST_MS = 10

export class MetricBackOff {
  readonly #mostMs: number
  readonly #random: () => number
  #failures = 0

  constructor(intervalMs: number, random = Math.random) {
    this.#mostMs = intervalMs
    this.#random = random
  }

  reset(): void {
    this.#failures = 0
  }

  /** `afterMs`: not before, says the receiver. */
  next(afterMs = 0): number {
    const windowMs = Math.min(this.#mostMs, FIRST_MS * 2 ** this.#failures++)
    return Math.max(afterMs, LEAST_MS, this.#random() * windowMs)
  }
}
