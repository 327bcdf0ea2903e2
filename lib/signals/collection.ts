// What one receiver is to be told of one moment: series and their values, sorted by resource and metric, and told in as
// many requests as it takes. Each receiver has one, which is used again and again.
import type { SignalResource } from './attribute-set.ts'
import { CollectedHistograms, type KeptHistogram } from './collected-histograms.ts'
import type { Metric } from './metric-names.ts'
import type { Exemplar, MetricSink } from './metric-sink.ts'
import { type Ending, longer, type SeriesColumns, SeriesFlag } from './series-columns.ts'
import type { Stream } from './stream.ts'

const INITIAL_LENGTH = 256
/**
 * So many series are sorted and told at once, in a request or two. Walks write the series of a thing one after the other, so
 * that a request has all metrics of some edges and not one metric of all: their attributes stay in the processor's cache.
 */
const CHUNK = 4_000
/** In place of a series' number: the receiver has what is here. */
const ACKNOWLEDGED = -1

export class Collection {
  readonly #columns: SeriesColumns
  readonly #isDelta: boolean
  readonly #delivered: { packets: number; bytes: number }
  readonly #histograms = new CollectedHistograms()
  /** Of entries that are not of this moment. */
  readonly #times = new Map<number, number>()
  /** Entries with which a series ends. */
  readonly #endings = new Set<number>()
  #series = new Int32Array(INITIAL_LENGTH)
  #values = new Float64Array(INITIAL_LENGTH)
  /** Entries in the order in which they are told. */
  #order = new Int32Array(INITIAL_LENGTH)
  #length = 0
  #nowMs = 0
  #monotonicMs = 0
  /** Of the newest sort. */
  #number = 0

  /** `delivered`: what acknowledged values add to. */
  constructor(columns: SeriesColumns, isDelta: boolean, delivered: { packets: number; bytes: number }) {
    this.#columns = columns
    this.#isDelta = isDelta
    this.#delivered = delivered
  }

  /** Series that are to be told. */
  get length(): number {
    return this.#length
  }

  /** What was there before is forgotten. */
  begin(nowMs: number, monotonicMs: number): void {
    this.#nowMs = nowMs
    this.#monotonicMs = monotonicMs
    this.#length = 0
    this.#times.clear()
    this.#endings.clear()
    this.#histograms.clear()
  }

