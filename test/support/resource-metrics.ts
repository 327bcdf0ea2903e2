// Builds requests: every kind of metric, attribute and edge value that a request can hold.
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

const everyAttribute: Attributes = {
  text: 'shop/cart',
  unicode: 'Zürich \u2192 \u{1f680} "quoted" <&>',
  empty: '',
  control: 'bell\u0007 del\u007f csi\u009b line\u2028',
  lone: 'half a pair \ud800',
  zero: 0,
  port: 8080,
  negative: -17,
  big: 2 ** 53,
  huge: 2 ** 60,
  fraction: 0.1,
  tiny: 5e-324,
  large: 1e21,
  yes: true,
  no: false,
  texts: ['a', '', 'c'],
  numbers: [1, 2, 3],
  none: [],
}

/** Everything at once: what the Collector's file and ours must show alike. */
export function everything(): ResourceMetrics {
  const intValues = [0, 1, -1, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1, 2 ** 53, 2 ** 60]
  const doubleValues = [0, 0.5, -1.25, 1e21, 5e-324, 123456789012]
  const metrics: MetricData[] = [
    sum('sum.int', [point(7, everyAttribute), ...intValues.map((value, i) => point(value, { i }))]),
    sum(
      'sum.double',
      doubleValues.map((value, i) => point(value, { i })),
      ValueType.DOUBLE,
    ),
    { ...sum('sum.updown', [point(-3)]), isMonotonic: false } as MetricData,
    { ...sum('sum.delta', [point(3)]), aggregationTemporality: AggregationTemporality.DELTA },
    bare(),
    gauge('gauge.int', [point(0), point(12, { cpu: '0' })], ValueType.INT),
    gauge(
      'gauge.double',
      [0.25, Number.NaN, Infinity, -Infinity].map((value, i) => point(value, { i })),
      ValueType.DOUBLE,
    ),
    histogram(),
    exponentialHistogram(),
  ]
  const resource = resourceFromAttributes(everyAttribute, { schemaUrl: 'https://opentelemetry.io/schemas/1.40.0' })
  const scopes = [
    { scope: { name: 'podweir', version: '0.1.0', schemaUrl: 'https://opentelemetry.io/schemas/1.39.0' }, metrics },
    { scope: { name: 'second' }, metrics: [sum('sum.second', [point(1)])] },
    { scope: { name: '' }, metrics: [sum('sum.nameless', [point(1)])] },
  ]
  return { resource, scopeMetrics: scopes }
}

/** No description, no unit, no start time. */
function bare(): MetricData {
  const metric = sum('bare', [{ ...point(1), startTime: [0, 0] }])
  return { ...metric, descriptor: { ...metric.descriptor, description: '', unit: '' } }
}

function gauge(name: string, dataPoints: DataPoint<number>[], valueType: ValueType): MetricData {
  return {
    descriptor: { name, description: '', unit: '1', valueType },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPointType: DataPointType.GAUGE,
    dataPoints,
  }
}

function histogram(): MetricData {
  const boundaries = [0, 0.5, 1]
  const full = { count: 6, sum: 3.5, min: 0.1, max: 2, buckets: { boundaries, counts: [0, 2, 3, 1] } }
  const empty = { count: 0, sum: 0, min: 0, max: 0, buckets: { boundaries, counts: [0, 0, 0, 0] } }
  const bucketless = { count: 2, sum: 0.75, buckets: { boundaries: [], counts: [] } }
  return {
    descriptor: { name: 'histogram', description: 'd', unit: 's', valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPointType: DataPointType.HISTOGRAM,
    dataPoints: [point(full), point(empty, { empty: true }), point(bucketless)],
  }
}

function exponentialHistogram(): MetricData {
  const none = { offset: 0, bucketCounts: [] }
  const positive = { offset: -3, bucketCounts: [1, 0, 4] }
  const full = { count: 6, sum: 3.5, min: 0.1, max: 2, scale: 2, zeroCount: 1, positive, negative: none }
  const empty = { count: 0, scale: 0, zeroCount: 0, positive: none, negative: none }
  return {
    descriptor: { name: 'exponential', description: 'd', unit: 's', valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPointType: DataPointType.EXPONENTIAL_HISTOGRAM,
    dataPoints: [point(full), point(empty)],
  }
}
