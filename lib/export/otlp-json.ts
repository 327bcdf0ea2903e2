// A request as OTLP JSON, the way the Collector's file exporter writes it: 64-bit integers as strings, enums as numbers,
// fields that hold their type's zero left out where the Collector leaves them out.
import { type Attributes, type HrTime, ValueType } from '@opentelemetry/api'
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type ExponentialHistogram,
  type Histogram,
  type MetricData,
  type ResourceMetrics,
  type ScopeMetrics,
} from '@opentelemetry/sdk-metrics'
import { attributesJson, doubleJson, integerJson, type Json, nonEmpty } from '../encode/attribute-json.ts'

/** One line without its line end. */
export function otlpJson(metrics: ResourceMetrics): string {
  const { resource } = metrics
  const entry = {
    resource: { attributes: attributesJson(resource.attributes as Attributes) },
    scopeMetrics: metrics.scopeMetrics.map(scopeJson),
    schemaUrl: resource.schemaUrl || undefined,
  }
  return JSON.stringify({ resourceMetrics: [entry] })
}

function scopeJson({ scope, metrics }: ScopeMetrics): Json {
  return {
    scope: { name: scope.name || undefined, version: scope.version || undefined },
    metrics: metrics.map(metricJson),
    schemaUrl: scope.schemaUrl || undefined,
  }
}

function metricJson(metric: MetricData): Json {
  const { name, description, unit, valueType } = metric.descriptor
  const head = { name, description: description || undefined, unit: unit || undefined }
  const aggregationTemporality = metric.aggregationTemporality === AggregationTemporality.DELTA ? 1 : 2
  switch (metric.dataPointType) {
    case DataPointType.SUM: {
      const dataPoints = metric.dataPoints.map(point => numberJson(point, valueType))
      return { ...head, sum: { aggregationTemporality, isMonotonic: metric.isMonotonic || undefined, dataPoints } }
    }
    case DataPointType.GAUGE:
      return { ...head, gauge: { dataPoints: metric.dataPoints.map(point => numberJson(point, valueType)) } }
    case DataPointType.HISTOGRAM:
      return { ...head, histogram: { aggregationTemporality, dataPoints: metric.dataPoints.map(histogramJson) } }
    case DataPointType.EXPONENTIAL_HISTOGRAM: {
      const dataPoints = metric.dataPoints.map(exponentialJson)
      return { ...head, exponentialHistogram: { aggregationTemporality, dataPoints } }
    }
  }
}

function pointJson(point: DataPoint<unknown>): Json {
  return {
    attributes: attributesJson(point.attributes),
    startTimeUnixNano: nanosJson(point.startTime),
    timeUnixNano: nanosJson(point.endTime),
  }
}

function numberJson(point: DataPoint<number>, valueType: ValueType): Json {
  const value =
    valueType === ValueType.INT ? { asInt: integerJson(point.value) } : { asDouble: doubleJson(point.value) }
  return { ...pointJson(point), ...value }
}

function histogramJson(point: DataPoint<Histogram>): Json {
  const { count, sum, min, max, buckets } = point.value
  return {
    ...pointJson(point),
    count: nonZero(count),
    sum: optional(sum),
    bucketCounts: nonEmpty(buckets.counts.map(integerJson)),
    explicitBounds: nonEmpty(buckets.boundaries.map(doubleJson)),
    min: optional(min),
    max: optional(max),
  }
}

function exponentialJson(point: DataPoint<ExponentialHistogram>): Json {
  const { count, sum, min, max, scale, zeroCount, positive, negative } = point.value
  return {
    ...pointJson(point),
    count: nonZero(count),
    sum: optional(sum),
    scale: scale || undefined,
    zeroCount: nonZero(zeroCount),
    positive: bucketsJson(positive),
    negative: bucketsJson(negative),
    min: optional(min),
    max: optional(max),
  }
}

function bucketsJson({ offset, bucketCounts }: ExponentialHistogram['positive']): Json {
  return { offset: offset || undefined, bucketCounts: nonEmpty(bucketCounts.map(integerJson)) }
}

function nonZero(value: number): string | undefined {
  return value === 0 ? undefined : integerJson(value)
}

function optional(value: number | undefined): number | string | undefined {
  return value === undefined ? undefined : doubleJson(value)
}

function nanosJson([seconds, nanos]: HrTime): string | undefined {
  if (seconds === 0) return nanos === 0 ? undefined : String(nanos)
  return `${seconds}${String(nanos).padStart(9, '0')}`
}
