// What the agent captures and how, as a settings file says it: `receivers.podweir`.
import type { z } from 'zod'
import { formatDuration } from './duration.ts'
import { durationBetween } from './exporters.ts'
import { kubernetesSchema } from './kubernetes.ts'
import { scopeSchema } from './scope.ts'
import { shareBetween } from './share.ts'
import { choice, parsed, section, text, wholeNumber } from './validation.ts'

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
  attach_pace: parsed('1ms to 10s, such as 100ms, or off', value =>
    value === 'off' ? 0 : durationBetween(value, 1, 10 * second),
  ).default(100),
  pins: parsed('the path of a directory in a BPF file system, such as /sys/fs/bpf/podweir, or off', pinsPath).default(
    '/sys/fs/bpf/podweir',
  ),
  on_stop: choice('detach', 'keep').default('detach'),
  flow_limit: wholeNumber(16, 1_048_576).default(32_768),
  detail: choice('basic', 'full').default('basic'),
  level: choice('namespace', 'workload', 'pod', 'address').default('workload'),
  zones: choice('on', 'off').default('off'),
  series_limit: wholeNumber(16, 1_048_576).default(10_000),
  drain_interval: duration(100, minute).default(second),
  collection_interval: parsed('100ms to 1h, such as 10s', value => durationBetween(value, 100, hour)).optional(),
  retire: retireSchema,
  audit_interval: parsed('1s to 1h, such as 1m, or off', value =>
    value === 'off' ? 0 : durationBetween(value, second, hour),
  ).default(minute),
  cpu_budget: parsed('0.1% to 1000% of a core, such as 1%, or off', value => shareBetween(value, 0.1, 1000)).default(
    0.01,
  ),
  inventory: text('the path of a file').optional(),
  discovery: choice('auto', 'inventory').optional(),
  kubernetes: kubernetesSchema,
  scope: scopeSchema,
  own_traffic: choice('exclude', 'include').default('exclude'),
  modules: section({ drops: choice('on', 'off').default('off'), dns: choice('on', 'off').default('off') }),
})

export type ReceiverSettings = z.output<typeof receiverSchema>

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

function duration(leastMs: number, mostMs: number) {
  const error = `${formatDuration(leastMs)} to ${formatDuration(mostMs)}, such as ${formatDuration(Math.max(leastMs, second))}`
  return parsed(error, value => durationBetween(value, leastMs, mostMs))
}

/** The kernel reserves names with dots there. */
function pinsPath(value: string): string | undefined {
  return value === 'off' || /^(\/[^/.\0]+){2,}$/.test(value) ? value : undefined
}
