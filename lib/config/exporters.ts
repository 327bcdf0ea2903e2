// Exporters as a settings file names them: `type` or `type/name`.
import { z } from 'zod'
import { didYouMean } from './did-you-mean.ts'
import { parseDuration } from './duration.ts'
import type { Path } from './problems.ts'
import type { Environment } from './substitution.ts'
import { choice, flag, parsed, required, section, text, validate, wholeNumber } from './validation.ts'
import type { YamlDocument } from './yaml-document.ts'

/** What is absent is read from the `OTEL_*` variables by the exporter itself. */
export interface OtlpGrpcExporterConfig {
  readonly type: 'otlp_grpc'
  readonly id: string
  /** `HOST:PORT`, `http://HOST:PORT` or `https://HOST:PORT`. */
  readonly endpoint?: string
  readonly tls?: TlsConfig
  readonly headers?: Readonly<Record<string, string>>
  readonly compression?: 'none' | 'gzip'
  readonly timeoutMs?: number
  /** What will be dialled, the environment considered: for messages. */
  readonly target: string
}

export interface TlsConfig {
  readonly insecure?: boolean
  readonly caFile?: string
  readonly certFile?: string
  readonly keyFile?: string
}

export interface FileExporterConfig {
  readonly type: 'file'
  readonly id: string
  readonly path: string
  /** The file is rotated before it exceeds this. */
  readonly maxFileBytes: number
  readonly maxBackups: number
}

export interface DebugExporterConfig {
  readonly type: 'debug'
  readonly id: string
  readonly verbosity: 'basic' | 'normal' | 'detailed'
}

export type ExporterConfig = OtlpGrpcExporterConfig | FileExporterConfig | DebugExporterConfig

const bytesPerMegabyte = 1024 * 1024
const filePath = 'the path of a file'

const endpoint = text('HOST:PORT, http://HOST:PORT, https://HOST:PORT', isEndpoint)
const headerName = text('letters, digits, - _ .', value => /^[0-9A-Za-z_.-]+$/.test(value))
const headerValue = text('text of printable ASCII characters', value => /^[ -~]*$/.test(value))

const tls = required({
  insecure: flag().optional(),
  ca_file: text(filePath).optional(),
  cert_file: text(filePath).optional(),
  key_file: text(filePath).optional(),
})

export const exporterSchemas = {
  otlp_grpc: section({
    endpoint: endpoint.optional(),
    tls: tls.optional(),
    headers: z.record(headerName, headerValue, { error: 'a mapping of header names to text' }).optional(),
    compression: choice('none', 'gzip').optional(),
    timeout: parsed('1ms to 5m, such as 10s', value => durationBetween(value, 1, 300_000)).optional(),
  }),
  file: section({
    path: text(filePath),
    rotation: section({
      max_megabytes: wholeNumber(1, 1_000_000).default(100),
      max_backups: wholeNumber(0, 10_000).default(3),
    }),
  }),
  debug: section({ verbosity: choice('basic', 'normal', 'detailed').default('basic') }),
}

const allowedTypes = `${Object.keys(exporterSchemas).join(', ')}, each with an optional /NAME`

export function durationBetween(value: string, leastMs: number, mostMs: number): number | undefined {
  const ms = parseDuration(value)
  return ms === undefined || ms < leastMs || ms > mostMs ? undefined : ms
}

/** Every exporter that the file defines, by id. A faulty one is left out, with its problems in the document. */
export function readExporters(
  document: YamlDocument,
  defined: Readonly<Record<string, unknown>>,
  environment: Environment,
  warnings: string[],
): Map<string, ExporterConfig> {
  const exporters = new Map<string, ExporterConfig>()
  for (const [id, value] of Object.entries(defined)) {
    const path = ['exporters', id]
    const type = typeOf(id)
    if (!type) {
      const suggestion = didYouMean(id.split('/')[0]!, Object.keys(exporterSchemas))
      document.problems.add(document.placeOfKey(path), path, `unknown exporter${suggestion}`, allowedTypes)
      continue
    }
    if (/^otlp(\/|$)/.test(id)) warnings.push(deprecated(document, path, id))
    const exporter = readExporter(document, type, id, value, environment)
    if (exporter) exporters.set(id, exporter)
  }
  refuseSharedFiles(document, exporters)
  return exporters
}

/** The exporter of a configuration that names none: everything from the `OTEL_*` variables. */
export function defaultExporter(environment: Environment): OtlpGrpcExporterConfig {
  return { type: 'otlp_grpc', id: 'otlp_grpc', target: targetOf(undefined, environment) }
}

