// The counters of all edges for one receiver.
import { beginsWithEdge, COUNTS_PER_EDGE, FIRST_FULL_COUNT, overflowCounts } from '../aggregate/edge-counts.ts'
import type { Edge, EdgeTable } from '../aggregate/edge-table.ts'
import type { SignalResource } from './attribute-set.ts'
import type { EdgeChoice } from './edge-choices.ts'
import { type EdgeStreams, edgeStreams, sides } from './edge-streams.ts'
import { observedResource } from './observed-resource.ts'
import type { SeriesWriter } from './series.ts'
import { longer } from './series-columns.ts'
import type { SharedSets } from './shared-sets.ts'

/** In place of a series: it has not begun. */
const NONE = -1
const INITIAL_EDGES = 64

export class EdgeSeries {
  readonly #edges: EdgeTable
  readonly #active: () => Float64Array
  readonly #sets: SharedSets
  readonly #writer: SeriesWriter
  readonly #choice: EdgeChoice | undefined
  /** Counts of an edge that may be sent. */
  readonly #counts: number
  readonly #streams = new WeakMap<SignalResource, EdgeStreams>()
  /** Index as in `EdgeTable.values`. */
  #series = new Int32Array(INITIAL_EDGES * COUNTS_PER_EDGE).fill(NONE)
  /** Index as in `EdgeTable.edges`. */
  readonly #activeSeries: (number | undefined)[] = []
  #restartsSeen: number

  /** `active`: connections and requests that go on, edge by edge. */
  constructor(
    edges: EdgeTable,
    active: () => Float64Array,
    sets: SharedSets,
    writer: SeriesWriter,
    choice: EdgeChoice | undefined,
  ) {
    this.#choice = choice
    this.#edges = edges
    this.#active = active
    this.#sets = sets
    this.#writer = writer
    this.#counts = edges.detail === 'full' ? COUNTS_PER_EDGE : FIRST_FULL_COUNT
    this.#restartsSeen = edges.restarts.length
    edges.onEvicted((edge, endMs) => this.#evicted(edge, endMs))
  }

  write(): void {
    this.#grow()
    this.#followRestarts()
    for (const [number, edge] of this.#edges.edges.entries())
      if (edge && this.#takes(number, edge)) this.#writeEdge(number, edge)
    if (this.#edges.detail === 'full') this.#writeActive()
  }

  #writeEdge(number: number, edge: Edge): void {
    const { values, starts } = this.#edges
    const isLeaving = this.#edges.isLeaving(number)
    for (let count = 0; count < this.#counts; count++) {
      const index = number * COUNTS_PER_EDGE + count
      const value = values[index]!
      if (this.#series[index] === NONE) {
        if (!begins(edge, count, value)) continue
        this.#series[index] = this.#begin(index, starts[index]!)
      }
      if (isLeaving) this.#writer.writeNews(this.#series[index]!, value)
      else this.#writer.write(this.#series[index]!, value)
    }
  }

  #writeActive(): void {
    const active = this.#active()
    for (let edge = 0; edge < active.length; edge++) {
      // An edge that never had one needs no series.
      if (active[edge] === 0 && this.#activeSeries[edge] === undefined) continue
      if (!this.#takes(edge, this.#edges.edges[edge]!)) continue
      const series = this.#activeSeries[edge] ?? this.#beginActive(edge)
      this.#activeSeries[edge] = series
      this.#writer.write(series, active[edge]!)
    }
  }

  /** See `EvictionListener`. */
  #evicted(number: number, endMs: number): void {
    this.#grow()
    this.#followRestarts()
    if (!this.#takes(number, this.#edges.edges[number]!)) return
    const timeMs = endMs - 2
    const { values, starts } = this.#edges
    for (let count = 0; count < this.#counts; count++) {
      const index = number * COUNTS_PER_EDGE + count
      const value = values[index]!
      // What this receiver has not heard of yet has its last value all the same.
      if (this.#series[index] === NONE && value !== 0) this.#series[index] = this.#begin(index, starts[index]!)
      if (this.#series[index] !== NONE) this.#writer.end(this.#series[index]!, { value, timeMs })
      this.#series[index] = NONE
    }
    const active = this.#activeSeries[number]
    if (active !== undefined) this.#writer.end(active, { value: 0, timeMs })
    this.#activeSeries[number] = undefined
  }

  /** The old series' last value is told until the receiver has it. */
  #followRestarts(): void {
    const { restarts } = this.#edges
    for (; this.#restartsSeen < restarts.length; this.#restartsSeen++) {
      const { index, startMs, endMs, value } = restarts[this.#restartsSeen]!
      const count = index % COUNTS_PER_EDGE
      const number = (index - count) / COUNTS_PER_EDGE
      if (count >= this.#counts || !this.#takes(number, this.#edges.edges[number]!)) continue
      const series = this.#series[index] === NONE ? this.#begin(index, startMs) : this.#series[index]!
      this.#series[index] = NONE
      this.#writer.end(series, { value, timeMs: endMs }, true)
    }
  }

  #takes(number: number, edge: Edge): boolean {
    return this.#choice?.takes(number, edge) ?? true
  }

  #begin(index: number, startMs: number): number {
    const count = index % COUNTS_PER_EDGE
    const number = (index - count) / COUNTS_PER_EDGE
    const edge = this.#edges.edges[number]!
    const { counts, overflow } = this.#streamsOf(edge)
    const base = this.#sets.edges.of(number, edge)[sides[count]!]
    return this.#writer.begin((edge.overflow ? overflow : counts)[count]!, base, startMs)
  }

  #beginActive(number: number): number {
    const edge = this.#edges.edges[number]!
    const { forward } = this.#sets.edges.of(number, edge)
    return this.#writer.begin(this.#streamsOf(edge).active, forward, this.#edges.starts[number * COUNTS_PER_EDGE]!)
  }

  #streamsOf(edge: Edge): EdgeStreams {
    const { resources } = this.#sets
    const resource = this.#writer.form.resourceMode === 'pod' ? observedResource(edge, resources) : resources.agent
    const known = this.#streams.get(resource)
    if (known) return known
    const streams = edgeStreams(resource, this.#sets)
    this.#streams.set(resource, streams)
    return streams
  }

  #grow(): void {
    const { length } = this.#edges.values
    if (length <= this.#series.length) return
    const before = this.#series.length
    this.#series = longer(this.#series, new Int32Array(length))
    this.#series.fill(NONE, before)
  }
}

/** Of an edge that was not told of it yet. */
function begins({ transport, overflow }: Edge, count: number, value: number): boolean {
  if (overflow && overflowCounts[count] !== count) return false
  return beginsWithEdge(transport, count) || value !== 0
}