  /** `timeMs`: wall clock, where it is not of this moment. */
  add(series: number, value: number, timeMs?: number): number {
    if (this.#length === this.#series.length) this.#grow()
    const entry = this.#length++
    this.#series[entry] = series
    this.#values[entry] = value
    if (timeMs !== undefined) this.#times.set(entry, timeMs)
    return entry
  }

  addHistogram(series: number, samples: number, kept: KeptHistogram, exemplars?: readonly Exemplar[]): void {
    const entry = this.add(series, samples)
    this.#histograms.keep(entry, kept, this.#columns.streams[series]!.shape!)
    if (exemplars) this.#histograms.keepExemplars(entry, exemplars)
  }

  addEnding(series: number, { value, timeMs, histogram }: Ending): void {
    const entry = this.add(series, value, timeMs)
    this.#endings.add(entry)
    if (histogram) this.#histograms.keep(entry, histogram, this.#columns.streams[series]!.shape!)
  }

  /** Sorts what was added. */
  seal(): void {
    for (let from = 0; from < this.#length; from += CHUNK) this.#sort(from, Math.min(from + CHUNK, this.#length))
  }

  /** Tells what is from index `from` on, for one request: at most until the sink is full. Returns where to go on. */
  write(sink: MetricSink, from = 0, isFull: () => boolean = () => false): number {
    const { streams } = this.#columns
    const end = Math.min(this.#length, from - (from % CHUNK) + CHUNK)
    let last: Stream | undefined
    let index = from
    while (index < end && !isFull()) {
      const entry = this.#order[index++]!
      const series = this.#series[entry]!
      if (series === ACKNOWLEDGED) continue
      const stream = streams[series]!
      if (stream !== last) {
        const isOther = stream.resource !== last?.resource
        if (isOther) sink.resource(stream.resource)
        if (isOther || stream.metric !== last?.metric) sink.metric(stream.metric)
        last = stream
      }
      this.#tell(sink, entry, series, stream)
    }
    return index
  }

  writeAll(sink: MetricSink): void {
    for (let from = 0; from < this.#length; ) from = this.write(sink, from)
  }

  /** The receiver has what is from index `from` to `to`. */
  acknowledge(from: number, to: number): void {
    for (let index = from; index < to; index++) {
      const entry = this.#order[index]!
      const series = this.#series[entry]!
      if (series === ACKNOWLEDGED) continue
      this.#acknowledge(entry, series)
      this.#series[entry] = ACKNOWLEDGED
    }
  }

  #tell(sink: MetricSink, entry: number, series: number, { more, shape }: Stream): void {
    const { flags, marks, starts, bases } = this.#columns
    const base = bases[series]!
    const startMs = starts[series]!
    const timeMs = this.#timeOf(entry, startMs)
    const isEnding = this.#endings.size > 0 && this.#endings.has(entry)
    const isHeard = (flags[series]! & SeriesFlag.heard) !== 0 && marks[series] === this.#values[entry]
    if (!isEnding || !isHeard) {
      const isFirst = (flags[series]! & SeriesFlag.noZero) === 0
      if (shape) {
        if (isFirst) sink.histogram(base, more, startMs, startMs, shape.empty())
        const value = this.#histograms.value(entry, this.#values[entry]!, shape, this.#columns.cells.get(series))
        sink.histogram(base, more, startMs, timeMs, value)
      } else {
        if (isFirst) sink.number(base, more, startMs, startMs, 0)
        sink.number(base, more, startMs, timeMs, this.#numberOf(entry, series))
      }
    }
    if (isEnding && (flags[series]! & SeriesFlag.quietly) === 0) sink.ended(base, more, startMs, timeMs + 1)
  }

  #numberOf(entry: number, series: number): number {
    const value = this.#values[entry]!
    return this.#tellsDifference(series) ? value - this.#columns.marks[series]! : value
  }

  #acknowledge(entry: number, series: number): void {
    const columns = this.#columns
    const { delivers, shape } = columns.streams[series]!
    const value = this.#values[entry]!
    if (delivers) this.#delivered[delivers] += value - columns.marks[series]!
    if (this.#endings.has(entry)) {
      columns.release(series)
      return
    }
    if (this.#tellsDifference(series)) {
      columns.starts[series] = this.#timeOf(entry, columns.starts[series]!)
      if (shape) columns.cells.set(series, this.#histograms.cells(entry, shape))
    }
    columns.marks[series] = value
    columns.heardAtMs[series] = this.#monotonicMs
    columns.flags[series]! |= SeriesFlag.heard | SeriesFlag.noZero
  }

  #tellsDifference(series: number): boolean {
    return this.#isDelta && !this.#columns.streams[series]!.mayFall
  }

  /** A clock that was set back, or a series younger than its resolution: a point must not end before it starts. */
  #timeOf(entry: number, startMs: number): number {
    const timeMs = this.#times.size === 0 ? this.#nowMs : (this.#times.get(entry) ?? this.#nowMs)
    return timeMs > startMs ? timeMs : startMs + 1
  }

  /** By resource, and within each by metric. */
  #sort(from: number, to: number): void {
    const { streams } = this.#columns
    const groups: Groups = new Map()
    const sizes: number[] = []
    this.#number++
    for (let entry = from; entry < to; entry++) {
      const stream = streams[this.#series[entry]!]!
      if (stream.groupedIn !== this.#number) this.#group(stream, groups, sizes)
      sizes[stream.group]!++
    }
    const places = placesOf(groups, sizes, from)
    for (let entry = from; entry < to; entry++) {
      const { group } = streams[this.#series[entry]!]!
      this.#order[places[group]!++] = entry
    }
  }

  #group(stream: Stream, groups: Groups, sizes: number[]): void {
    const ofResource = groups.get(stream.resource) ?? new Map<Metric, number>()
    groups.set(stream.resource, ofResource)
    stream.group = ofResource.get(stream.metric) ?? sizes.push(0) - 1
    stream.groupedIn = this.#number
    ofResource.set(stream.metric, stream.group)
  }

  #grow(): void {
    const length = 2 * this.#series.length
    this.#series = longer(this.#series, new Int32Array(length))
    this.#values = longer(this.#values, new Float64Array(length))
    this.#order = longer(this.#order, new Int32Array(length))
  }
}

type Groups = Map<SignalResource, Map<Metric, number>>

function placesOf(groups: Groups, sizes: readonly number[], from: number): number[] {
  const places: number[] = []
  let place = from
  for (const ofResource of groups.values())
    for (const group of ofResource.values()) {
      places[group] = place
      place += sizes[group]!
    }
  return places
}
