// Metrics as a walk tells them to a sink: of every kind, with every attribute and value that they can have.
import type { EncodedRequest } from '../../lib/encode/encoded-request.ts'
import { MetricJsonEncoder } from '../../lib/encode/metric-json.ts'
import { AttributeSet, type SignalResource } from '../../lib/signals/attribute-set.ts'
import type { Instrument, Metric } from '../../lib/signals/metric-names.ts'
import type { Exemplar, HistogramValue, MetricSink } from '../../lib/signals/metric-sink.ts'
import { everyAttribute, hex, scope, signalResource } from './event-records.ts'

export const START_MS = 1_763_730_000_000
export const END_MS = 1_763_730_010_250

export const agent = signalResource({ 'service.name': 'podweir', 'host.name': 'node-1' })

export function metricNamed(name: string, instrument: Instrument = 'counter', unit = 'By'): Metric {
  return { name, instrument, unit, description: `what ${name} counts`, attributes: [] }
}

const plain = new AttributeSet({})
const request = new AttributeSet({ 'podweir.flow.direction': 'request' })

/** A counter's points, each value under a number of its own. */
export function tellCounter(
  sink: MetricSink,
  metric: Metric,
  values: readonly number[],
  resource: SignalResource = agent,
): void {
  sink.resource(resource)
  sink.metric(metric)
  for (const [i, value] of values.entries())
    sink.number(new AttributeSet({ i: String(i) }), undefined, START_MS, END_MS, value)
}

export function tellPoint(sink: MetricSink, metric: Metric, base: AttributeSet, value: number): void {
  sink.resource(agent)
  sink.metric(metric)
  sink.number(base, undefined, START_MS, END_MS, value)
}

/** Consecutive powers of two. */
const bounds = [2 ** -3, 2 ** -2, 2 ** -1, 1]

export function histogram(counts: readonly number[], more: Partial<HistogramValue> = {}): HistogramValue {
  const count = counts.reduce((sum, each) => sum + each, 0)
  return { count, sum: count / 3, bounds, counts, ...more }
}

export const exemplars: readonly Exemplar[] = [
  { timeMs: START_MS + 1.5, value: 0.75, traceId: `fedcba98765432100123456789${hex(1, 6)}`, spanId: hex(7, 16) },
  { timeMs: START_MS + 2, value: 1e-7, traceId: hex(2 ** 40, 32), spanId: `ff${hex(8, 14)}` },
]

/** What the SDK can say too, unless histograms are exponential. */
export function tellEverything(sink: MetricSink): void {
  const pod = signalResource(everyAttribute)
  sink.resource(pod)
  sink.metric(metricNamed('counter.whole'))
  const numbers = [0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1, 2 ** 53, 2 ** 60]
  sink.number(new AttributeSet(everyAttribute), request, START_MS, END_MS, 7)
  for (const [i, value] of numbers.entries())
    sink.number(new AttributeSet({ i }), request, START_MS, START_MS + i / 8, value)
  sink.metric(metricNamed('counter.seconds', 'counter', 's'))
  for (const [i, value] of [0, 0.5, 1e21, 5e-324, 123_456_789_012, Number.NaN, Infinity].entries())
    sink.number(new AttributeSet({ i }), undefined, START_MS, END_MS, value)
  sink.resource(agent)
  sink.metric(metricNamed('level', 'up_down_counter', '{interface}'))
  for (const [i, value] of [-3, 0, -(2 ** 40) - 1].entries())
    sink.number(plain, new AttributeSet({ i }), START_MS, END_MS, value)
  sink.metric(metricNamed('gauge', 'gauge', '{flow}'))
  sink.number(plain, undefined, START_MS, END_MS, 12)
  sink.metric(metricNamed('gauge.seconds', 'gauge', 's'))
  for (const value of [0.25, -Infinity]) sink.number(plain, undefined, START_MS, END_MS, value)
  tellHistograms(sink)
}

function tellHistograms(sink: MetricSink): void {
  sink.metric(metricNamed('histogram', 'histogram', 's'))
  sink.histogram(new AttributeSet(everyAttribute), request, START_MS, END_MS, histogram([5, 0, 2 ** 33, 1, 4]))
  sink.histogram(plain, undefined, START_MS, START_MS, histogram([0, 0, 0, 0, 0]))
  sink.metric(metricNamed('histogram.bare', 'histogram', 's'))
  sink.histogram(plain, undefined, START_MS, END_MS, histogram([300], { bounds: [] }))
}

/** A request with so many points of one value. */
export function metricRequest(value = 1, points = 1): EncodedRequest {
  const encoder = new MetricJsonEncoder(scope, { temporality: 'cumulative', histograms: 'explicit' })
  tellCounter(encoder, metricNamed('a'), new Array<number>(points).fill(value))
  return encoder.finish()
}
