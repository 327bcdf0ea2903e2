// A receiver of metrics as the protocol sees one: it keeps the last value of each stream of what it has taken.
import type { Attributes } from '@opentelemetry/api'
import {
  type DataPoint,
  DataPointType,
  type Histogram,
  type MetricData,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics'
import { toMs } from '../../lib/signals/metric-data.ts'

export class Receiver {
  /** Latest value by metric, attributes and start time; of a histogram its count. */
  readonly #streams = new Map<string, { metric: string; value: number; endMs: number }>()

  take(metrics: ResourceMetrics): void {
    for (const metric of metricsOf(metrics))
      for (const point of pointsOf(metric)) {
        const attributes = JSON.stringify(Object.entries(point.attributes).sort())
        const key = `${metric.descriptor.name} ${attributes} ${point.startTime}`
        const endMs = toMs(point.endTime)
        if (endMs < (this.#streams.get(key)?.endMs ?? 0)) continue
        const value = metric.dataPointType === DataPointType.HISTOGRAM ? countOf(point) : point.value
        this.#streams.set(key, { metric: metric.descriptor.name, value, endMs })
      }
  }

  sum(metricName: string): number {
    let sum = 0
    for (const { metric, value } of this.#streams.values()) if (metric === metricName) sum += value
    return sum
  }
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

/** What the SDK's reader does with a request that is too large: every n-th point, the DataPoint objects as they are. */
export function partOf(
  metrics: ResourceMetrics,
  keep: (point: DataPoint<number>, index: number) => boolean,
): ResourceMetrics {
  let index = 0
  const scopeMetrics = metrics.scopeMetrics.map(({ scope, metrics }) => ({
    scope,
    metrics: metrics.map(
      metric => ({ ...metric, dataPoints: pointsOf(metric).filter(each => keep(each, index++)) }) as MetricData,
    ),
  }))
  return { resource: metrics.resource, scopeMetrics }
}
