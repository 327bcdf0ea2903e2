// The points that a file exporter wrote, request by request.
import { hasValue } from './collected-otlp.ts'
import type { OtlpPoint, OtlpRequest } from './collector.ts'

/** Whole lines only: a killed agent may have been in the middle of one. */
export function requestsIn(text: string): OtlpRequest[] {
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n')
  return lines.filter(line => line !== '').map(line => JSON.parse(line) as OtlpRequest)
}

/** Of the sums of that name, in the order in which they were written. */
export function pointsOf(requests: readonly OtlpRequest[], metric: string): OtlpPoint[] {
  const metrics = requests.flatMap(({ resourceMetrics }) =>
    resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(each => each.metrics)),
  )
  return metrics.filter(({ name }) => name === metric).flatMap(({ sum }) => (sum?.dataPoints ?? []).filter(hasValue))
}
