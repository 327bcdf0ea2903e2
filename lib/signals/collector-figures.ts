// What the agent says about itself under the names that a Collector has for it, so that dashboards of Collectors show it.
import type { Attributes } from '@opentelemetry/api'
import type { Figure } from './agent-figures.ts'
import { agentMetric, processMetric } from './agent-metrics.ts'
import { attribute } from './attribute-names.ts'
import { ledgerMetric, type Metric } from './metric-names.ts'

const itemNames = { metrics: 'metric_points', traces: 'spans', logs: 'log_records' } as const
type CollectedSignal = keyof typeof itemNames

function counter(name: string, unit: string, attributes: readonly string[]): Metric {
  return { name: `otelcol_${name}`, instrument: 'counter', unit, description: '', attributes }
}

function perSignal(prefix: string): Readonly<Record<CollectedSignal, Metric>> {
  const of = (signal: CollectedSignal) => counter(`exporter_${prefix}_${itemNames[signal]}`, '1', ['exporter'])
  return { metrics: of('metrics'), traces: of('traces'), logs: of('logs') }
}

const sent = perSignal('sent')
const failed = perSignal('send_failed')
const queueSize: Metric = { ...counter('exporter_queue_size', '1', ['exporter', 'data_type']), instrument: 'gauge' }
const cpuSeconds = counter('process_cpu_seconds', 's', [])
const memory: Metric = { ...counter('process_memory_rss', 'By', []), instrument: 'gauge' }

/** What is told in place of what. */
export const collectorMetrics: readonly Metric[] = [
  ...Object.values(sent),
  ...Object.values(failed),
  queueSize,
  cpuSeconds,
  memory,
]
const replaced = new Set<Metric>([
  ledgerMetric.items,
  agentMetric.queueItems,
  processMetric.cpuTime,
  processMetric.memory,
])

/** Figures for which there are no such names go by their own. */
export function* collectorFigures(figures: Iterable<Figure>): Generator<Figure> {
  const sums = new Map<string, { metric: Metric; attributes: Attributes; value: number }>()
  const add = (metric: Metric, attributes: Attributes, value: number) => {
    const key = `${metric.name} ${JSON.stringify(attributes)}`
    const sum = sums.get(key) ?? { metric, attributes, value: 0 }
    sum.value += value
    sums.set(key, sum)
  }
  for (const figure of figures) {
    if (!replaced.has(figure.metric)) yield figure
    else addFigure(figure, add)
  }
  yield* sums.values()
}

function addFigure(
  { metric, attributes, value }: Figure,
  add: (metric: Metric, of: Attributes, value: number) => void,
) {
  const signal = attributes[attribute.signal] as CollectedSignal
  const exporter = { exporter: attributes[attribute.exporter] as string }
  if (metric === agentMetric.queueItems) add(queueSize, { ...exporter, data_type: signal }, value)
  if (metric === processMetric.cpuTime) add(cpuSeconds, {}, value)
  if (metric === processMetric.memory) add(memory, {}, value)
  if (metric !== ledgerMetric.items) return
  const stage = attributes[attribute.ledgerStage]
  if (stage === 'delivered') add(sent[signal], exporter, value)
  // What is told again later has failed all the same.
  if (stage === 'superseded' || stage === 'lost') add(failed[signal], exporter, value)
}
