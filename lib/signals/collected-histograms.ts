// The histograms of a collection: what is kept goes on growing while the collection is being told.
import type { HistogramShape } from './histogram-shape.ts'
import type { Exemplar, HistogramValue } from './metric-sink.ts'
import { longer } from './series-columns.ts'

const INITIAL_CELLS = 256

/** What a histogram has beside the count of its samples, as it is kept. */
export interface KeptHistogram {
  readonly sum: number
  readonly counts: Float64Array
  /** Index of its first bucket in `counts`. */
  readonly at: number
}

export class CollectedHistograms {
  /** Sum, then the counts of the buckets that are sent; one entry's after the other's. */
  #cells = new Float64Array(INITIAL_CELLS)
  #length = 0
  readonly #places = new Map<number, number>()
  readonly #exemplars = new Map<number, readonly Exemplar[]>()

  clear(): void {
    this.#length = 0
    this.#places.clear()
    this.#exemplars.clear()
  }

  keep(entry: number, { sum, counts, at }: KeptHistogram, { sentIn, buckets }: HistogramShape): void {
    const place = this.#length
    this.#length += buckets + 1
    while (this.#length > this.#cells.length)
      this.#cells = longer(this.#cells, new Float64Array(2 * this.#cells.length))
    this.#cells[place] = sum
    this.#cells.fill(0, place + 1, this.#length)
    for (let bucket = 0; bucket < sentIn.length; bucket++)
      this.#cells[place + 1 + sentIn[bucket]!]! += counts[at + bucket]!
    this.#places.set(entry, place)
  }

  keepExemplars(entry: number, exemplars: readonly Exemplar[]): void {
    this.#exemplars.set(entry, exemplars)
  }

  /** Lent until the next call. `told`: cells that are taken off. */
  value(entry: number, samples: number, shape: HistogramShape, told: Float64Array | undefined): HistogramValue {
    const place = this.#places.get(entry)!
    const { bounds, counts } = shape
    let count = samples
    for (let bucket = 0; bucket < shape.buckets; bucket++) {
      const before = told?.[bucket + 1] ?? 0
      counts[bucket] = this.#cells[place + 1 + bucket]! - before
      count -= before
    }
    const sum = this.#cells[place]! - (told?.[0] ?? 0)
    const exemplars = this.#exemplars.get(entry)
    return { count, sum, bounds, counts, ...(exemplars && { exemplars }) }
  }

  /** A copy, to be taken off later. */
  cells(entry: number, { buckets }: HistogramShape): Float64Array {
    const place = this.#places.get(entry)!
    return this.#cells.slice(place, place + buckets + 1)
  }
}
