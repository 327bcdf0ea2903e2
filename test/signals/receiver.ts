// A receiver of metrics as the protocol sees one: it keeps the last value of each stream of what it has taken.
import type { Attributes, HrTime } from '@opentelemetry/api'
import {
  type DataPoint,
  DataPointType,
  type Histogram,
  type MetricData,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics'
import { toMs } from '../../lib/signals/sdk-sink.ts'

export class Receiver {
  /** Latest value by metric, attributes and start time; of a histogram its count. */
  readonly #streams = new Map<string, { metric: string; attributes: Attributes; value: number; endMs: number }>()

  take(metrics: ResourceMetrics): void {
    for (const metric of metricsOf(metrics))
      for (const point of pointsOf(metric)) {
        const key = streamOf(metric, point)
        const endMs = toMs(point.endTime)
        if (endMs < (this.#streams.get(key)?.endMs ?? 0)) continue
        const value = metric.dataPointType === DataPointType.HISTOGRAM ? countOf(point) : point.value
        this.#streams.set(key, { metric: metric.descriptor.name, attributes: point.attributes, value, endMs })
      }
  }

  sum(metricName: string, has: (attributes: Attributes) => boolean = () => true): number {
    let sum = 0
    for (const { metric, attributes, value } of this.#streams.values())
      if (metric === metricName && has(attributes)) sum += value
    return sum
  }
}

const streams = new WeakMap<DataPoint<unknown>, string>()

function streamOf({ descriptor }: MetricData, point: DataPoint<unknown>): string {
  const known = streams.get(point)
  if (known !== undefined) return known
  const stream = streamKey(descriptor.name, point.attributes, point.startTime)
  streams.set(point, stream)
  return stream
}

export function streamKey(metric: string, attributes: Attributes, startTime: HrTime): string {
  return `${metric} ${JSON.stringify(Object.entries(attributes).sort())} ${startTime}`
}

export function streamsOf(metrics: ResourceMetrics): string[] {
  return metricsOf(metrics).flatMap(metric => pointsOf(metric).map(point => streamOf(metric, point)))
}

function countOf(point: DataPoint<unknown>): number {
  return (point as DataPoint<Histogram>).value.count
}

export function metricsOf(metrics: ResourceMetrics): MetricData[] {
  return metrics.scopeMetrics.flatMap(scope => scope.metrics)
}

export function pointsOf(metric: MetricData): DataPoint<number>[] {
  return metric.dataPoints as DataPoint<number>[]
}

/** The points of one metric, those with these attributes. */
export function pointsNamed(metrics: ResourceMetrics, name: string, attributes: Attributes = {}): DataPoint<number>[] {
  return metricsOf(metrics)
    .filter(metric => metric.descriptor.name === name)
    .flatMap(pointsOf)
    .filter(point => Object.entries(attributes).every(([key, value]) => point.attributes[key] === value))
}

export function valuesNamed(metrics: ResourceMetrics, name: string, attributes: Attributes = {}): number[] {
  return pointsNamed(metrics, name, attributes).map(point => point.value)
}

/** A request that has some of the streams: those of which the last point is to be kept, each with its zero. */
export function partOf(metrics: ResourceMetrics, keep: (point: DataPoint<number>) => boolean): ResourceMetrics {
  const isKept = new Map<string, boolean>()
  for (const metric of metricsOf(metrics))
    for (const point of pointsOf(metric)) isKept.set(streamOf(metric, point), keep(point))
  const scopeMetrics = metrics.scopeMetrics.map(({ scope, metrics }) => ({
    scope,
    metrics: metrics.map(metric => {
      const dataPoints = pointsOf(metric).filter(point => isKept.get(streamOf(metric, point)))
      return { ...metric, dataPoints } as MetricData
    }),
  }))
  return { resource: metrics.resource, scopeMetrics }
}
