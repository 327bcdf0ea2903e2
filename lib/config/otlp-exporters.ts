// Exporters that speak OTLP: `otlp_grpc` and `otlp_http`. What their settings leave out comes from the environment.
import { z } from 'zod'
import { formatDuration } from './duration.ts'
import {
  type DeliveryConfig,
  deliveryConfig,
  deliveryShape,
  describeDelivery,
  describeMetricForm,
  metricForm,
  otlpMetricFormShape,
} from './exporter-delivery.ts'
import type { FileStorageConfig } from './file-storage.ts'
import type { MetricForm } from './metric-form.ts'
import { noteOtlpOrigins } from './otlp-origins.ts'
import { OtlpVariables } from './otlp-variables.ts'
import type { Path } from './problems.ts'
import type { ReadingContext } from './reading-context.ts'
import { redactedValues, shownEndpoint } from './secret.ts'
import { type Signal, signals } from './signal.ts'
import { checkTls, defaultTls, describeTls, type TlsConfig, tlsConfig, tlsSchema } from './tls.ts'
import { choice, duration, section, text } from './validation.ts'

export interface OtlpExporterConfig extends MetricForm, DeliveryConfig {
  readonly type: 'otlp_grpc' | 'otlp_http'
  readonly id: string
  /** Of bodies; gRPC is always `proto`. */
  readonly encoding: 'proto' | 'json'
  /** Where each signal goes. */
  readonly targets: Readonly<Record<Signal, OtlpTarget>>
}

/** File and environment considered. */
export interface OtlpTarget {
  /** gRPC: `HOST:PORT`, `http://HOST:PORT` or `https://HOST:PORT`; HTTP: the whole URL. */
  readonly endpoint: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly compression: 'none' | 'gzip'
  /** For one request. */
  readonly timeoutMs: number
  readonly tls: TlsConfig
}

const defaultTimeoutMs = 10_000
const defaultGrpcEndpoint = 'http://localhost:4317'
const defaultHttpEndpoint = 'http://localhost:4318'

const grpcEndpoint = () => text('HOST:PORT, http://HOST:PORT, https://HOST:PORT', isGrpcEndpoint)
const httpEndpoint = () => text('http://HOST:PORT, https://HOST:PORT, each with an optional /PATH', isUrl)
const headerName = text('letters, digits, - _ .', value => /^[0-9A-Za-z_.-]+$/.test(value))
const headerValue = text('text of printable ASCII characters', value => /^[ -~]*$/.test(value))

export const headersSchema = z.record(headerName, headerValue, { error: 'a mapping of header names to text' })
export const timeoutSchema = duration(1, 300_000, 10_000)

const commonShape = {
  tls: tlsSchema.optional(),
  headers: headersSchema.optional(),
  compression: choice('none', 'gzip').optional(),
  timeout: timeoutSchema.optional(),
  ...otlpMetricFormShape,
  ...deliveryShape,
}

export const otlpGrpcSchema = section({ ...endpointShape(grpcEndpoint), ...commonShape })
export const otlpHttpSchema = section({
  ...endpointShape(httpEndpoint),
  encoding: choice('proto', 'json').default('proto'),
  ...commonShape,
})

type GrpcSettings = z.output<typeof otlpGrpcSchema>
type HttpSettings = z.output<typeof otlpHttpSchema>
type Endpoints = Pick<GrpcSettings, 'endpoint' | `${Signal}_endpoint`>

export interface ExporterPlace extends ReadingContext {
  readonly path: Path
  readonly id: string
  readonly storage: FileStorageConfig | undefined
}

export function otlpGrpcExporter(settings: GrpcSettings, place: ExporterPlace): OtlpExporterConfig {
  return otlpExporter('otlp_grpc', 'proto', settings, place)
}

export function otlpHttpExporter(settings: HttpSettings, place: ExporterPlace): OtlpExporterConfig {
  return otlpExporter('otlp_http', settings.encoding, settings, place)
}

function otlpExporter(
  type: OtlpExporterConfig['type'],
  encoding: OtlpExporterConfig['encoding'],
  settings: GrpcSettings | HttpSettings,
  place: ExporterPlace,
): OtlpExporterConfig {
  const { path, id, environment, storage } = place
  const endpoints = [settings.endpoint, ...signals.map(signal => settings[`${signal}_endpoint`])]
  checkTls(place, settings.tls, [...path, 'tls'], endpoints)
  noteOtlpOrigins(place, path, settings.headers)
  const endpointFor = type === 'otlp_grpc' ? grpcEndpointFor : httpEndpointFor
  const targetFor = (signal: Signal): OtlpTarget => {
    const variables = new OtlpVariables(environment, signal)
    return {
      endpoint: endpointFor(signal, settings, variables),
      headers: { ...variables.headers, ...lowerCase(settings.headers) },
      compression: settings.compression ?? variables.compression ?? 'none',
      timeoutMs: settings.timeout ?? variables.timeoutMs ?? defaultTimeoutMs,
      tls: { ...environmentTls(variables), ...definedTls(settings) },
    }
  }
  return {
    ...{ type, id, encoding },
    targets: { metrics: targetFor('metrics'), traces: targetFor('traces'), logs: targetFor('logs') },
    ...metricForm(settings),
    ...deliveryConfig(settings, storage),
  }
}

