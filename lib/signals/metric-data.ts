// Metrics in the shape of the OpenTelemetry SDK: whole numbers, cumulative.
import { type HrTime, ValueType } from '@opentelemetry/api'
import { AggregationTemporality, type DataPoint, DataPointType, type MetricData } from '@opentelemetry/sdk-metrics'
import type { Metric } from './metric-names.ts'

export type Points = DataPoint<number>[]

export function metricData(metric: Metric, dataPoints: Points): MetricData {
  const { name, unit, description, instrument } = metric
  const base = {
    descriptor: { name, unit, description, valueType: ValueType.INT },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPoints,
  }
  if (instrument === 'gauge') return { ...base, dataPointType: DataPointType.GAUGE }
  return { ...base, dataPointType: DataPointType.SUM, isMonotonic: instrument === 'counter' }
}

export function toHrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000)
  return [seconds, Math.floor((ms - seconds * 1000) * 1e6)]
}

export function toMs(time: HrTime): number {
  return time[0] * 1000 + time[1] / 1e6
}
