// Requests as the SDK has them, for its own serializers.
import { type Attributes, type HrTime, ValueType } from '@opentelemetry/api'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type MetricData,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics'

export const startTime: HrTime = [1_763_730_000, 5]
export const endTime: HrTime = [1_763_730_010, 250_000_000]

export function point<T>(value: T, attributes: Attributes = {}): DataPoint<T> {
  return { startTime, endTime, attributes, value }
}

export function sum(name: string, dataPoints: DataPoint<number>[], valueType = ValueType.INT): MetricData {
  return {
    descriptor: { name, description: `what ${name} counts`, unit: 'By', valueType },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPointType: DataPointType.SUM,
    isMonotonic: true,
    dataPoints,
  }
}

export function request(metrics: MetricData[]): ResourceMetrics {
  const resource = resourceFromAttributes({ 'service.name': 'podweir', 'host.name': 'node-1' })
  return { resource, scopeMetrics: [{ scope: { name: 'podweir', version: '0.1.0' }, metrics }] }
}