/** The exporter of a configuration that names none: everything from the `OTEL_*` variables. */
export function environmentExporter(context: ReadingContext, speaksHttp: boolean): OtlpExporterConfig {
  const protocol = new OtlpVariables(context.environment, 'metrics').protocol ?? 'grpc'
  const placeOf = (id: string) => ({ path: ['exporters', id], id, storage: undefined, ...context })
  if (protocol !== 'grpc' && !speaksHttp)
    context.warnings.push(`OTEL_EXPORTER_OTLP_PROTOCOL: '${protocol}': only grpc is spoken in this version`)
  if (protocol === 'grpc' || !speaksHttp) return otlpGrpcExporter(otlpGrpcSchema.parse({}), placeOf('otlp_grpc'))
  const encoding = protocol === 'http/json' ? 'json' : 'proto'
  return otlpHttpExporter(otlpHttpSchema.parse({ encoding }), placeOf('otlp_http'))
}

/** What is the same for all signals once, taken from the first of them. */
export function describeOtlp(exporter: OtlpExporterConfig) {
  const { headers, compression, timeoutMs, tls } = exporter.targets.metrics
  return {
    ...describeEndpoints(exporter),
    ...(exporter.type === 'otlp_http' && { encoding: exporter.encoding }),
    tls: describeTls(tls),
    ...(Object.keys(headers).length > 0 && { headers: redactedValues(headers) }),
    compression,
    timeout: formatDuration(timeoutMs),
    ...describeMetricForm(exporter),
    ...describeDelivery(exporter),
  }
}

function describeEndpoints({ type, targets }: OtlpExporterConfig): Record<string, string> {
  const grpcIsOne = type === 'otlp_grpc' && signals.every(each => targets[each].endpoint === targets.metrics.endpoint)
  if (grpcIsOne) return { endpoint: shownEndpoint(targets.metrics.endpoint) }
  return Object.fromEntries(signals.map(each => [`${each}_endpoint`, shownEndpoint(targets[each].endpoint)]))
}

function endpointShape<E extends z.ZodType>(endpoint: () => E) {
  return {
    endpoint: endpoint().optional(),
    metrics_endpoint: endpoint().optional(),
    traces_endpoint: endpoint().optional(),
    logs_endpoint: endpoint().optional(),
  }
}

function grpcEndpointFor(signal: Signal, settings: Endpoints, variables: OtlpVariables): string {
  const own = settings[`${signal}_endpoint`] ?? settings.endpoint
  return own ?? variables.ownEndpoint ?? variables.endpoint ?? defaultGrpcEndpoint
}

/** An endpoint for all signals is what their paths are added to; one of a signal's own is taken as it is. */
function httpEndpointFor(signal: Signal, settings: Endpoints, variables: OtlpVariables): string {
  const own = settings[`${signal}_endpoint`]
  if (own !== undefined) return own
  if (settings.endpoint === undefined && variables.ownEndpoint !== undefined) return variables.ownEndpoint
  const base = settings.endpoint ?? variables.endpoint ?? defaultHttpEndpoint
  return `${base.replace(/\/+$/, '')}/v1/${signal}`
}

function environmentTls({ insecure, caFile, certFile, keyFile }: OtlpVariables): TlsConfig {
  return {
    ...defaultTls,
    ...(insecure !== undefined && { insecure }),
    ...(caFile !== undefined && { caFile }),
    ...(certFile !== undefined && { certFile }),
    ...(keyFile !== undefined && { keyFile }),
  }
}

function definedTls({ tls: settings }: GrpcSettings | HttpSettings): Partial<TlsConfig> {
  if (!settings) return {}
  const { insecure, ...rest } = tlsConfig(settings)
  return settings.insecure === undefined ? rest : { insecure, ...rest }
}

function lowerCase(headers: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}

/** The port is asked for because the gRPC library would dial 443 without one, and a path would be dropped without a word. */
export function isGrpcEndpoint(value: string): boolean {
  const match = /^(?:https?:\/\/)?(\[[0-9a-fA-F:.]+\]|[^\s/:@[\]]+):(\d{1,5})\/?$/.exec(value)
  return match !== null && Number(match[2]) >= 1 && Number(match[2]) <= 65535
}

/** A password in it would be shown by whoever shows endpoints. */
export function isUrl(value: string): boolean {
  if (!/^https?:\/\//.test(value) || !URL.canParse(value)) return false
  const { username, password, hash } = new URL(value)
  return username === '' && password === '' && hash === ''
}
