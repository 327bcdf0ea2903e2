// What the agent tells of itself on a way of its own: the SDK's meter provider, readers and exporters, so that it still
// speaks when its data does not get through, and when what tells the data is at fault.
import { credentials } from '@grpc/grpc-js'
import { type Attributes, type Meter, type MeterProvider, type Observable, ValueType } from '@opentelemetry/api'
import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-grpc'
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus'
import type { CompressionAlgorithm } from '@opentelemetry/otlp-exporter-base'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  type IMetricReader,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
  type ResourceMetrics,
  MeterProvider as SdkMeterProvider,
} from '@opentelemetry/sdk-metrics'
import type { ListenEndpoint } from '../config/listen-endpoint.ts'
import type { OtlpTarget } from '../config/otlp-exporters.ts'
import type { OwnTelemetryConfig } from '../config/own-telemetry.ts'
import type { Scope } from '../encode/scope.ts'
import type { Clock } from '../host/clock.ts'
import { Failure } from '../host/failure.ts'
import type { Log } from '../host/log.ts'
import type { AgentFigures } from '../signals/agent-figures.ts'
import { agentMetric, processMetric } from '../signals/agent-metrics.ts'
import { collectorFigures, collectorMetrics } from '../signals/collector-figures.ts'
import { type DrainDurations, drainBounds } from '../signals/drain-durations.ts'
import { isWhole, ledgerMetric, type Metric } from '../signals/metric-names.ts'
import { ClientTls } from './client-tls.ts'
import { parseEndpoint } from './otlp-endpoint.ts'
import { grpcFailure } from './otlp-failure.ts'
import { metadataOf, secureCredentials } from './otlp-grpc-sender.ts'
import { OutageLog } from './outage-log.ts'
import { within } from './time-limit.ts'

export interface OwnTelemetryParts {
  readonly config: OwnTelemetryConfig
  /** Where exporters of metrics send to by OTLP/gRPC: it goes there where the settings name no endpoint. */
  readonly targets: readonly OtlpTarget[]
  readonly resource: Attributes
  readonly everyPoint: Attributes
  readonly scope: Scope
  readonly figures: AgentFigures
  readonly drains: DrainDurations
  readonly log: Log
  readonly clock: Clock
}

export class OwnTelemetry {
  readonly #provider: SdkMeterProvider
  readonly #level: OwnTelemetryConfig['level']

  /** Throws a Failure for certificates that can't be used. */
  constructor(parts: OwnTelemetryParts) {
    const { config, resource, scope } = parts
    this.#level = config.level
    this.#provider = new SdkMeterProvider({
      resource: resourceFromAttributes(resource),
      readers: readersOf(parts),
      sdkMetricsEnabled: config.level === 'detailed',
    })
    observe(this.#provider.getMeter(scope.name, scope.version, { schemaUrl: scope.schemaUrl }), parts)
  }

  /** For the SDK's own metrics of exporters, `otel.sdk.exporter.*`; absent below level `normal`. */
  get meterProvider(): MeterProvider | undefined {
    return this.#level === 'basic' ? undefined : this.#provider
  }

  /** Tells a last time. */
  async close(timeoutMs: number): Promise<void> {
    await within(
      timeoutMs,
      this.#provider.shutdown({ timeoutMillis: timeoutMs }).catch(() => {}),
    )
  }
}

function readersOf({ config, targets, log, clock }: OwnTelemetryParts): IMetricReader[] {
  const { endpoint, address, intervalMs } = config
  const told = endpoint === undefined && address ? [] : targets
  const exporters = endpoint === undefined ? told.map(target => exporterTo(target, clock)) : [exporterToUrl(endpoint)]
  const readers = exporters.map(
    each =>
      new PeriodicExportingMetricReader({
        exporter: new LoggedExporter(each, log, clock),
        exportIntervalMillis: intervalMs,
        exportTimeoutMillis: intervalMs,
      }),
  )
  return address ? [...readers, scrapedAt(address, log)] : readers
}

