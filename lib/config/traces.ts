// Which spans are made where a pipeline carries traces: `receivers.podweir.traces`.
import type { z } from 'zod'
import { formatDuration } from './duration.ts'
import { choiceOrOff, duration, numberBetween, onOrOff, section, text } from './validation.ts'

export interface TracesConfig {
  /** A pair of spans for each edge and window. */
  readonly edges: boolean
  /** A span for which connections. */
  readonly connections: 'failed' | 'slow' | 'sampled' | 'all' | 'off'
  /** How long an edge's spans are, aligned to the wall clock. */
  readonly windowMs: number
  /** A handshake that takes longer is slow. */
  readonly slowThresholdMs: number
  /** Share of the connections that `sampled` takes. */
  readonly sampleRatio: number
  /** What is added to `service.name`, so that these are not taken for the application's own spans. */
  readonly serviceNameSuffix: string
  /** `traces_service_graph_*` metrics, made of edges. */
  readonly serviceGraphMetrics: boolean
}

const longestSuffix = 64
const suffixForm = `at most ${longestSuffix} characters, without control characters`

export const tracesSchema = section({
  edges: onOrOff().default('on'),
  connections: choiceOrOff('failed', 'slow', 'sampled', 'all').default('failed'),
  window: duration(5000, 60_000, 15_000).default(15_000),
  slow_threshold: duration(1, 60_000).default(250),
  sample_ratio: numberBetween(0, 1).default(0.01),
  service_name_suffix: text(suffixForm, isSuffix).default(' (net)'),
  service_graph_metrics: onOrOff().default('off'),
})

export function tracesConfig(settings: z.output<typeof tracesSchema>): TracesConfig {
  return {
    edges: settings.edges === 'on',
    connections: settings.connections,
    windowMs: settings.window,
    slowThresholdMs: settings.slow_threshold,
    sampleRatio: settings.sample_ratio,
    serviceNameSuffix: settings.service_name_suffix,
    serviceGraphMetrics: settings.service_graph_metrics === 'on',
  }
}

export function describeTraces(traces: TracesConfig) {
  return {
    edges: traces.edges ? 'on' : 'off',
    connections: traces.connections,
    window: formatDuration(traces.windowMs),
    slow_threshold: formatDuration(traces.slowThresholdMs),
    sample_ratio: traces.sampleRatio,
    service_name_suffix: traces.serviceNameSuffix,
    service_graph_metrics: traces.serviceGraphMetrics ? 'on' : 'off',
  }
}

function isSuffix(value: string): boolean {
  return value.length <= longestSuffix && !/\p{Cc}/u.test(value)
}
