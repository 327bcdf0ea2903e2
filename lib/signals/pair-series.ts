// The histograms of all pairs of owners for one receiver.
import type { Histogram, MetricData } from '@opentelemetry/sdk-metrics'
import type { EdgeTable } from '../aggregate/edge-table.ts'
import type { Histograms } from '../aggregate/histograms.ts'
import { sentBounds } from '../aggregate/pair-table.ts'
import { attributesOf, type EdgeAttributes } from './edge-attributes.ts'
import { pairMetric } from './edge-metrics.ts'
import { type HistogramPoints, histogramData } from './metric-data.ts'
import type { Metric } from './metric-names.ts'
import type { HistogramSeries, Moment, SeriesWriter } from './series.ts'

interface Outlet {
  readonly metric: Metric
  readonly histograms: Histograms
  readonly of: keyof EdgeAttributes
  /** Some of the bounds that are kept. */
  readonly bounds: readonly number[]
  /** Index as in `PairTable.pairs`. */
  readonly series: (HistogramSeries | undefined)[]
}

export class PairSeries {
  readonly #edges: EdgeTable
  readonly #writer: SeriesWriter
  readonly #attributes: EdgeAttributes[] = []
  readonly #outlets: readonly Outlet[]

  constructor(edges: EdgeTable, writer: SeriesWriter) {
    this.#edges = edges
    this.#writer = writer
    const { handshake, requestRtt, responseRtt, duration } = edges.pairs
    const series = (): Outlet['series'] => []
    const shaken = {
      metric: pairMetric.handshake,
      histograms: handshake,
      of: 'connection',
      bounds: edges.detail === 'full' ? sentBounds.handshake : [],
      series: series(),
    } as const
    const rtt = { metric: pairMetric.rtt, bounds: sentBounds.rtt }
    this.#outlets =
      edges.detail === 'basic'
        ? [shaken]
        : [
            shaken,
            { ...rtt, histograms: requestRtt, of: 'request', series: series() },
            { ...rtt, histograms: responseRtt, of: 'response', series: series() },
            {
              metric: pairMetric.duration,
              histograms: duration,
              of: 'connection',
              bounds: sentBounds.duration,
              series: series(),
            },
          ]
  }

  collect(moment: Moment): MetricData[] {
    const points = new Map<Metric, HistogramPoints>(this.#outlets.map(({ metric }) => [metric, []]))
    for (const outlet of this.#outlets) this.#collect(points.get(outlet.metric)!, outlet, moment)
    return [...points].map(([metric, metricPoints]) => histogramData(metric, metricPoints))
  }

  #collect(points: HistogramPoints, { histograms, of, bounds, series }: Outlet, moment: Moment): void {
    for (let pair = 0; pair < histograms.length; pair++) {
      const samples = histograms.samples[pair]!
      if (samples === 0) continue
      series[pair] ??= this.#writer.beginHistogram(this.#attributesOf(pair)[of], histograms.starts[pair]!, bounds)
      if (this.#writer.isDue(series[pair]!, samples, moment))
        this.#writer.push(points, series[pair]!, histogramOf(histograms, pair, bounds), moment)
    }
  }

  #attributesOf(pair: number): EdgeAttributes {
    this.#attributes[pair] ??= attributesOf(this.#edges.pairs.pairs[pair]!)
    return this.#attributes[pair]
  }
}

/** Bounds that are not sent are left out: their bucket's samples are in the next one that is. */
export function histogramOf(histograms: Histograms, pair: number, boundaries: readonly number[]): Histogram {
  const counts = new Array<number>(boundaries.length + 1).fill(0)
  let sent = 0
  for (let bucket = 0; bucket < histograms.buckets; bucket++) {
    const bound = histograms.bounds[bucket] ?? Number.POSITIVE_INFINITY
    while (sent < boundaries.length && bound > boundaries[sent]!) sent++
    counts[sent]! += histograms.counts[pair * histograms.buckets + bucket]!
  }
  return {
    buckets: { boundaries: [...boundaries], counts },
    count: histograms.samples[pair]!,
    sum: histograms.sums[pair]!,
  }
}
