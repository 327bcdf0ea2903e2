// Up to which time we have heard of everything: what happened later, or while nobody told us, may be otherwise than we know.

/** Wall clock, ours. */
interface Gap {
  readonly fromMs: number
  readonly toMs: number
}

/** No flow that is named now is older, but for those that go on: theirs are names of long ago. */
const KEPT_MS = 300_000
const MOST_GAPS = 64

export class HeardTime {
  #untilMs: number
  #gaps: Gap[] = []

  /** Without a word of it everything is heard of at once. */
  constructor(untilMs = Number.POSITIVE_INFINITY) {
    this.#untilMs = untilMs
  }

  get untilMs(): number {
    return this.#untilMs
  }

  /** Everything between the two has been heard of. */
  heard(sinceMs: number, untilMs: number, nowMs: number): void {
    if (untilMs <= this.#untilMs) return
    const isFirst = this.#untilMs === Number.NEGATIVE_INFINITY
    if (!isFirst && sinceMs > this.#untilMs)
      this.#gaps.push({ fromMs: this.#untilMs, toMs: Math.min(sinceMs, untilMs) })
    this.#gaps = this.#gaps.filter(({ toMs }) => nowMs - toMs <= KEPT_MS).slice(-MOST_GAPS)
    this.#untilMs = untilMs
  }

  /** Whether we would know of everything that was so then. */
  has(atMs: number): boolean {
    return atMs < this.#untilMs && this.gapEnd(atMs) === undefined
  }

  /** When we heard again, of a time at which we did not. */
  gapEnd(atMs: number): number | undefined {
    return this.#gaps.find(({ fromMs, toMs }) => atMs >= fromMs && atMs < toMs)?.toMs
  }
}
