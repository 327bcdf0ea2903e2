// Field numbers of opentelemetry/proto/metrics/v1/metrics.proto.

/** Of Metric: what kind of points it has. */
export const DataField = { gauge: 5, sum: 7, histogram: 9, exponential: 10 } as const
export type DataField = (typeof DataField)[keyof typeof DataField]

export const Field = {
  request: { resourceMetrics: 1 },
  resourceMetrics: { resource: 1, scopeMetrics: 2, schemaUrl: 3 },
  scopeMetrics: { metrics: 2, schemaUrl: 3 },
  metric: { name: 1, description: 2, unit: 3 },
  data: { points: 1, temporality: 2, isMonotonic: 3 },
  /** Of points of all kinds. */
  point: { start: 2, time: 3 },
  number: { asDouble: 4, asInt: 6, flags: 8 },
  /** Up to here of both kinds of histograms. */
  histogram: { count: 4, sum: 5, flags: 10 },
  explicit: { bucketCounts: 6, bounds: 7, exemplars: 8 },
  exponential: { scale: 6, zeroCount: 7, positive: 8, exemplars: 11, zeroThreshold: 14 },
  buckets: { offset: 1, counts: 2 },
  exemplar: { time: 2, asDouble: 3, spanId: 4, traceId: 5 },
} as const

/** AggregationTemporality. */
export const Temporality = { delta: 1, cumulative: 2 } as const

/** DataPointFlags: the series has ended. */
export const NO_RECORDED_VALUE = 1