function typeOf(id: string): keyof typeof exporterSchemas | undefined {
  const type = /^([a-z_]+)(\/.+)?$/.exec(id)?.[1]
  if (type === 'otlp') return 'otlp_grpc'
  return type !== undefined && Object.hasOwn(exporterSchemas, type) ? (type as keyof typeof exporterSchemas) : undefined
}

function deprecated(document: YamlDocument, path: Path, id: string): string {
  const newName = id.replace('otlp', 'otlp_grpc')
  return document.problems.line(document.placeOfKey(path), path, `'otlp' is a deprecated alias; write ${newName}`)
}

function readExporter(
  document: YamlDocument,
  type: keyof typeof exporterSchemas,
  id: string,
  value: unknown,
  environment: Environment,
): ExporterConfig | undefined {
  const path = ['exporters', id]
  if (type === 'debug') {
    const debug = validate(document, exporterSchemas.debug, value, path)
    return debug && { type, id, verbosity: debug.verbosity }
  }
  if (type === 'file') {
    const file = validate(document, exporterSchemas.file, value, path)
    if (!file) return undefined
    const maxFileBytes = file.rotation.max_megabytes * bytesPerMegabyte
    return { type, id, path: file.path, maxFileBytes, maxBackups: file.rotation.max_backups }
  }
  const otlp = validate(document, exporterSchemas.otlp_grpc, value, path)
  return otlp && otlpGrpc(document, id, otlp, environment)
}

function otlpGrpc(
  document: YamlDocument,
  id: string,
  settings: z.output<typeof exporterSchemas.otlp_grpc>,
  environment: Environment,
): OtlpGrpcExporterConfig {
  const tlsPath = ['exporters', id, 'tls']
  const { endpoint, headers, compression, timeout } = settings
  if (settings.tls && (settings.tls.cert_file === undefined) !== (settings.tls.key_file === undefined)) {
    document.problems.add(
      document.placeOfKey(tlsPath),
      tlsPath,
      'one half of a client certificate',
      'cert_file with key_file',
    )
  }
  if (endpoint?.startsWith('https://') && settings.tls?.insecure) {
    const path = [...tlsPath, 'insecure']
    document.problems.add(document.placeOf(path), path, 'contradicts https:// in the endpoint', 'false, or http://')
  }
  return {
    type: 'otlp_grpc',
    id,
    ...(endpoint !== undefined && { endpoint }),
    ...(settings.tls && { tls: tlsConfig(settings.tls) }),
    ...(headers && { headers }),
    ...(compression !== undefined && { compression }),
    ...(timeout !== undefined && { timeoutMs: timeout }),
    target: targetOf(endpoint, environment),
  }
}

function tlsConfig(settings: z.output<typeof tls>): TlsConfig {
  const { insecure, ca_file: caFile, cert_file: certFile, key_file: keyFile } = settings
  return {
    ...(insecure !== undefined && { insecure }),
    ...(caFile !== undefined && { caFile }),
    ...(certFile !== undefined && { certFile }),
    ...(keyFile !== undefined && { keyFile }),
  }
}

/** The exporter's own order: the metrics variable, the general one, its default. */
function targetOf(endpoint: string | undefined, environment: Environment): string {
  return (
    endpoint ||
    environment.OTEL_EXPORTER_OTLP_METRICS_ENDPOINT?.trim() ||
    environment.OTEL_EXPORTER_OTLP_ENDPOINT?.trim() ||
    'http://localhost:4317'
  )
}

function refuseSharedFiles(document: YamlDocument, exporters: ReadonlyMap<string, ExporterConfig>): void {
  const writers = new Map<string, string>()
  for (const exporter of exporters.values()) {
    if (exporter.type !== 'file') continue
    const path = ['exporters', exporter.id, 'path']
    const other = writers.get(exporter.path)
    if (other !== undefined)
      document.problems.add(document.placeOf(path), path, `is the file of ${other} too`, 'another file')
    writers.set(exporter.path, exporter.id)
  }
}

/** The port is asked for because the gRPC library would dial 443 without one, and a path would be dropped without a word. */
function isEndpoint(value: string): boolean {
  const match = /^(?:https?:\/\/)?(\[[0-9a-fA-F:.]+\]|[^\s/:@[\]]+):(\d{1,5})\/?$/.exec(value)
  return match !== null && Number(match[2]) >= 1 && Number(match[2]) <= 65535
}
