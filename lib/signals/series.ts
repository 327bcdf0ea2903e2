// Values on their way to one receiver: each is sent until it is acknowledged, so that nothing is lost and nothing twice.
import type { Attributes, HrTime } from '@opentelemetry/api'
import type { DataPoint, Histogram, ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { toHrTime, toMs } from './metric-data.ts'

/** What acknowledged values of a series add to: the ledger's stage `exported`. */
export type Delivers = 'packets' | 'bytes' | undefined

/** Knows its series: looking it up in a weak map was most of a quiet agent's work, and of its garbage collection's. */
class SentPoint<Value> implements DataPoint<Value> {
  readonly startTime: HrTime
  readonly endTime: HrTime
  readonly attributes: Attributes
  readonly value: Value
  readonly #series: SentSeries<Value>

  constructor(series: SentSeries<Value>, endTime: HrTime, value: Value) {
    this.startTime = series.start
    this.endTime = endTime
    this.attributes = series.attributes
    this.value = value
    this.#series = series
  }

  /** undefined: the point is not one of ours. */
  static seriesOf(point: DataPoint<unknown> | SentPoint<unknown>): SentSeries<unknown> | undefined {
    return #series in point ? point.#series : undefined
  }
}

/** One series of one receiver. */
export abstract class SentSeries<Value> {
  readonly attributes: Attributes
  readonly startMs: number
  readonly start: HrTime
  /** Precedes the series until the receiver has it: without it `rate()` never sees the first events. Absent where values may fall. */
  readonly zero: DataPoint<Value> | undefined
  zeroAcknowledged = false
  /** Tells acknowledged values apart. */
  acknowledgedMark = 0
  acknowledgedAtMs = Number.NEGATIVE_INFINITY

  constructor(attributes: Attributes, startMs: number, zero: Value | undefined) {
    this.attributes = attributes
    this.startMs = startMs
    this.start = toHrTime(startMs)
    this.zero = zero === undefined ? undefined : new SentPoint(this, this.start, zero)
  }

  /** `mark`: of the value that there is now. */
  isDelivered(mark: number): boolean {
    return this.acknowledgedAtMs !== Number.NEGATIVE_INFINITY && this.acknowledgedMark === mark
  }

  /** How much was acknowledged for the first time. */
  acknowledge(point: DataPoint<Value>): number {
    // Also by a later point alone: a zero after it would be out of order, for which some receivers refuse the request.
    this.zeroAcknowledged = true
    if (point === this.zero) return 0
    const before = this.acknowledgedMark
    const atMs = toMs(point.endTime)
    const mark = this.markOf(point.value)
    if (this.supersedes(mark, atMs)) this.acknowledgedMark = mark
    this.acknowledgedAtMs = Math.max(this.acknowledgedAtMs, atMs)
    return this.acknowledgedMark - before
  }

  protected abstract markOf(value: Value): number

  /** Requests may be acknowledged in another order than they were sent. Of what never falls the highest value is the newest. */
  protected supersedes(mark: number, _atMs: number): boolean {
    return mark > this.acknowledgedMark
  }
}

/** A counter. */
export class Series extends SentSeries<number> {
  readonly delivers: Delivers

  constructor(attributes: Attributes, startMs: number, delivers?: Delivers) {
    super(attributes, startMs, 0)
    this.delivers = delivers
  }

  protected override markOf(value: number): number {
    return value
  }
}

/** An up-down counter. */
export class LevelSeries extends SentSeries<number> {
  constructor(attributes: Attributes, startMs: number) {
    super(attributes, startMs, undefined)
  }

  protected override markOf(value: number): number {
    return value
  }

  protected override supersedes(_mark: number, atMs: number): boolean {
    return atMs >= this.acknowledgedAtMs
  }
}

export class HistogramSeries extends SentSeries<Histogram> {
  constructor(attributes: Attributes, startMs: number, boundaries: readonly number[]) {
    const counts = new Array<number>(boundaries.length + 1).fill(0)
    super(attributes, startMs, { buckets: { boundaries: [...boundaries], counts }, count: 0, sum: 0 })
  }

  /** With each sample another. */
  protected override markOf({ count }: Histogram): number {
    return count
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

type At = Pick<Moment, 'nowMs' | 'now'>

export class SeriesWriter {
  /** What the receiver has acknowledged of `podweir.network.flow.*`. */
  readonly delivered = { packets: 0, bytes: 0 }
  readonly #resendUnchangedMs: number
  readonly #everyPoint: Attributes
  readonly #sinceMs: number

  /**
   * `everyPoint`: attributes that each point of each series carries. `sinceMs`: what started before was begun by an agent
   * before this one, and goes on.
   */
  constructor(resendUnchangedMs: number, everyPoint: Attributes = {}, sinceMs = 0) {
    this.#resendUnchangedMs = resendUnchangedMs
    this.#everyPoint = everyPoint
    this.#sinceMs = sinceMs
  }

  begin(attributes: Attributes, startMs: number, delivers?: Delivers): Series {
    const series = new Series({ ...attributes, ...this.#everyPoint }, startMs, delivers)
    if (startMs < this.#sinceMs) series.zeroAcknowledged = true
    return series
  }

  beginLevel(attributes: Attributes, startMs: number): LevelSeries {
    return new LevelSeries({ ...attributes, ...this.#everyPoint }, startMs)
  }

  beginHistogram(attributes: Attributes, startMs: number, boundaries: readonly number[]): HistogramSeries {
    return new HistogramSeries({ ...attributes, ...this.#everyPoint }, startMs, boundaries)
  }

  /** Adds the series' points to a request if it is due. */
  write(points: DataPoint<number>[], series: SentSeries<number>, value: number, at: At): void {
    if (this.isDue(series, value, at)) this.push(points, series, value, at)
  }

  /** The receiver does not have this value, or has not heard of it for long. */
  isDue(series: SentSeries<unknown>, mark: number, { nowMs }: At): boolean {
    return !series.isDelivered(mark) || nowMs - series.acknowledgedAtMs >= this.#resendUnchangedMs
  }

  push<Value>(points: DataPoint<Value>[], series: SentSeries<Value>, value: Value, { nowMs, now }: At): void {
    if (series.zero && !series.zeroAcknowledged) points.push(series.zero)
    // A clock that was set back, or a series younger than its resolution: a point must not end before it starts.
    const endTime = nowMs > series.startMs ? now : toHrTime(series.startMs + 1)
    points.push(new SentPoint(series, endTime, value))
  }

  /** Only the points in it count: a request may be a part of what was collected. */
  acknowledge(metrics: ResourceMetrics): void {
    for (const scope of metrics.scopeMetrics)
      for (const metric of scope.metrics)
        for (const point of metric.dataPoints as DataPoint<unknown>[]) {
          const series = SentPoint.seriesOf(point)
          const more = series?.acknowledge(point)
          if (more && series instanceof Series && series.delivers) this.delivered[series.delivers] += more
        }
  }
}
