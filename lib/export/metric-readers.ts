// One reader per configured exporter: each collects from a producer of its own, so that a slow receiver delays nobody.
import type { Resource } from '@opentelemetry/resources'
import {
  MeterProvider,
  type MetricProducer,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics'
import type { ExporterConfig } from '../config/exporters.ts'
import type { Clock } from '../host/clock.ts'
import type { Log } from '../host/log.ts'
import type { ExporterRecord } from '../signals/flow-record.ts'
import { AcknowledgingExporter, type DeliveryListener } from './acknowledging-exporter.ts'
import { DebugExporter } from './debug-exporter.ts'
import { FileExporter } from './file-exporter.ts'
import { oneAtATime } from './one-at-a-time.ts'
import { createOtlpGrpcExporter } from './otlp.ts'

/** What one exporter sends, and who is told what became of it. */
export interface MetricStream extends DeliveryListener {
  readonly producer: MetricProducer
  /** Nothing is to be collected while a request is under way. */
  readonly waitsForAnswer?: boolean
}

export interface MetricReadersParts {
  readonly exporters: readonly ExporterConfig[]
  readonly resource: Resource
  readonly exportIntervalMs: number
  readonly streamFor: (exporterId: string) => MetricStream
  readonly log: Log
  readonly clock: Clock
}

/** The Collector refuses requests over 4 MiB. A point of an edge has 500 bytes, with names of 63 characters 800. */
const pointsPerRequest = 4_000

export class MetricReaders {
  readonly #outlets: { id: string; exporter: AcknowledgingExporter; reader: PeriodicExportingMetricReader }[]

  constructor(parts: MetricReadersParts) {
    this.#outlets = parts.exporters.map(config => outlet(config, parts))
    // Binds the readers and starts their timers. It has no instruments, and the readers are ended one by one.
    new MeterProvider({ resource: parts.resource, readers: this.#outlets.map(({ reader }) => reader) })
  }

  status(): ExporterRecord[] {
    return this.#outlets.map(({ id, exporter }) => {
      const { acknowledgedAtMs, failures } = exporter
      if (acknowledgedAtMs === undefined) return { id, failures }
      return { id, acknowledgedAt: new Date(acknowledgedAtMs).toISOString(), failures }
    })
  }

  /** Sends what there is now. Ends when every exporter answered or the time is over; `status` says with what result. */
  async forceFlush(timeoutMs: number): Promise<void> {
    await Promise.allSettled(this.#outlets.map(({ reader }) => reader.forceFlush({ timeoutMillis: timeoutMs })))
  }

  /** Flushes a last time and closes, within the time also when a receiver never answers. */
  async shutdown(timeoutMs: number): Promise<void> {
    await Promise.allSettled(
      this.#outlets.map(({ reader, exporter }) =>
        // A reader whose time is over leaves its exporter open.
        reader.shutdown({ timeoutMillis: timeoutMs }).catch(() => void exporter.shutdown().catch(() => {})),
      ),
    )
  }
}

function outlet(config: ExporterConfig, parts: MetricReadersParts) {
  const { id } = config
  const { log, clock, exportIntervalMs } = parts
  const stream = parts.streamFor(id)
  const exporter = new AcknowledgingExporter({
    id,
    exporter: buildExporter(config, clock),
    listener: stream,
    log,
    clock,
  })
  const reader = new PeriodicExportingMetricReader({
    exporter,
    exportIntervalMillis: exportIntervalMs,
    exportTimeoutMillis: exportIntervalMs,
    maxExportBatchSize: pointsPerRequest,
    metricProducers: [stream.waitsForAnswer ? oneAtATime(stream.producer, () => exporter.idle()) : stream.producer],
  })
  return { id, exporter, reader }
}

function buildExporter(config: ExporterConfig, clock: Clock): PushMetricExporter {
  switch (config.type) {
    case 'otlp_grpc':
      return createOtlpGrpcExporter(config, clock)
    case 'file':
      return new FileExporter(config)
    case 'debug':
      return new DebugExporter(config.verbosity)
    default:
      throw new Error(`exporter ${config.id} is not available in this version`)
  }
}
