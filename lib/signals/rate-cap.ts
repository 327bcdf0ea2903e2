// So many a second and no more; what is left out is counted exactly.

export class RateCap {
  readonly #perSecond: number
  #left: number
  #filledAtMs: number
  #suppressed = 0

  /** `nowMs`: of a clock that only goes forward. A second's worth may come at once: what is drained comes so. */
  constructor(perSecond: number, nowMs: number) {
    this.#perSecond = perSecond
    this.#left = perSecond
    this.#filledAtMs = nowMs
  }

  /** To be called before anything is taken at that time. */
  fill(nowMs: number): void {
    this.#left = Math.min(this.#perSecond, this.#left + ((nowMs - this.#filledAtMs) * this.#perSecond) / 1000)
    this.#filledAtMs = nowMs
  }

  /** All or nothing. */
  takes(items: number): boolean {
    if (this.#left < items) {
      this.#suppressed += items
      return false
    }
    this.#left -= items
    return true
  }

  /** What was left out since this was asked. */
  takeSuppressed(): number {
    const suppressed = this.#suppressed
    this.#suppressed = 0
    return suppressed
  }
}
