// Metrics in the shape of the OpenTelemetry SDK, as its readers and serializers take them.
import { type Attributes, type HrTime, ValueType } from '@opentelemetry/api'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type Histogram,
  type MetricData,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics'
import type { AttributeSet, SignalResource } from './attribute-set.ts'
import { isWhole, type Metric } from './metric-names.ts'
import type { HistogramValue, MetricSink } from './metric-sink.ts'

interface Scope {
  readonly name: string
  readonly version: string
  readonly schemaUrl?: string
}

interface OfResource {
  readonly resource: SignalResource
  readonly metrics: Map<Metric, DataPoint<unknown>[]>
}

/** Explicit histograms alone, and no ends of series: the SDK has no word for them. */
export class SdkSink implements MetricSink {
  readonly #resources = new Map<SignalResource, OfResource>()
  #metrics: Map<Metric, DataPoint<unknown>[]> = new Map()
  #points: DataPoint<unknown>[] = []

  resource(resource: SignalResource): void {
    const known = this.#resources.get(resource) ?? { resource, metrics: new Map() }
    this.#resources.set(resource, known)
    this.#metrics = known.metrics
  }

  metric(metric: Metric): void {
    this.#points = this.#metrics.get(metric) ?? []
    this.#metrics.set(metric, this.#points)
  }

  number(base: AttributeSet, more: AttributeSet | undefined, startMs: number, timeMs: number, value: number): void {
    this.#points.push(pointOf(base, more, startMs, timeMs, value))
  }

  histogram(
    base: AttributeSet,
    more: AttributeSet | undefined,
    startMs: number,
    timeMs: number,
    { count, sum, bounds, counts }: HistogramValue,
  ): void {
    const buckets = { boundaries: [...bounds], counts: Array.from(counts) }
    const value: Histogram = { count, sum, buckets }
    this.#points.push(pointOf(base, more, startMs, timeMs, value))
  }

  ended(): void {}

  /** One for each resource. */
  take(scope: Scope, isDelta = false): ResourceMetrics[] {
    const temporality = isDelta ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE
    const { schemaUrl } = scope
    const taken = [...this.#resources.values()].map(({ resource, metrics }) => ({
      resource: resourceFromAttributes(resource.set.attributes, schemaUrl === undefined ? {} : { schemaUrl }),
      scopeMetrics: [
        { scope, metrics: [...metrics].map(([metric, points]) => metricData(metric, points, temporality)) },
      ],
    }))
    this.#resources.clear()
    return taken
  }
}

function pointOf<Value>(
  base: AttributeSet,
  more: AttributeSet | undefined,
  startMs: number,
  timeMs: number,
  value: Value,
): DataPoint<Value> {
  const attributes: Attributes = more ? { ...base.attributes, ...more.attributes } : base.attributes
  return { startTime: toHrTime(startMs), endTime: toHrTime(timeMs), attributes, value }
}

function metricData(metric: Metric, points: DataPoint<unknown>[], preferred: AggregationTemporality): MetricData {
  const { name, unit, description, instrument } = metric
  const descriptor = { name, unit, description, valueType: isWhole(metric) ? ValueType.INT : ValueType.DOUBLE }
  const aggregationTemporality = instrument === 'up_down_counter' ? AggregationTemporality.CUMULATIVE : preferred
  const head = { descriptor, aggregationTemporality }
  if (instrument === 'histogram')
    return { ...head, dataPointType: DataPointType.HISTOGRAM, dataPoints: points as DataPoint<Histogram>[] }
  const dataPoints = points as DataPoint<number>[]
  if (instrument === 'gauge') return { ...head, dataPointType: DataPointType.GAUGE, dataPoints }
  return { ...head, dataPointType: DataPointType.SUM, isMonotonic: instrument === 'counter', dataPoints }
}

export function toHrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000)
  return [seconds, Math.floor((ms - seconds * 1000) * 1e6)]
}

export function toMs([seconds, nanoseconds]: HrTime): number {
  return seconds * 1000 + nanoseconds / 1e6
}
