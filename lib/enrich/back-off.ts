// How long to wait before the next attempt: 1 s, then twice as long each time, up to a minute.

export interface BackOffTimes {
  readonly firstMs: number
  readonly mostMs: number
}

export const BACK_OFF: BackOffTimes = { firstMs: 1_000, mostMs: 60_000 }

export class BackOff {
  readonly #times: BackOffTimes
  #nextMs: number
  #lastMs = Number.NEGATIVE_INFINITY

  constructor(times: BackOffTimes = BACK_OFF) {
    this.#times = times
    this.#nextMs = times.firstMs
  }

  /** ms to wait. What went well for twice the longest wait begins anew. */
  next(nowMs: number): number {
    if (nowMs - this.#lastMs > 2 * this.#times.mostMs) this.#nextMs = this.#times.firstMs
    const waitMs = this.#nextMs
    this.#lastMs = nowMs
    this.#nextMs = Math.min(2 * waitMs, this.#times.mostMs)
    return waitMs
  }
}
