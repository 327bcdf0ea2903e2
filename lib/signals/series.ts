// Counters on their way to one receiver: each value is sent until it is acknowledged, so that nothing is lost and nothing twice.
import type { Attributes, HrTime } from '@opentelemetry/api'
import type { DataPoint, ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { type Points, toHrTime, toMs } from './metric-data.ts'

/** What acknowledged values of a series add to: the ledger's stage `exported`. */
export type Delivers = 'packets' | 'bytes' | undefined

/** One monotonic series of one receiver. */
export class Series {
  readonly attributes: Attributes
  readonly startMs: number
  readonly start: HrTime
  readonly delivers: Delivers
  /** Precedes the series until the receiver has it: without it `rate()` never sees the first events. */
  readonly zero: DataPoint<number>
  zeroAcknowledged = false
  acknowledgedValue = 0
  acknowledgedAtMs = Number.NEGATIVE_INFINITY

  constructor(attributes: Attributes, startMs: number, delivers?: Delivers) {
    this.attributes = attributes
    this.startMs = startMs
    this.start = toHrTime(startMs)
    this.delivers = delivers
    this.zero = { startTime: this.start, endTime: this.start, attributes, value: 0 }
  }

  isDelivered(value: number): boolean {
    return this.acknowledgedAtMs !== Number.NEGATIVE_INFINITY && this.acknowledgedValue === value
  }
}

/** The time of one collection. */
export interface Moment {
  readonly nowMs: number
  readonly now: HrTime
  /** The agent's start, from which on it counts. */
  readonly start: HrTime
  /** Attributes that each point carries. */
  readonly everyPoint: Attributes
}

export class SeriesWriter {
  /** What the receiver has acknowledged of `podweir.network.flow.*`. */
  readonly delivered = { packets: 0, bytes: 0 }
  readonly #resendUnchangedMs: number
  readonly #everyPoint: Attributes
  readonly #seriesOf = new WeakMap<DataPoint<number>, Series>()

  /** `everyPoint`: attributes that each point of each series carries. */
  constructor(resendUnchangedMs: number, everyPoint: Attributes = {}) {
    this.#resendUnchangedMs = resendUnchangedMs
    this.#everyPoint = everyPoint
  }

  begin(attributes: Attributes, startMs: number, delivers?: Delivers): Series {
    return new Series({ ...attributes, ...this.#everyPoint }, startMs, delivers)
  }

  /** Adds the series' points to a request, if the receiver does not have this value or has not heard of it for long. */
  write(points: Points, series: Series, value: number, moment: Pick<Moment, 'nowMs' | 'now'>): void {
    if (series.isDelivered(value) && moment.nowMs - series.acknowledgedAtMs < this.#resendUnchangedMs) return
    if (!series.zeroAcknowledged) this.#push(points, series, series.zero)
    // A clock that was set back, or a series younger than its resolution: a point must not end before it starts.
    const endTime = moment.nowMs > series.startMs ? moment.now : toHrTime(series.startMs + 1)
    this.#push(points, series, { startTime: series.start, endTime, attributes: series.attributes, value })
  }

  /** Only the points in it count: a request may be a part of what was collected. */
  acknowledge(metrics: ResourceMetrics): void {
    for (const scope of metrics.scopeMetrics)
      for (const metric of scope.metrics)
        for (const point of metric.dataPoints as Points) {
          const series = this.#seriesOf.get(point)
          if (series) this.#acknowledgePoint(series, point)
        }
  }

  /** Requests may be acknowledged in another order than they were sent: the highest value stays. */
  #acknowledgePoint(series: Series, point: DataPoint<number>): void {
    // Also by a later point alone: a zero after it would be out of order, for which some receivers refuse the request.
    series.zeroAcknowledged = true
    if (point === series.zero) return
    series.acknowledgedAtMs = Math.max(series.acknowledgedAtMs, toMs(point.endTime))
    const increase = point.value - series.acknowledgedValue
    if (increase <= 0) return
    series.acknowledgedValue = point.value
    if (series.delivers) this.delivered[series.delivers] += increase
  }

  #push(points: Points, series: Series, point: DataPoint<number>): void {
    points.push(point)
    this.#seriesOf.set(point, series)
  }
}
