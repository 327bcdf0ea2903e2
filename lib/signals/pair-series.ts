// The histograms of all pairs of owners for one receiver.
import type { EdgeTable } from '../aggregate/edge-table.ts'
import type { Histograms } from '../aggregate/histograms.ts'
import { sentBounds } from '../aggregate/pair-table.ts'
import { attribute } from './attribute-names.ts'
import type { EdgeChoice } from './edge-choices.ts'
import { pairMetric } from './edge-metrics.ts'
import type { Exemplars, Exemplified } from './exemplars.ts'
import type { Exemplar } from './metric-sink.ts'
import type { SeriesWriter } from './series.ts'
import type { EdgeSets, SharedSets } from './shared-sets.ts'
import { Stream, type StreamParts } from './stream.ts'

/** An exemplar is told for so long: as long as a receiver may be without a value. */
const EXEMPLAR_MS = 60_000

export interface PairSeriesParts {
  readonly edges: EdgeTable
  readonly sets: SharedSets
  readonly writer: SeriesWriter
  /** Absent: every pair is told. */
  readonly choice?: EdgeChoice | undefined
  /** Of connections that have a span. */
  readonly exemplars?: Exemplars | undefined
}

interface Outlet {
  readonly histograms: Histograms
  readonly side: keyof EdgeSets
  readonly exemplified?: Exemplified
  readonly stream: Stream
  /** Of the overflow pair, which has no attribute but one. */
  readonly overflow: Stream
  /** Index as in `PairTable.pairs`. */
  readonly series: (number | undefined)[]
}

export class PairSeries {
  readonly #edges: EdgeTable
  readonly #sets: SharedSets
  readonly #writer: SeriesWriter
  readonly #choice: EdgeChoice | undefined
  readonly #exemplars: Exemplars | undefined
  readonly #outlets: readonly Outlet[]

  constructor({ edges, sets, writer, choice, exemplars }: PairSeriesParts) {
    this.#choice = choice
    this.#exemplars = exemplars
    this.#edges = edges
    this.#sets = sets
    this.#writer = writer
    const { handshake, requestRtt, responseRtt, duration } = edges.pairs
    const { handshake: shaken, rtt, duration: lasted } = pairMetric
    const isFull = edges.detail === 'full'
    this.#outlets = [
      this.#outlet('forward', handshake, isFull ? sentBounds.handshake : [], { metric: shaken }, 'handshake'),
      ...(isFull
        ? [
            this.#outlet('forward', requestRtt, sentBounds.rtt, { metric: rtt, more: this.#direction('request') }),
            this.#outlet('backward', responseRtt, sentBounds.rtt, { metric: rtt, more: this.#direction('response') }),
            this.#outlet('forward', duration, sentBounds.duration, { metric: lasted }, 'duration'),
          ]
        : []),
    ]
    edges.pairs.onEvicted((pair, endMs) => this.#evicted(pair, endMs))
  }

  write(): void {
    // Durations are of a pair's edges together: it is for whoever has one of them.
    const taken = this.#choice?.takesAll === false ? this.#choice.pairs() : undefined
    for (const outlet of this.#outlets)
      for (let pair = 0; pair < outlet.histograms.length; pair++) {
        if (outlet.histograms.samples[pair] === 0) continue
        if (taken && outlet.series[pair] === undefined && !taken.has(pair)) continue
        const series = outlet.series[pair] ?? this.#begin(outlet, pair)
        outlet.series[pair] = series
        this.#writer.writeHistogram(series, outlet.histograms, pair, this.#exemplarsOf(outlet, pair))
      }
  }

  #exemplarsOf({ exemplified }: Outlet, pair: number): readonly Exemplar[] | undefined {
    if (!this.#exemplars || !exemplified) return undefined
    const exemplars = this.#exemplars.of(exemplified, pair, this.#writer.nowMs - EXEMPLAR_MS)
    return exemplars.length > 0 ? exemplars : undefined
  }

  /** See `EvictionListener`. */
  #evicted(pair: number, endMs: number): void {
    for (const outlet of this.#outlets) {
      const { histograms, series } = outlet
      if (histograms.length <= pair || histograms.samples[pair] === 0) continue
      // Its edges are gone: they don't say any more whether it is for this receiver.
      if (this.#choice?.takesAll === false && series[pair] === undefined) continue
      this.#writer.endHistogram(series[pair] ?? this.#begin(outlet, pair), histograms, pair, endMs - 2)
      series[pair] = undefined
    }
  }

  #begin({ histograms, side, stream, overflow }: Outlet, number: number): number {
    const pair = this.#edges.pairs.pairs[number]!
    const base = this.#sets.pairs.of(number, pair)[side]
    return this.#writer.begin(pair.overflow ? overflow : stream, base, histograms.starts[number]!)
  }

  #direction(direction: 'request' | 'response') {
    return this.#sets.beside({ [attribute.flowDirection]: direction })
  }

  #outlet(
    side: keyof EdgeSets,
    histograms: Histograms,
    bounds: readonly number[],
    { metric, more }: Pick<StreamParts, 'metric' | 'more'>,
    exemplified?: Exemplified,
  ): Outlet {
    const parts = { resource: this.#sets.resources.agent, metric, shape: this.#writer.shape(histograms.bounds, bounds) }
    const overflow = new Stream(parts)
    const from = { histograms, side, ...(exemplified && { exemplified }) }
    return { ...from, stream: more ? new Stream({ ...parts, more }) : overflow, overflow, series: [] }
  }
}
