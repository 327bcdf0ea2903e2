// What exporters have in common: in which form counts are told, and what happens until a receiver has them.
import type { z } from 'zod'
import { formatByteSize } from './byte-size.ts'
import { formatDuration } from './duration.ts'
import type { FileStorageConfig } from './file-storage.ts'
import type { MetricForm } from './metric-form.ts'
import {
  byteSize,
  choice,
  duration,
  durationOrOff,
  flag,
  formatDurationOrOff,
  numberBetween,
  section,
  text,
  wholeNumber,
} from './validation.ts'

/** What follows a request that did not arrive. */
export interface RetryConfig {
  /** false: given up at once. */
  readonly enabled: boolean
  readonly initialMs: number
  readonly maxMs: number
  readonly multiplier: number
  /** Given up after this time; 0: never. */
  readonly maxElapsedMs: number
}

/** For each signal on its own. Metrics don't queue: what did not arrive is told by the next ones. */
export interface QueueConfig {
  readonly bytes: number
  readonly items: number
  /** Absent: what waits is lost with the process. */
  readonly storage?: FileStorageConfig
}

export interface DeliveryConfig {
  readonly retry: RetryConfig
  readonly queue: QueueConfig
}

const second = 1000
const hour = 3_600_000

export const metricFormShape = {
  resource_mode: choice('pod', 'agent').default('agent'),
  temporality: choice('cumulative', 'delta').default('cumulative'),
  histograms: choice('explicit', 'exponential').default('explicit'),
  resend_unchanged: durationOrOff(second, 24 * hour, 60 * second).default(60 * second),
}

/** Of receivers of OTLP, which can tell resources apart. */
export const otlpMetricFormShape = { ...metricFormShape, resource_mode: choice('pod', 'agent').default('pod') }

export const deliveryShape = {
  retry_on_failure: section({
    enabled: flag().default(true),
    initial_interval: duration(10, hour).default(second),
    max_interval: duration(10, hour, 30 * second).default(30 * second),
    multiplier: numberBetween(1, 10).default(1.5),
    max_elapsed_time: durationOrOff(second, 24 * hour, 300 * second).default(0),
  }),
  sending_queue: section({
    queue_bytes: byteSize(64 * 1024, 2 ** 30).default(16 * 2 ** 20),
    queue_items: wholeNumber(1, 10_000_000).default(65_536),
    storage: text('file_storage, file_storage/NAME').optional(),
  }),
}

type Settings<S extends Record<string, z.ZodType>> = { readonly [K in keyof S]: z.output<S[K]> }

export function metricForm(settings: Settings<typeof metricFormShape>): MetricForm {
  return {
    resourceMode: settings.resource_mode,
    temporality: settings.temporality,
    histograms: settings.histograms,
    resendUnchangedMs: settings.resend_unchanged,
  }
}

export function describeMetricForm(form: MetricForm) {
  return {
    resource_mode: form.resourceMode,
    temporality: form.temporality,
    histograms: form.histograms,
    resend_unchanged: formatDurationOrOff(form.resendUnchangedMs),
  }
}

export function retryConfig({ retry_on_failure: retry }: Pick<Settings<typeof deliveryShape>, 'retry_on_failure'>) {
  return {
    enabled: retry.enabled,
    initialMs: retry.initial_interval,
    maxMs: retry.max_interval,
    multiplier: retry.multiplier,
    maxElapsedMs: retry.max_elapsed_time,
  }
}

/** `storage`: what the queue's setting names; absent: it names none. */
export function deliveryConfig(
  settings: Settings<typeof deliveryShape>,
  storage: FileStorageConfig | undefined,
): DeliveryConfig {
  const { queue_bytes: bytes, queue_items: items } = settings.sending_queue
  return { retry: retryConfig(settings), queue: { bytes, items, ...(storage && { storage }) } }
}

export function describeRetry(retry: RetryConfig) {
  return {
    enabled: retry.enabled,
    initial_interval: formatDuration(retry.initialMs),
    max_interval: formatDuration(retry.maxMs),
    multiplier: retry.multiplier,
    max_elapsed_time: formatDurationOrOff(retry.maxElapsedMs),
  }
}

export function describeDelivery({ retry, queue }: DeliveryConfig) {
  return {
    retry_on_failure: describeRetry(retry),
    sending_queue: { queue_bytes: formatByteSize(queue.bytes), queue_items: queue.items, storage: queue.storage?.id },
  }
}
