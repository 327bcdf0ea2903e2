// How long drains took.
import { Histograms, powersOfTwo } from '../aggregate/histograms.ts'

export const drainBounds = { kept: powersOfTwo(-11, 3), sent: powersOfTwo(-11, 3, 2) } as const

export class DrainDurations {
  readonly histograms = new Histograms(drainBounds.kept)
  readonly #startedAtMs: number
  readonly #listeners: ((seconds: number) => void)[] = []

  /** Wall clock. */
  constructor(startedAtMs: number) {
    this.#startedAtMs = startedAtMs
  }

  add(seconds: number): void {
    this.histograms.add(0, seconds, this.#startedAtMs)
    for (const listener of this.#listeners) listener(seconds)
  }

  onDrain(listener: (seconds: number) => void): void {
    this.#listeners.push(listener)
  }
}
