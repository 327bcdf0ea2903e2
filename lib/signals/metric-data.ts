// Metrics in the shape of the OpenTelemetry SDK, cumulative.
import { type HrTime, ValueType } from '@opentelemetry/api'
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type Histogram,
  type MetricData,
} from '@opentelemetry/sdk-metrics'
import type { Metric } from './metric-names.ts'

export type Points = DataPoint<number>[]
export type HistogramPoints = DataPoint<Histogram>[]

/** Whole numbers, but for what is in seconds. */
export function metricData(metric: Metric, dataPoints: Points): MetricData {
  const base = { ...head(metric), dataPoints }
  if (metric.instrument === 'gauge') return { ...base, dataPointType: DataPointType.GAUGE }
  return { ...base, dataPointType: DataPointType.SUM, isMonotonic: metric.instrument === 'counter' }
}

export function histogramData(metric: Metric, dataPoints: HistogramPoints): MetricData {
  return { ...head(metric), dataPoints, dataPointType: DataPointType.HISTOGRAM }
}

function head({ name, unit, description }: Metric) {
  const valueType = unit === 's' ? ValueType.DOUBLE : ValueType.INT
  return {
    descriptor: { name, unit, description, valueType },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  }
}

export function toHrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000)
  return [seconds, Math.floor((ms - seconds * 1000) * 1e6)]
}

export function toMs(time: HrTime): number {
  return time[0] * 1000 + time[1] / 1e6
}
