// Exporters as a settings file names them: `type` or `type/name`.
import type { z } from 'zod'
import { didYouMean } from './did-you-mean.ts'
import type { FileStorageConfig } from './file-storage.ts'
import { describeInflux, type InfluxExporterConfig, influxExporter, influxSchema } from './influx-exporter.ts'
import { describeKafka, type KafkaExporterConfig, kafkaExporter, kafkaSchema } from './kafka-exporter.ts'
import {
  type DebugExporterConfig,
  debugExporter,
  debugSchema,
  describeDebug,
  describeFile,
  type FileExporterConfig,
  fileExporter,
  fileSchema,
} from './local-exporters.ts'
import {
  describeOtlp,
  type ExporterPlace,
  type OtlpExporterConfig,
  otlpGrpcExporter,
  otlpGrpcSchema,
  otlpHttpExporter,
  otlpHttpSchema,
} from './otlp-exporters.ts'
import type { Path } from './problems.ts'
import {
  describePrometheus,
  type PrometheusExporterConfig,
  prometheusExporter,
  prometheusSchema,
} from './prometheus-exporter.ts'
import type { ReadingContext } from './reading-context.ts'
import { type Signal, signals } from './signal.ts'
import { typeOf, validate } from './validation.ts'
import type { YamlDocument } from './yaml-document.ts'

export type { DebugExporterConfig, FileExporterConfig, OtlpExporterConfig }

export type ExporterConfig =
  | OtlpExporterConfig
  | FileExporterConfig
  | DebugExporterConfig
  | PrometheusExporterConfig
  | InfluxExporterConfig
  | KafkaExporterConfig

interface ExporterKind<S extends z.ZodType = z.ZodType> {
  readonly schema: S
  readonly signals: readonly Signal[]
  /** undefined: the document has the problems. */
  readonly read: (value: unknown, place: UnsettledPlace) => ExporterConfig | undefined
}

type UnsettledPlace = Omit<ExporterPlace, 'storage'> & Pick<ExporterSettings, 'storages'>

const metricsAlone: readonly Signal[] = ['metrics']

export const exporterKinds = {
  otlp_grpc: kind(otlpGrpcSchema, signals, otlpGrpcExporter),
  otlp_http: kind(otlpHttpSchema, signals, otlpHttpExporter),
  file: kind(fileSchema, signals, fileExporter),
  debug: kind(debugSchema, signals, debugExporter),
  prometheus: kind(prometheusSchema, metricsAlone, prometheusExporter),
  influx: kind(influxSchema, metricsAlone, influxExporter),
  kafka: kind(kafkaSchema, signals, kafkaExporter),
}

type ExporterType = keyof typeof exporterKinds

export const exporterTypes = Object.keys(exporterKinds)

/** The Collector's old names, which it still takes. */
const aliases: Readonly<Record<string, ExporterType>> = { otlp: 'otlp_grpc', otlphttp: 'otlp_http' }

const allowedTypes = `${exporterTypes.join(', ')}, each with an optional /NAME`

export interface ExporterSettings extends ReadingContext {
  readonly defined: Readonly<Record<string, unknown>>
  readonly storages: ReadonlyMap<string, FileStorageConfig>
}

/** Every exporter that the file defines, by id. A faulty one is left out, with its problems in the document. */
export function readExporters(settings: ExporterSettings): Map<string, ExporterConfig> {
  const { document, defined, environment, storages, warnings } = settings
  const exporters = new Map<string, ExporterConfig>()
  for (const [id, value] of Object.entries(defined)) {
    const path = ['exporters', id]
    const type = exporterTypeOf(id)
    if (!type) {
      const suggestion = didYouMean(id.split('/')[0]!, exporterTypes)
      document.problems.add(document.placeOfKey(path), path, `unknown exporter${suggestion}`, allowedTypes)
      continue
    }
    const written = typeOf(id)!
    if (written !== type) {
      const what = `'${written}' is a deprecated alias; write ${id.replace(written, type)}`
      warnings.push(document.problems.line(document.placeOfKey(path), path, what))
    }
    const exporter = exporterKinds[type].read(value, { document, path, id, environment, storages, warnings })
    if (exporter) exporters.set(id, exporter)
  }
  refuseSharedPlaces(document, exporters)
  return exporters
}

/** undefined: there is no such exporter. */
export function exporterTypeOf(id: string): ExporterType | undefined {
  const type = typeOf(id)
  if (type === undefined) return undefined
  if (Object.hasOwn(aliases, type)) return aliases[type]
  return Object.hasOwn(exporterKinds, type) ? (type as ExporterType) : undefined
}

/** As settings, without secrets. */
export function describeExporter(exporter: ExporterConfig) {
  switch (exporter.type) {
    case 'otlp_grpc':
    case 'otlp_http':
      return describeOtlp(exporter)
    case 'file':
      return describeFile(exporter)
    case 'debug':
      return describeDebug(exporter)
    case 'prometheus':
      return describePrometheus(exporter)
    case 'influx':
      return describeInflux(exporter)
    case 'kafka':
      return describeKafka(exporter)
  }
}

function kind<S extends z.ZodType>(
  schema: S,
  carried: readonly Signal[],
  build: (settings: z.output<S>, place: ExporterPlace) => ExporterConfig,
): ExporterKind<S> {
  return {
    schema,
    signals: carried,
    read(value, { storages, ...place }) {
      const settings = validate<z.output<S>>(place.document, schema as z.ZodType<z.output<S>>, value, place.path)
      if (settings === undefined) return undefined
      return build(settings, { ...place, storage: storageOf(place.document, place.path, settings, storages) })
    },
  }
}

function storageOf(
  document: YamlDocument,
  exporter: Path,
  settings: unknown,
  storages: ReadonlyMap<string, FileStorageConfig>,
): FileStorageConfig | undefined {
  const name = (settings as { sending_queue?: { storage?: string } }).sending_queue?.storage
  if (name === undefined) return undefined
  const path = [...exporter, 'sending_queue', 'storage']
  if (!storages.has(name)) {
    const known = [...storages.keys()]
    const what = `'${name}' is not in service.extensions${didYouMean(name, known)}`
    const allowed = known.length > 0 ? known.join(', ') : 'a file_storage that service.extensions names'
    document.problems.add(document.placeOf(path), path, what, allowed)
  }
  return storages.get(name)
}

function refuseSharedPlaces(document: YamlDocument, exporters: ReadonlyMap<string, ExporterConfig>): void {
  const owners = new Map<string, string>()
  for (const exporter of exporters.values()) {
    const place = placeOf(exporter)
    if (place === undefined) continue
    const path = ['exporters', exporter.id, exporter.type === 'file' ? 'path' : 'endpoint']
    const other = owners.get(place)
    const noun = exporter.type === 'file' ? 'file' : 'endpoint'
    if (other !== undefined)
      document.problems.add(document.placeOf(path), path, `is the ${noun} of ${other} too`, `another ${noun}`)
    owners.set(place, exporter.id)
  }
}

/** What two exporters can't both have. */
function placeOf(exporter: ExporterConfig): string | undefined {
  if (exporter.type === 'file') return `file ${exporter.path}`
  return exporter.type === 'prometheus' && exporter.port !== 0 ? `port ${exporter.host}:${exporter.port}` : undefined
}