interface AddressedExporter {
  readonly address: string
  readonly exporter: OTLPMetricExporter
}

/** As the exporter of the data sends. */
function exporterTo({ endpoint, headers, compression, timeoutMs, tls }: OtlpTarget, clock: Clock): AddressedExporter {
  const { address, secure } = parseEndpoint(endpoint, tls.insecure)
  const exporter = new OTLPMetricExporter({
    url: `${secure ? 'https' : 'http'}://${address}`,
    metadata: metadataOf(headers),
    compression: compression as CompressionAlgorithm,
    timeoutMillis: timeoutMs,
    credentials: secure ? secureCredentials(new ClientTls(tls, clock)) : credentials.createInsecure(),
  })
  return { address, exporter }
}

/** The rest is said by the standard variables, which the SDK reads. */
function exporterToUrl(endpoint: string): AddressedExporter {
  const { address, secure } = parseEndpoint(endpoint, false)
  return { address, exporter: new OTLPMetricExporter({ url: `${secure ? 'https' : 'http'}://${address}` }) }
}

/** Says once that it does not get through: the SDK itself says nothing. */
class LoggedExporter implements PushMetricExporter {
  readonly #address: string
  readonly #exporter: OTLPMetricExporter
  readonly #outages: OutageLog

  constructor({ address, exporter }: AddressedExporter, log: Log, clock: Clock) {
    this.#address = address
    this.#exporter = exporter
    this.#outages = new OutageLog({ id: 'of service.telemetry.metrics', consequence: 'it is tried again', log, clock })
  }

  export(metrics: ResourceMetrics, done: (result: ExportResult) => void): void {
    this.#exporter.export(metrics, result => {
      if (result.code === ExportResultCode.SUCCESS) this.#outages.delivered()
      else this.#outages.failed(grpcFailure(this.#address, 'metrics', result.error ?? new Error('unknown error')))
      done(result)
    })
  }

  forceFlush(): Promise<void> {
    return this.#exporter.forceFlush()
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown()
  }
}

function scrapedAt({ host, port }: ListenEndpoint, log: Log): PrometheusExporter {
  const exporter = new PrometheusExporter({ host, port, preventServerStart: true })
  exporter.startServer().catch((error: Error) => {
    const failure = new Failure({
      step: 'listen for Prometheus',
      subject: `${host}:${port}`,
      cause: error.message,
      remedy: 'write another service.telemetry.metrics.address',
    })
    log.error(failure.message)
  })
  return exporter
}

function observe(meter: Meter, { config, figures, drains, everyPoint }: OwnTelemetryParts): void {
  const ours = [...Object.values(agentMetric), ...Object.values(processMetric), ledgerMetric.items]
  const metrics = ours.filter(({ instrument }) => instrument !== 'histogram')
  const instruments = new Map([...metrics, ...collectorMetrics].map(metric => [metric, instrumentOf(meter, metric)]))
  const told = () => (config.collectorNames ? collectorFigures(figures.now()) : figures.now())
  meter.addBatchObservableCallback(
    result => {
      for (const { metric, attributes, value } of told())
        result.observe(instruments.get(metric)!, value, { ...attributes, ...everyPoint })
    },
    [...instruments.values()],
  )
  const { name, unit, description } = agentMetric.drainDuration
  const explicitBucketBoundaries = [...drainBounds.sent]
  const histogram = meter.createHistogram(name, { unit, description, advice: { explicitBucketBoundaries } })
  drains.onDrain(seconds => histogram.record(seconds, everyPoint))
}

function instrumentOf(meter: Meter, metric: Metric): Observable {
  const { name, unit, description, instrument } = metric
  const options = { unit, description, valueType: isWhole(metric) ? ValueType.INT : ValueType.DOUBLE }
  if (instrument === 'counter') return meter.createObservableCounter(name, options)
  if (instrument === 'gauge') return meter.createObservableGauge(name, options)
  return meter.createObservableUpDownCounter(name, options)
}
