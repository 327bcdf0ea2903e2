// Where metrics go, one point after the other and without an object for each: a format, or the SDK's own objects.
import type { AttributeSet, SignalResource } from './attribute-set.ts'
import type { Metric } from './metric-names.ts'

/**
 * Called in this order: resource, then metrics, each with its points. A resource or a metric may come again. A point's
 * attributes are those of `base` and then those of `more`, which share no key. Times are wall clock, ms since 1970.
 */
export interface MetricSink {
  /** What follows belongs to this resource. */
  resource(resource: SignalResource): void
  /** What follows are points of this metric. */
  metric(metric: Metric): void
  /** Of a counter, up-down counter or gauge; whole, unless the metric's unit is `s`. */
  number(base: AttributeSet, more: AttributeSet | undefined, startMs: number, timeMs: number, value: number): void
  histogram(
    base: AttributeSet,
    more: AttributeSet | undefined,
    startMs: number,
    timeMs: number,
    histogram: HistogramValue,
  ): void
  /** The series has ended: a point without a recorded value. */
  ended(base: AttributeSet, more: AttributeSet | undefined, startMs: number, timeMs: number): void
}

/** A sink in which requests grow. */
export interface RequestSink extends MetricSink {
  /** Of the request in the making. */
  readonly bytes: number
  /** Its points. */
  readonly items: number
}

/** Borrowed: a sink copies what it keeps. */
export interface HistogramValue {
  readonly count: number
  /** Seconds. */
  readonly sum: number
  /** Upper bounds, each in its bucket; powers of two of a second. */
  readonly bounds: readonly number[]
  /** One more than bounds. */
  readonly counts: ArrayLike<number>
  readonly exemplars?: readonly Exemplar[]
}

/** One measured value and the span that it belongs to. */
export interface Exemplar {
  readonly timeMs: number
  /** Seconds. */
  readonly value: number
  /** 32 hex digits. */
  readonly traceId: string
  /** 16 hex digits. */
  readonly spanId: string
}
