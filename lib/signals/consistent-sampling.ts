// Sampling by the trace's id: whoever tells of a part of a trace decides alike (OpenTelemetry, TraceState: probability sampling).

/** The randomness of a trace is the last 56 bits of its id. */
const DIGITS = 14

export class ConsistentSampling {
  /** As `ot=th:fd70a`; by it a backend knows how many a sampled one stands for. */
  readonly traceState: string
  /** Smallest randomness that is taken; undefined: none is. */
  readonly #threshold: string | undefined

  /** `ratio`: 0 to 1. */
  constructor(ratio: number) {
    const rejected = BigInt(Math.round((1 - ratio) * 2 ** 56))
    this.#threshold = rejected < 1n << 56n ? rejected.toString(16).padStart(DIGITS, '0') : undefined
    this.traceState = `ot=th:${this.#threshold?.replace(/0+$/, '') || '0'}`
  }

  takes(traceId: string): boolean {
    return this.#threshold !== undefined && traceId.slice(-DIGITS) >= this.#threshold
  }
}

/** Of what is taken whatever its id says. */
export const ALWAYS_TAKEN = 'ot=th:0'
