// How long to wait before a request is sent again: longer each time, with full jitter, so that the agents of a cluster don't
// come back all at once, and never before the receiver's own time.
import type { RetryConfig } from '../config/exporter-delivery.ts'

/** Node's timers fire at once beyond it: 24 days. */
const LONGEST_MS = 2 ** 31 - 1
const LEAST_MS = 10

export class RetryBackOff {
  readonly #config: Pick<RetryConfig, 'initialMs' | 'maxMs' | 'multiplier'>
  readonly #random: () => number
  #failures = 0

  constructor(config: Pick<RetryConfig, 'initialMs' | 'maxMs' | 'multiplier'>, random = Math.random) {
    this.#config = config
    this.#random = random
  }

  reset(): void {
    this.#failures = 0
  }

  /** `afterMs`: not before, says the receiver. Whoever was told the same comes spread over what we would have waited. */
  next(afterMs = 0): number {
    const { initialMs, maxMs, multiplier } = this.#config
    const windowMs = Math.min(maxMs, initialMs * multiplier ** this.#failures++)
    return Math.min(LONGEST_MS, afterMs + Math.max(LEAST_MS, this.#random() * windowMs))
  }
}
