// An outlet for each exporter of metrics: a slow receiver delays nobody else.
import type { MeterProvider } from '@opentelemetry/api'
import { defaultDelivery } from '../config/default-delivery.ts'
import type { ExporterConfig } from '../config/exporters.ts'
import { defaultMetricForm } from '../config/metric-form.ts'
import type { OutletConfig } from '../config/outlets.ts'
import type { MetricEncoder } from '../encode/metric-encoder.ts'
import { MetricJsonEncoder } from '../encode/metric-json.ts'
import { MetricLinesEncoder } from '../encode/metric-lines.ts'
import { MetricProtobufEncoder } from '../encode/metric-protobuf.ts'
import { MetricRowsEncoder } from '../encode/metric-rows.ts'
import { MetricTextEncoder } from '../encode/metric-text.ts'
import { NamedMetricEncoder } from '../encode/named-metrics.ts'
import type { Scope } from '../encode/scope.ts'
import type { Clock } from '../host/clock.ts'
import type { Log } from '../host/log.ts'
import type { ExporterRecord } from '../signals/flow-record.ts'
import type { ItemRecord } from '../signals/item-record.ts'
import { type MetricSources, MetricWalk } from '../signals/metric-walk.ts'
import { metricProcessing } from '../signals/processing.ts'
import { MetricOutlet, type MetricSource } from './metric-outlet.ts'
import { createSender } from './senders.ts'
import { within } from './time-limit.ts'

export interface MetricOutletsParts {
  /** What each exporter gets. */
  readonly outlets: readonly OutletConfig[]
  readonly sources: MetricSources
  /** Follows the first of them. */
  readonly tracker?: { track(walk: MetricWalk): MetricSource }
  readonly scope: Scope
  readonly intervalMs: number
  /** For the SDK's metrics of exporters. */
  readonly meterProvider?: MeterProvider | undefined
  readonly log: Log
  readonly clock: Clock
}

export class MetricOutlets {
  readonly #outlets: readonly MetricOutlet[]

  constructor(parts: MetricOutletsParts) {
    this.#outlets = parts.outlets.map((config, i) => outlet(config, parts, i === 0 ? parts.tracker : undefined))
  }

  status(): ExporterRecord[] {
    return this.#outlets.map(({ id, acknowledgedAtMs, failures }) => {
      if (acknowledgedAtMs === undefined) return { id, failures }
      return { id, acknowledgedAt: new Date(acknowledgedAtMs).toISOString(), failures }
    })
  }

  /** What became of the points of each exporter. */
  get items(): ItemRecord[] {
    return this.#outlets.map(({ id, items }) => ({ exporter: id, signal: 'metrics', counts: items }))
  }

  /** Tells what there is now. Ends when every receiver answered or the time is over; `status` says with what result. */
  async flush(timeoutMs: number): Promise<void> {
    await within(timeoutMs, Promise.all(this.#outlets.map(outlet => outlet.flush())))
  }

  /** Tells what there is a last time and closes, within the time also when a receiver never answers. */
  async close(timeoutMs: number): Promise<void> {
    await Promise.all(this.#outlets.map(outlet => outlet.close(timeoutMs)))
  }
}

function outlet(
  { exporter: config, processors }: OutletConfig,
  { sources, scope, intervalMs, meterProvider, log, clock }: MetricOutletsParts,
  tracker: MetricOutletsParts['tracker'],
): MetricOutlet {
  const form = { ...defaultMetricForm, ...config }
  const { fits, naming, largestItems } = metricProcessing(processors)
  const choice = sources.delivery.choices?.add(fits)
  const walk = new MetricWalk(sources, form, choice)
  const encoder = encoderFor(config, scope)
  sources.delivery.add(walk.delivered, choice)
  return new MetricOutlet({
    id: config.id,
    source: tracker?.track(walk) ?? { collect: async () => walk.collect(), delivered: () => {} },
    encoder: naming ? new NamedMetricEncoder(encoder, naming) : encoder,
    ...(largestItems !== undefined && { largestItems }),
    sender: createSender(config, { signal: 'metrics', clock, ...(meterProvider && { meterProvider }) }),
    isDelta: form.temporality === 'delta',
    retry: 'retry' in config ? config.retry : defaultDelivery.retry,
    ...{ intervalMs, log, clock },
  })
}

function encoderFor(config: ExporterConfig, scope: Scope): MetricEncoder {
  switch (config.type) {
    case 'otlp_grpc':
    case 'otlp_http':
      return config.encoding === 'json'
        ? new MetricJsonEncoder(scope, config)
        : new MetricProtobufEncoder(scope, config)
    case 'file':
      return new MetricJsonEncoder(scope, config)
    case 'debug':
      return new MetricTextEncoder(scope, config.verbosity)
    case 'influx':
      return config.profile === 'netapp' ? new MetricRowsEncoder() : new MetricLinesEncoder(config)
    default:
      throw new Error(`exporter ${config.id} is not available in this version`)
  }
}
