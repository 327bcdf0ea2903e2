// The series of the module "dns" for one receiver: lookups by owner, domain and outcome, and messages by theirs.
import type { Attributes } from '@opentelemetry/api'
import type { MetricData } from '@opentelemetry/sdk-metrics'
import { type Lookup, type LookupTable, lookupBounds, messageOutcomes } from '../aggregate/lookup-table.ts'
import { attribute } from './attribute-names.ts'
import { initiatorAttributes } from './edge-attributes.ts'
import { type HistogramPoints, histogramData, metricData, type Points } from './metric-data.ts'
import { dnsMetric } from './metric-names.ts'
import { histogramOf } from './pair-series.ts'
import type { HistogramSeries, Moment, Series, SeriesWriter } from './series.ts'

export class DnsSeries {
  readonly #table: LookupTable
  readonly #writer: SeriesWriter
  readonly #startMs: number
  /** Index as in `LookupTable.lookups`. */
  readonly #durations: (HistogramSeries | undefined)[] = []
  readonly #messages = new Map<string, Series>()

  constructor(table: LookupTable, writer: SeriesWriter, startMs: number) {
    this.#table = table
    this.#writer = writer
    this.#startMs = startMs
  }

  collect(moment: Moment): MetricData[] {
    return [
      histogramData(dnsMetric.duration, this.#durationPoints(moment)),
      metricData(dnsMetric.messages, this.#messagePoints(moment)),
    ]
  }

  #durationPoints(moment: Moment): HistogramPoints {
    const { durations, lookups } = this.#table
    const points: HistogramPoints = []
    for (let i = 0; i < durations.length; i++) {
      const samples = durations.samples[i]!
      if (samples === 0) continue
      const series = this.#durations[i] ?? this.#begin(lookups[i]!, durations.starts[i]!)
      this.#durations[i] = series
      if (this.#writer.isDue(series, samples, moment))
        this.#writer.push(points, series, histogramOf(durations, i, lookupBounds), moment)
    }
    return points
  }

  #begin(lookup: Lookup, startMs: number): HistogramSeries {
    return this.#writer.beginHistogram(attributesOf(lookup), startMs, lookupBounds)
  }

  #messagePoints(moment: Moment): Points {
    const points: Points = []
    for (const outcome of messageOutcomes) {
      const known = this.#messages.get(outcome)
      const series = known ?? this.#writer.begin({ [attribute.messageOutcome]: outcome }, this.#startMs)
      this.#messages.set(outcome, series)
      this.#writer.write(points, series, this.#table.messages[outcome], moment)
    }
    return points
  }
}

function attributesOf({ end, suffix, error, overflow }: Lookup): Attributes {
  if (overflow) return { [attribute.overflow]: true }
  return {
    ...initiatorAttributes(end),
    [attribute.questionSuffix]: suffix,
    ...(error !== undefined && { [attribute.errorType]: error }),
  }
}
