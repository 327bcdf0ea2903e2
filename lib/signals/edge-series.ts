// The counters of all edges for one receiver.
import type { Attributes } from '@opentelemetry/api'
import type { MetricData } from '@opentelemetry/sdk-metrics'
import { beginsWithEdge, COUNTS_PER_EDGE, FIRST_FULL_COUNT, overflowCounts } from '../aggregate/edge-counts.ts'
import type { EdgeTable } from '../aggregate/edge-table.ts'
import { attribute } from './attribute-names.ts'
import { attributesOf, type EdgeAttributes } from './edge-attributes.ts'
import { edgeMetric } from './edge-metrics.ts'
import { metricData, type Points, toHrTime } from './metric-data.ts'
import type { Metric } from './metric-names.ts'
import type { Delivers, LevelSeries, Moment, Series, SeriesWriter } from './series.ts'

/** A series that began again: its last value is sent until the receiver has it. */
interface LastValue {
  readonly series: Series
  readonly value: number
  readonly count: number
  readonly moment: Pick<Moment, 'nowMs' | 'now'>
}

/** Where a count is sent. */
interface Outlet {
  readonly metric: Metric
  readonly of: keyof EdgeAttributes
  readonly also?: Attributes
  readonly delivers?: Delivers
}

const { bytes, packets, opened, failed, retransmits, outOfOrder, resets, zeroWindows, closed } = edgeMetric

/** Index is the offset in `EdgeCount`. */
const outlets: readonly Outlet[] = [
  { metric: bytes, of: 'request', delivers: 'bytes' },
  { metric: packets, of: 'request', delivers: 'packets' },
  { metric: bytes, of: 'response', delivers: 'bytes' },
  { metric: packets, of: 'response', delivers: 'packets' },
  { metric: opened, of: 'connection' },
  ...byValue(failed, attribute.errorType, ['refused', 'timeout', 'unreachable', 'reset']),
  ...[retransmits, outOfOrder, resets, zeroWindows].flatMap(byDirection),
  ...byValue(closed, attribute.connectionEnd, ['fin', 'reset_by_client', 'reset_by_server', 'idle']),
]

export class EdgeSeries {
  readonly #edges: EdgeTable
  readonly #active: () => Float64Array
  readonly #writer: SeriesWriter
  /** Counts of an edge that may be sent. */
  readonly #counts: number
  /** Index as in `EdgeTable.values`. */
  readonly #series: (Series | undefined)[] = []
  readonly #activeSeries: (LevelSeries | undefined)[] = []
  readonly #attributes: EdgeAttributes[] = []
  #restartsSeen = 0
  #lastValues: LastValue[] = []

  /** `active`: connections and requests that go on, edge by edge. */
  constructor(edges: EdgeTable, active: () => Float64Array, writer: SeriesWriter) {
    this.#edges = edges
    this.#active = active
    this.#writer = writer
    this.#counts = edges.detail === 'full' ? COUNTS_PER_EDGE : FIRST_FULL_COUNT
  }

  collect(moment: Moment): MetricData[] {
    this.#followRestarts()
    const points = new Map<Metric, Points>(outlets.slice(0, this.#counts).map(({ metric }) => [metric, []]))
    this.#lastValues = this.#lastValues.filter(({ series, value }) => !series.isDelivered(value))
    for (const { series, value, count, moment } of this.#lastValues)
      this.#writer.write(points.get(outlets[count]!.metric)!, series, value, moment)
    for (let edge = 0; edge < this.#edges.edges.length; edge++)
      for (let count = 0; count < this.#counts; count++) {
        if (!this.#isSent(edge, count)) continue
        const index = edge * COUNTS_PER_EDGE + count
        const series = this.#series[index] ?? this.#begin(index)
        this.#writer.write(points.get(outlets[count]!.metric)!, series, this.#edges.values[index]!, moment)
      }
    const counters = [...points].map(([metric, metricPoints]) => metricData(metric, metricPoints))
    return this.#edges.detail === 'full' ? [...counters, this.#collectActive(moment)] : counters
  }

  #collectActive(moment: Moment): MetricData {
    const points: Points = []
    const active = this.#active()
    for (let edge = 0; edge < active.length; edge++) {
      // An edge that never had one needs no series.
      if (active[edge] === 0 && !this.#activeSeries[edge]) continue
      this.#activeSeries[edge] ??= this.#writer.beginLevel(
        this.#attributesOf(edge).connection,
        this.#edges.starts[edge * COUNTS_PER_EDGE]!,
      )
      this.#writer.write(points, this.#activeSeries[edge]!, active[edge]!, moment)
    }
    return metricData(edgeMetric.active, points)
  }

  #isSent(edge: number, count: number): boolean {
    const { transport, overflow } = this.#edges.edges[edge] ?? {}
    if (transport === undefined) return false
    if (overflow && overflowCounts[count] !== count) return false
    return beginsWithEdge(transport, count) || this.#edges.values[edge * COUNTS_PER_EDGE + count] !== 0
  }

  #followRestarts(): void {
    const { restarts } = this.#edges
    for (; this.#restartsSeen < restarts.length; this.#restartsSeen++) {
      const { index, startMs, endMs, value } = restarts[this.#restartsSeen]!
      const count = index % COUNTS_PER_EDGE
      if (count >= this.#counts) continue
      const series = this.#series[index] ?? this.#newSeries(index, startMs)
      this.#series[index] = undefined
      const moment = { nowMs: endMs, now: toHrTime(endMs) }
      this.#lastValues.push({ series, value, count, moment })
    }
  }

  #begin(index: number): Series {
    const series = this.#newSeries(index, this.#edges.starts[index]!)
    this.#series[index] = series
    return series
  }

  #newSeries(index: number, startMs: number): Series {
    const count = index % COUNTS_PER_EDGE
    const edge = (index - count) / COUNTS_PER_EDGE
    const { of, also, delivers } = outlets[count]!
    const attributes = this.#attributesOf(edge)[of]
    const isOverflow = this.#edges.edges[edge]!.overflow
    return this.#writer.begin(also && !isOverflow ? { ...attributes, ...also } : attributes, startMs, delivers)
  }

  #attributesOf(edge: number): EdgeAttributes {
    this.#attributes[edge] ??= attributesOf(this.#edges.edges[edge]!)
    return this.#attributes[edge]
  }
}

function byValue(metric: Metric, key: string, values: readonly string[]): Outlet[] {
  return values.map(value => ({ metric, of: 'connection', also: { [key]: value } }))
}

function byDirection(metric: Metric): Outlet[] {
  return [
    { metric, of: 'request' },
    { metric, of: 'response' },
  ]
}
