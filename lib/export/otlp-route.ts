// One signal's way to an OTLP receiver. The SDK's own delegate asks the connection, reads the answer and keeps the SDK's
// metrics of exporters; encoding, waiting and counting are not its business.
import type { MeterProvider } from '@opentelemetry/api'
import { ExportResultCode } from '@opentelemetry/core'
import {
  createOtlpNetworkExportDelegate,
  ExporterMetrics,
  getSharedConfigurationDefaults,
  type IExporterTransport,
  type IOtlpExportDelegate,
} from '@opentelemetry/otlp-exporter-base'
import {
  type ISerializer,
  JsonLogsSerializer,
  JsonMetricsSerializer,
  JsonTraceSerializer,
  ProtobufLogsSerializer,
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer,
} from '@opentelemetry/otlp-transformer'
import type { Signal } from '../config/signal.ts'
import type { EncodedRequest } from '../encode/encoded-request.ts'
import type { HiddenValues } from './hidden-values.ts'
import { SendFailure } from './send-failure.ts'
import type { SendOutcome } from './sender.ts'
import { shownMessage } from './shown-message.ts'

interface PartialSuccess {
  readonly rejected: number
  readonly message: string
}

export interface OtlpRouteOptions {
  readonly signal: Signal
  readonly encoding: 'proto' | 'json'
  /** As the SDK's metrics of exporters name it: `otlp_grpc`, `otlp_http`, `otlp_http_json`. */
  readonly component: string
  /** For messages; without secrets. */
  readonly url: string
  readonly timeoutMs: number
  readonly transport: IExporterTransport
  /** Says in words what went wrong. */
  readonly explain: (error: Error) => SendFailure
  readonly hidden: HiddenValues
  readonly meterProvider?: MeterProvider
}

/** As semantic conventions name items in `otel.sdk.exporter.*`. */
const itemNames = { metrics: 'metric_data_point', traces: 'span', logs: 'log' } as const
const exporterNames: Readonly<Record<Signal, string>> = { metrics: 'metric', traces: 'span', logs: 'log' }

export class OtlpRoute {
  readonly #options: OtlpRouteOptions
  readonly #delegate: IOtlpExportDelegate<EncodedRequest>
  #partialSuccess: PartialSuccess | undefined

  constructor(options: OtlpRouteOptions) {
    this.#options = options
    const { signal, component, url, timeoutMs, transport, meterProvider } = options
    const metrics = new ExporterMetrics<EncodedRequest>({
      componentType: `${component}_${exporterNames[signal]}_exporter`,
      metricsHelper: { name: itemNames[signal], countItems: ({ items }) => items },
      url,
      meterProvider,
      responseAttributesFromError: () => ({}),
    })
    const settings = { ...getSharedConfigurationDefaults(), timeoutMillis: timeoutMs }
    this.#delegate = createOtlpNetworkExportDelegate(settings, this.#serializer(), metrics, transport)
  }

  send(request: EncodedRequest): Promise<SendOutcome> {
    return new Promise(resolve => {
      // The delegate shows the response and calls back in one go, so that a partial success can't be another request's.
      this.#delegate.export(request, ({ code, error }) => {
        const partial = this.#partialSuccess
        this.#partialSuccess = undefined
        resolve(code === ExportResultCode.SUCCESS ? this.#delivered(request, partial) : this.#failed(error))
      })
    })
  }

  async close(): Promise<void> {
    this.#options.transport.shutdown()
    await this.#delegate.shutdown()
  }

  /** What was encoded before goes as it is. Reading the response is the one place where the SDK shows it. */
  #serializer(): ISerializer<EncodedRequest, unknown> {
    const { signal, encoding } = this.#options
    const read = partialSuccessReaders[encoding][signal]
    return {
      serializeRequest: ({ body }) => body,
      deserializeResponse: bytes => {
        this.#partialSuccess = read(bytes)
        return {}
      },
    }
  }

  #delivered({ items }: EncodedRequest, partial: PartialSuccess | undefined): SendOutcome {
    const rejected = Math.min(items, Math.max(0, partial?.rejected ?? 0))
    return {
      kind: 'delivered',
      rejected,
      ...(partial?.message && { message: this.#safe(partial.message) }),
    }
  }

  #failed(error: Error | undefined): SendOutcome {
    const { explain } = this.#options
    const found = error ?? new Error('it failed for no reason that is known')
    const { kind, message, afterMs } = found instanceof SendFailure ? found : explain(found)
    return new SendFailure(kind, this.#safe(message), afterMs).outcome()
  }

  #safe(message: string): string {
    return shownMessage(message, this.#options.hidden)
  }
}

type PartialSuccessReader = (bytes: Uint8Array) => PartialSuccess

const partialSuccessReaders: Readonly<Record<'proto' | 'json', Readonly<Record<Signal, PartialSuccessReader>>>> = {
  proto: {
    metrics: bytes => ofMetrics(ProtobufMetricsSerializer.deserializeResponse(bytes)),
    traces: bytes => ofTraces(ProtobufTraceSerializer.deserializeResponse(bytes)),
    logs: bytes => ofLogs(ProtobufLogsSerializer.deserializeResponse(bytes)),
  },
  json: {
    metrics: bytes => ofMetrics(JsonMetricsSerializer.deserializeResponse(bytes)),
    traces: bytes => ofTraces(JsonTraceSerializer.deserializeResponse(bytes)),
    logs: bytes => ofLogs(JsonLogsSerializer.deserializeResponse(bytes)),
  },
}

function ofMetrics({ partialSuccess: found }: ReturnType<typeof ProtobufMetricsSerializer.deserializeResponse>) {
  return partialSuccess(found?.rejectedDataPoints, found?.errorMessage)
}

function ofTraces({ partialSuccess: found }: ReturnType<typeof ProtobufTraceSerializer.deserializeResponse>) {
  return partialSuccess(found?.rejectedSpans, found?.errorMessage)
}

function ofLogs({ partialSuccess: found }: ReturnType<typeof ProtobufLogsSerializer.deserializeResponse>) {
  return partialSuccess(found?.rejectedLogRecords, found?.errorMessage)
}

/** JSON has 64-bit integers as text. */
function partialSuccess(rejected: number | string | undefined, message: string | undefined): PartialSuccess {
  return { rejected: Number(rejected ?? 0) || 0, message: message ?? '' }
}
