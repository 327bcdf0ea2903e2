// Values on their way to one receiver: each is told until it is acknowledged, so that nothing is lost and nothing twice.
import type { Histograms } from '../aggregate/histograms.ts'
import type { MetricForm } from '../config/metric-form.ts'
import type { Clock } from '../host/clock.ts'
import type { AttributeSet } from './attribute-set.ts'
import type { KeptHistogram } from './collected-histograms.ts'
import { Collection } from './collection.ts'
import { HistogramShape } from './histogram-shape.ts'
import type { Exemplar } from './metric-sink.ts'
import { type Ending, SeriesColumns, SeriesFlag } from './series-columns.ts'
import type { Stream } from './stream.ts'

/** Series that have ended, and of whose end a receiver that does not answer has not heard: when there are more, the oldest are given up. */
const ENDINGS_LIMIT = 24_576

export interface SeriesWriterParts {
  readonly form: MetricForm
  readonly clock: Clock
  /** Wall clock: what started before was begun by an agent before this one, and goes on. */
  readonly sinceMs: number
}

/** A series is a number. It is written with each collection, and told when the receiver is to hear of it. */
export class SeriesWriter {
  readonly form: MetricForm
  /** What the receiver has acknowledged of `podweir.network.flow.*`. */
  readonly delivered = { packets: 0, bytes: 0 }
  /** Wall clock, ms: the moment of the newest collection. */
  nowMs = 0
  readonly #clock: Clock
  readonly #sinceMs: number
  readonly #isDelta: boolean
  readonly #columns = new SeriesColumns()
  readonly #collection: Collection
  #monotonicMs = 0
  #isWalking = false
  #givenUp = 0

  constructor({ form, clock, sinceMs }: SeriesWriterParts) {
    this.form = form
    this.#clock = clock
    this.#sinceMs = sinceMs
    this.#isDelta = form.temporality === 'delta'
    this.#collection = new Collection(this.#columns, this.#isDelta, this.delivered)
  }

  /** Series that there are. */
  get count(): number {
    return this.#columns.count
  }

  /** Series that have ended without the receiver hearing of it. */
  get givenUp(): number {
    return this.#givenUp
  }

  /** Everything that `walk` writes and the receiver is to hear. Replaces the collection before, acknowledged or not. */
  collect(walk: () => void): Collection {
    this.nowMs = this.#clock.nowMs()
    this.#monotonicMs = this.#clock.monotonicMs()
    this.#collection.begin(this.nowMs, this.#monotonicMs)
    this.#giveUpEndings()
    for (const series of this.#columns.endings.keys()) this.#collectEnding(series)
    this.#isWalking = true
    walk()
    this.#isWalking = false
    this.#collection.seal()
    return this.#collection
  }

  /** `kept`, `sent`: bounds of a histogram. Exponential ones can't be told in fewer buckets than are kept. */
  shape(kept: readonly number[], sent: readonly number[]): HistogramShape {
    return new HistogramShape(kept, this.form.histograms === 'exponential' ? kept : sent)
  }

  /** `base`: its own attributes. `startMs`, wall clock: nothing of it was counted before. */
  begin(stream: Stream, base: AttributeSet, startMs: number): number {
    const hasZero = !stream.mayFall && !this.#isDelta && startMs >= this.#sinceMs
    return this.#columns.take(stream, base, startMs, hasZero ? 0 : SeriesFlag.noZero)
  }

  /** `timeMs`: wall clock, where it was not true until now. */
  write(series: number, value: number, timeMs?: number): void {
    if (this.#isDue(series, value)) this.#collection.add(series, value, timeMs)
  }

  /** Unless the receiver has the value, however long ago it heard of it. */
  writeNews(series: number, value: number): void {
    if (this.#isNews(series, value)) this.#collection.add(series, value)
  }

  /** `index`: in `histograms`. */
  writeHistogram(series: number, histograms: Histograms, index: number, exemplars?: readonly Exemplar[]): void {
    const samples = histograms.samples[index]!
    if (this.#isDue(series, samples))
      this.#collection.addHistogram(series, samples, keptAt(histograms, index), exemplars)
  }

  /**
   * The series has ended with this. The receiver is told so, unless `quietly`, behind the last value, which it is told
   * when it does not have it; then the number is free. Nothing may be written to it any more. May be called at any time.
   */
  end(series: number, ending: Ending, quietly = false): void {
    const columns = this.#columns
    if (quietly || this.#isDelta) columns.flags[series]! |= SeriesFlag.quietly
    columns.endings.set(series, ending)
    if (!columns.streams[series]!.delivers) columns.givable.add(series)
    if (this.#isWalking) this.#collectEnding(series)
  }

  endHistogram(series: number, histograms: Histograms, index: number, timeMs: number): void {
    const { sum, counts, at } = keptAt(histograms, index)
    const kept = { sum, counts: counts.slice(at, at + histograms.buckets), at: 0 }
    this.end(series, { value: histograms.samples[index]!, timeMs, histogram: kept })
  }

  /** Ends it with what the receiver has: what came after is nothing that it is to be told. */
  abandon(series: number, timeMs: number): void {
    const { flags, marks } = this.#columns
    if ((flags[series]! & SeriesFlag.heard) === 0) flags[series]! |= SeriesFlag.untold
    this.end(series, { value: marks[series]!, timeMs })
  }

  #collectEnding(series: number): void {
    const { flags, marks, endings } = this.#columns
    const ending = endings.get(series)!
    const isHeard = (flags[series]! & SeriesFlag.heard) !== 0 && marks[series] === ending.value
    const isQuiet = (flags[series]! & SeriesFlag.quietly) !== 0
    if ((isHeard && isQuiet) || (flags[series]! & SeriesFlag.untold) !== 0) this.#columns.release(series)
    else this.#collection.addEnding(series, ending)
  }

  #giveUpEndings(): void {
    const { givable } = this.#columns
    for (const series of givable) {
      if (givable.size <= ENDINGS_LIMIT) return
      this.#columns.release(series)
      this.#givenUp++
    }
  }

  /** The receiver does not have this value, or has not heard of it for long. */
  #isDue(series: number, mark: number): boolean {
    if (this.#isNews(series, mark)) return true
    const { resendUnchangedMs } = this.form
    if (resendUnchangedMs === 0 || this.#isDelta) return false
    return this.#monotonicMs - this.#columns.heardAtMs[series]! >= resendUnchangedMs
  }

  #isNews(series: number, mark: number): boolean {
    const { flags, marks } = this.#columns
    return (flags[series]! & SeriesFlag.heard) === 0 || marks[series] !== mark
  }
}

function keptAt({ sums, counts, buckets }: Histograms, index: number): KeptHistogram {
  return { sum: sums[index]!, counts, at: index * buckets }
}
