// Exporters that write on this machine: `file` and `debug`.

import type { z } from 'zod'
import { defaultDelivery } from './default-delivery.ts'
import { type DeliveryConfig, describeMetricForm, metricForm, metricFormShape } from './exporter-delivery.ts'
import type { MetricForm } from './metric-form.ts'
import { choice, section, text, wholeNumber } from './validation.ts'

export interface FileExporterConfig extends MetricForm, DeliveryConfig {
  readonly type: 'file'
  readonly id: string
  readonly path: string
  /** The file is rotated before it exceeds this. */
  readonly maxFileBytes: number
  readonly maxBackups: number
}

export interface DebugExporterConfig extends MetricForm, DeliveryConfig {
  readonly type: 'debug'
  readonly id: string
  readonly verbosity: 'basic' | 'normal' | 'detailed'
}

const bytesPerMegabyte = 1024 * 1024

export const fileSchema = section({
  path: text('the path of a file'),
  rotation: section({
    max_megabytes: wholeNumber(1, 1_000_000).default(100),
    max_backups: wholeNumber(0, 10_000).default(3),
  }),
  ...metricFormShape,
})

export const debugSchema = section({
  verbosity: choice('basic', 'normal', 'detailed').default('basic'),
  ...metricFormShape,
})

export function fileExporter(settings: z.output<typeof fileSchema>, { id }: { id: string }): FileExporterConfig {
  const maxFileBytes = settings.rotation.max_megabytes * bytesPerMegabyte
  return {
    ...{ type: 'file', id, path: settings.path, maxFileBytes, maxBackups: settings.rotation.max_backups },
    ...metricForm(settings),
    ...defaultDelivery,
  }
}

export function debugExporter(settings: z.output<typeof debugSchema>, { id }: { id: string }): DebugExporterConfig {
  return { type: 'debug', id, verbosity: settings.verbosity, ...metricForm(settings), ...defaultDelivery }
}

export function describeFile(exporter: FileExporterConfig) {
  const rotation = { max_megabytes: exporter.maxFileBytes / bytesPerMegabyte, max_backups: exporter.maxBackups }
  return { path: exporter.path, rotation, ...describeMetricForm(exporter) }
}

export function describeDebug(exporter: DebugExporterConfig) {
  return { verbosity: exporter.verbosity, ...describeMetricForm(exporter) }
}
