// The series of all edges for one receiver.
import type { MetricData } from '@opentelemetry/sdk-metrics'
import { COUNTS_PER_EDGE, type Edge, EdgeCount, type EdgeTable } from '../aggregate/edge-table.ts'
import { attributesOf, type EdgeAttributes } from './edge-attributes.ts'
import { metricData, type Points, toHrTime } from './metric-data.ts'
import { edgeMetric } from './metric-names.ts'
import type { Moment, Series, SeriesWriter } from './series.ts'

/** A series that began again: its last value is sent until the receiver has it. */
interface LastValue {
  readonly series: Series
  readonly value: number
  readonly count: number
  readonly moment: Pick<Moment, 'nowMs' | 'now'>
}

export class EdgeSeries {
  readonly #edges: EdgeTable
  readonly #writer: SeriesWriter
  /** Index as in `EdgeTable.values`. */
  readonly #series: (Series | undefined)[] = []
  readonly #attributes: EdgeAttributes[] = []
  #restartsSeen = 0
  #lastValues: LastValue[] = []

  constructor(edges: EdgeTable, writer: SeriesWriter) {
    this.#edges = edges
    this.#writer = writer
  }

  collect(moment: Moment): MetricData[] {
    this.#followRestarts()
    const bytes: Points = []
    const packets: Points = []
    const opened: Points = []
    const pointsOf = [bytes, packets, bytes, packets, opened]
    this.#lastValues = this.#lastValues.filter(({ series, value }) => !series.isDelivered(value))
    for (const last of this.#lastValues) this.#writer.write(pointsOf[last.count]!, last.series, last.value, last.moment)
    for (let edge = 0; edge < this.#edges.edges.length; edge++)
      for (let count = 0; count < COUNTS_PER_EDGE; count++) {
        if (!isEmitted(this.#edges.edges[edge]!, count)) continue
        const index = edge * COUNTS_PER_EDGE + count
        const series = this.#series[index] ?? this.#begin(index)
        this.#writer.write(pointsOf[count]!, series, this.#edges.values[index]!, moment)
      }
    return [
      metricData(edgeMetric.bytes, bytes),
      metricData(edgeMetric.packets, packets),
      metricData(edgeMetric.opened, opened),
    ]
  }

  #followRestarts(): void {
    const { restarts } = this.#edges
    for (; this.#restartsSeen < restarts.length; this.#restartsSeen++) {
      const { index, startMs, endMs, value } = restarts[this.#restartsSeen]!
      const series = this.#series[index] ?? this.#newSeries(index, startMs)
      this.#series[index] = undefined
      const moment = { nowMs: endMs, now: toHrTime(endMs) }
      this.#lastValues.push({ series, value, count: index % COUNTS_PER_EDGE, moment })
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
    this.#attributes[edge] ??= attributesOf(this.#edges.edges[edge]!)
    const { request, response, connection } = this.#attributes[edge]
    if (count === EdgeCount.requestBytes) return this.#writer.begin(request, startMs, 'bytes')
    if (count === EdgeCount.requestPackets) return this.#writer.begin(request, startMs, 'packets')
    if (count === EdgeCount.responseBytes) return this.#writer.begin(response, startMs, 'bytes')
    if (count === EdgeCount.responsePackets) return this.#writer.begin(response, startMs, 'packets')
    return this.#writer.begin(connection, startMs)
  }
}

/** The overflow edge has one series per metric; only TCP and UDP open connections. */
function isEmitted(edge: Edge, count: number): boolean {
  if (edge.overflow) return count !== EdgeCount.responseBytes && count !== EdgeCount.responsePackets
  return count !== EdgeCount.opened || edge.transport === 'tcp' || edge.transport === 'udp'
}
