// Exporters as a settings file comes to have them.
import { stringify } from 'yaml'
import { parseConfig } from '../../lib/config/config.ts'
import type { ExporterConfig, FileExporterConfig, OtlpExporterConfig } from '../../lib/config/exporters.ts'

/** `settings`: keys as in a file. What this version can't do yet is taken too. */
export function exporterConfig(id: string, settings: object, environment = {}): ExporterConfig {
  const [exporter] = parseConfig(stringify({ exporters: { [id]: settings } }), 'a.yaml', environment, []).exporters
  if (!exporter) throw new Error(`no exporter came of ${id}`)
  return exporter
}

export function otlpGrpcConfig(settings: object, environment = {}): OtlpExporterConfig {
  return exporterConfig('otlp_grpc', settings, environment) as OtlpExporterConfig
}

/** Rotation by bytes, so that a test need not write megabytes. */
export function fileConfig(path: string, maxFileBytes = 1_000_000, maxBackups = 2, id = 'file'): FileExporterConfig {
  return { ...(exporterConfig(id, { path }) as FileExporterConfig), maxFileBytes, maxBackups }
}
