// Measured values by variant, round by round, and what is told of them net of the variant that does nothing.
import { type Result, resultOf } from './report.ts'

export class Samples {
  readonly #values = new Map<string, number[]>()

  add(variant: string, value: number): void {
    const values = this.#values.get(variant) ?? []
    values.push(value)
    this.#values.set(variant, values)
  }

  get variants(): string[] {
    return [...this.#values.keys()]
  }

  has(variant: string): boolean {
    return this.#values.has(variant)
  }

  gross(variant: string): Result {
    return resultOf(this.#values.get(variant)!)
  }

  /** A round in which the empty program alone was disturbed would have the least, so the minimum is one of the whole. */
  net(variant: string): Result {
    const min = this.gross(variant).min - this.gross('empty').min
    return { min, median: resultOf(this.#rounds(variant)).median }
  }

  ratioOfMinima(variant: string, baseline: string): number {
    return this.net(variant).min / this.net(baseline).min
  }

  /** By rounds: what disturbs a round disturbs all of its variants. */
  medianRatio(variant: string, baseline: string): number {
    const ours = this.#rounds(variant)
    const theirs = this.#rounds(baseline)
    return resultOf(ours.map((value, round) => value / theirs[round]!)).median
  }

  /** Less the empty program of the same round. */
  #rounds(variant: string): number[] {
    const empty = this.#values.get('empty')!
    return this.#values.get(variant)!.map((value, round) => value - empty[round]!)
  }
}
