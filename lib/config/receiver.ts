// What the agent captures and how, as a settings file says it: `receivers.podweir`.
import type { z } from 'zod'
import { durationBetween, formatDuration } from './duration.ts'
import { kubernetesSchema } from './kubernetes.ts'
import { logsSchema } from './logs.ts'
import type { ReadingContext } from './reading-context.ts'
import { scopeSchema } from './scope.ts'
import { shareBetween } from './share.ts'
import { tracesSchema } from './traces.ts'
import {
  choice,
  duration,
  durationOrOff,
  onOrOff,
  parsed,
  parsedOrOff,
  section,
  text,
  wholeNumber,
  worded,
} from './validation.ts'

const second = 1000
const minute = 60 * second
const hour = 60 * minute

/** When a flow leaves the kernel's table, ms. */
export interface RetireConfig {
  readonly closedMs: number
  readonly failedMs: number
  readonly halfOpenMs: number
  readonly datagramMs: number
  readonly idleMs: number
  readonly abandonedMs: number
  readonly connectTimeoutMs: number
}

const pinsForm = 'the path of a directory in a BPF file system, such as /sys/fs/bpf/podweir, or off'

const retireSchema = section({
  closed: duration(100, hour).default(5 * second),
  failed: duration(100, hour).default(5 * second),
  half_open: duration(second, hour).default(30 * second),
  datagram: duration(second, hour).default(15 * second),
  idle: duration(second, 168 * hour).default(minute),
  abandoned: duration(minute, 168 * hour).default(2 * hour),
  connect_timeout: duration(second, hour).default(10 * second),
})

export const receiverSchema = section({
  attach: choice('auto', 'host', 'pod').default('auto'),
  hook: choice('auto', 'tcx', 'clsact').default('auto'),
  attach_pace: durationOrOff(1, 10 * second, 100).default(100),
  pins: worded(parsed(pinsForm, pinsPath)).default('/sys/fs/bpf/podweir'),
  on_stop: choice('detach', 'keep').default('detach'),
  flow_limit: wholeNumber(16, 1_048_576).default(32_768),
  detail: choice('basic', 'full').default('basic'),
  level: choice('namespace', 'workload', 'pod', 'address').default('workload'),
  zones: onOrOff().default('off'),
  series_limit: wholeNumber(16, 1_048_576).default(10_000),
  edge_idle: durationOrOff(10 * second, 168 * hour, 5 * minute).default(0),
  pod_metrics: choice('podweir', 'semconv').default('podweir'),
  drain_interval: duration(100, minute).default(second),
  collection_interval: duration(100, hour, 10 * second).optional(),
  retire: retireSchema,
  audit_interval: durationOrOff(second, hour, minute).default(minute),
  cpu_budget: parsedOrOff('0.1% to 1000% of a core, such as 1%', value => shareBetween(value, 0.1, 1000)).default(0.01),
  inventory: text('the path of a file').optional(),
  discovery: choice('auto', 'inventory').optional(),
  kubernetes: kubernetesSchema,
  scope: scopeSchema,
  own_traffic: choice('exclude', 'include').default('exclude'),
  traces: tracesSchema,
  logs: logsSchema,
  modules: section({
    drops: onOrOff().default('off'),
    dns: onOrOff().default('off'),
    conntrack: onOrOff().default('off'),
  }),
})

export type ReceiverSettings = z.output<typeof receiverSchema>

export interface Modules {
  readonly drops: boolean
  readonly dns: boolean
  readonly conntrack: boolean
}

export function modulesOf({ modules }: ReceiverSettings): Modules {
  return { drops: modules.drops === 'on', dns: modules.dns === 'on', conntrack: modules.conntrack === 'on' }
}

export function retireConfig({ retire }: ReceiverSettings): RetireConfig {
  return {
    closedMs: retire.closed,
    failedMs: retire.failed,
    halfOpenMs: retire.half_open,
    datagramMs: retire.datagram,
    idleMs: retire.idle,
    abandonedMs: retire.abandoned,
    connectTimeoutMs: retire.connect_timeout,
  }
}

export function describeRetire(retire: RetireConfig) {
  return {
    closed: formatDuration(retire.closedMs),
    failed: formatDuration(retire.failedMs),
    half_open: formatDuration(retire.halfOpenMs),
    datagram: formatDuration(retire.datagramMs),
    idle: formatDuration(retire.idleMs),
    abandoned: formatDuration(retire.abandonedMs),
    connect_timeout: formatDuration(retire.connectTimeoutMs),
  }
}

/** undefined: the environment says nothing, or nothing of use. */
export function environmentIntervalMs({ document, environment, warnings }: ReadingContext): number | undefined {
  const text = environment.OTEL_METRIC_EXPORT_INTERVAL?.trim()
  if (!text) return undefined
  const ms = durationBetween(`${text}ms`, 100, 3_600_000)
  if (ms === undefined)
    warnings.push(`OTEL_METRIC_EXPORT_INTERVAL: ignored, because '${text}' is not 100 to 3600000 (ms)`)
  else document.note(['receivers', 'podweir', 'collection_interval'], 'OTEL_METRIC_EXPORT_INTERVAL')
  return ms
}

/** The kernel reserves names with dots there. */
function pinsPath(value: string): string | undefined {
  return value === 'off' || /^(\/[^/.\0]+){2,}$/.test(value) ? value : undefined
}
