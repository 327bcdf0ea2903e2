// Writes requests readably to stdout.
import type { Writable } from 'node:stream'
import type { Attributes, HrTime } from '@opentelemetry/api'
import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import {
  type DataPoint,
  DataPointType,
  type MetricData,
  type PushMetricExporter,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics'
import type { DebugExporterConfig } from '../config/exporters.ts'
import { printable } from '../encode/printable.ts'

/** `basic`: a line per request. `normal`: a line per data point. `detailed`: times and resource too. */
type Verbosity = DebugExporterConfig['verbosity']

export class DebugExporter implements PushMetricExporter {
  readonly #verbosity: Verbosity
  readonly #out: Writable

  constructor(verbosity: Verbosity, out: Writable = process.stdout) {
    this.#verbosity = verbosity
    this.#out = out
  }

  export(metrics: ResourceMetrics, done: (result: ExportResult) => void): void {
    this.#out.write(`${requestLines(metrics, this.#verbosity).join('\n')}\n`, error => {
      done(error ? { code: ExportResultCode.FAILED, error } : { code: ExportResultCode.SUCCESS })
    })
  }

  async forceFlush(): Promise<void> {}

  async shutdown(): Promise<void> {}
}

function requestLines(metrics: ResourceMetrics, verbosity: Verbosity): string[] {
  if (verbosity === 'basic') return [summaryLine(metrics)]
  const detailed = verbosity === 'detailed'
  const lines: string[] = []
  if (detailed) lines.push(`resource ${attributesText(metrics.resource.attributes as Attributes)}`)
  for (const { scope, metrics: list } of metrics.scopeMetrics) {
    if (detailed) lines.push(`scope ${printable(scope.name)} ${printable(scope.version ?? '')}`.trimEnd())
    for (const metric of list) pushPoints(lines, metric, detailed)
  }
  return lines
}

function summaryLine({ scopeMetrics }: ResourceMetrics): string {
  let [metricCount, points] = [0, 0]
  let last: HrTime | undefined
  for (const metric of scopeMetrics.flatMap(scope => scope.metrics)) {
    metricCount++
    points += metric.dataPoints.length
    last = metric.dataPoints.at(-1)?.endTime ?? last
  }
  return `${last ? `${timeText(last)} ` : ''}metrics: ${metricCount}, data points: ${points}`
}

function pushPoints(lines: string[], metric: MetricData, detailed: boolean): void {
  const { name, unit } = metric.descriptor
  for (const point of metric.dataPoints) {
    const line = `${printable(name)}${attributesText(point.attributes)} ${valueText(metric.dataPointType, point)} ${printable(unit)}`
    const times = ` start=${timeText(point.startTime)} time=${timeText(point.endTime)}`
    lines.push(detailed ? line.trimEnd() + times : line.trimEnd())
  }
}

function attributesText(attributes: Attributes): string {
  const pairs = Object.entries(attributes).map(([key, value]) => `${printable(key)}=${printable(String(value))}`)
  return `{${pairs.join(', ')}}`
}

function valueText(type: DataPointType, { value }: DataPoint<unknown>): string {
  if (type === DataPointType.SUM || type === DataPointType.GAUGE) return String(value)
  const { count, sum, min, max } = value as { count: number; sum?: number; min?: number; max?: number }
  const parts = Object.entries({ count, sum, min, max }).filter(([, part]) => part !== undefined)
  return parts.map(([key, part]) => `${key}=${part}`).join(' ')
}

function timeText([seconds, nanos]: HrTime): string {
  return new Date(seconds * 1000 + Math.floor(nanos / 1e6)).toISOString()
}
