// The official OTLP/gRPC metric exporter with a connection that comes back soon, and partial success told as what it is.
import { readFileSync } from 'node:fs'
import { type ChannelCredentials, credentials, Metadata } from '@grpc/grpc-js'
import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-grpc'
import { createOtlpNetworkExportDelegate, type IOtlpExportDelegate } from '@opentelemetry/otlp-exporter-base'
import {
  convertLegacyOtlpGrpcOptions,
  createOtlpGrpcExporterMetrics,
  type OTLPGRPCExporterConfigNode,
} from '@opentelemetry/otlp-grpc-exporter-base'
import {
  type IExportMetricsPartialSuccess,
  type IExportMetricsServiceResponse,
  type ISerializer,
  MetricsExporterMetricsHelper,
  ProtobufMetricsSerializer,
} from '@opentelemetry/otlp-transformer'
import { AggregationTemporality, type PushMetricExporter, type ResourceMetrics } from '@opentelemetry/sdk-metrics'
import type { OtlpExporterConfig, OtlpTarget } from '../config/otlp-exporters.ts'
import type { Clock } from '../host/clock.ts'
import { Failure } from '../host/failure.ts'
import { OtlpConnection } from './otlp-connection.ts'
import { type OtlpEndpoint, parseEndpoint } from './otlp-endpoint.ts'
import { explainFailure, rejectedPoints } from './otlp-failure.ts'

/** Throws a Failure for an endpoint or a certificate file that can't be used. */
export function createOtlpGrpcExporter({ targets }: OtlpExporterConfig, clock: Clock): PushMetricExporter {
  return new OtlpGrpcExporter(targets.metrics, clock)
}

class OtlpGrpcExporter extends OTLPMetricExporter {
  readonly #address: string
  readonly #connection: OtlpConnection
  readonly #delegate: IOtlpExportDelegate<ResourceMetrics>
  #partialSuccess: IExportMetricsPartialSuccess | undefined

  constructor(target: OtlpTarget, clock: Clock) {
    const endpoint = parseEndpoint(target.endpoint, target.tls.insecure)
    const options = sdkOptions(target, endpoint)
    super({ ...options, temporalityPreference: AggregationTemporality.CUMULATIVE })
    const merged = convertLegacyOtlpGrpcOptions(options, 'METRICS')
    const connect = credentialsFor(target, endpoint)
    connect() // A missing certificate stops the start.
    this.#address = endpoint.address
    this.#connection = new OtlpConnection({
      signal: 'metrics',
      address: this.#address,
      credentials: connect,
      metadata: merged.metadata,
      compression: target.compression,
      clock,
    })
    const metrics = createOtlpGrpcExporterMetrics('otlp_grpc', MetricsExporterMetricsHelper, merged.url, undefined)
    this.#delegate = createOtlpNetworkExportDelegate(merged, this.#serializer(), metrics, this.#connection)
  }

  /** The official serializer; it is the one place where the SDK shows a response. */
  #serializer(): ISerializer<ResourceMetrics, IExportMetricsServiceResponse> {
    return {
      serializeRequest: metrics => ProtobufMetricsSerializer.serializeRequest(metrics),
      deserializeResponse: data => {
        const response = ProtobufMetricsSerializer.deserializeResponse(data)
        this.#partialSuccess = response.partialSuccess
        return response
      },
    }
  }

  override export(metrics: ResourceMetrics, done: (result: ExportResult) => void): void {
    // The delegate shows the response and calls back in one go, so that a partial success can't be another request's.
    this.#delegate.export(metrics, result => {
      const partial = this.#partialSuccess
      this.#partialSuccess = undefined
      done(this.#judge(result, partial))
    })
  }

  #judge(result: ExportResult, partial: IExportMetricsPartialSuccess | undefined): ExportResult {
    if (result.code !== ExportResultCode.SUCCESS) {
      return { code: ExportResultCode.FAILED, error: explainFailure(this.#address, result.error) }
    }
    const rejected = Number(partial?.rejectedDataPoints ?? 0)
    if (rejected === 0) return result
    return { code: ExportResultCode.FAILED, error: rejectedPoints(this.#address, rejected, partial?.errorMessage) }
  }

  override forceFlush(): Promise<void> {
    return this.#delegate.forceFlush()
  }

  /** Gives up requests under way, so that a receiver that never answers can't hold up the end. */
  override async shutdown(): Promise<void> {
    this.#connection.shutdown()
    await this.#delegate.shutdown()
  }
}

function sdkOptions({ timeoutMs, headers }: OtlpTarget, endpoint: OtlpEndpoint): OTLPGRPCExporterConfigNode {
  const url = `${endpoint.secure ? 'https' : 'http'}://${endpoint.address}`
  return { url, timeoutMillis: timeoutMs, metadata: metadataOf(headers) }
}

function metadataOf(headers: Readonly<Record<string, string>>): Metadata {
  const metadata = new Metadata()
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value)
  return metadata
}

function credentialsFor({ tls }: OtlpTarget, endpoint: OtlpEndpoint): () => ChannelCredentials {
  const { caFile, certFile, keyFile } = tls
  if (!endpoint.secure) return () => credentials.createInsecure()
  return () => {
    const [ca, key, cert] = [readPem(caFile), readPem(keyFile), readPem(certFile)]
    try {
      return credentials.createSsl(ca, key, cert)
    } catch (error) {
      throw certificateFailure([caFile, keyFile, certFile].filter(Boolean).join(', '), error)
    }
  }
}

function readPem(file: string | undefined): Buffer | null {
  if (file === undefined) return null
  try {
    return readFileSync(file)
  } catch (error) {
    throw certificateFailure(file, error)
  }
}

function certificateFailure(subject: string, error: unknown): Failure {
  return new Failure({
    step: 'read certificate',
    subject,
    cause: error instanceof Error ? error.message : String(error),
    remedy: 'the tls section needs readable PEM files; cert_file and key_file go together',
  })
}
