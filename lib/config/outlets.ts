// Which exporter gets what, by pipelines that were read.
import type { ExporterConfig } from './exporters.ts'
import type { PipelineConfig } from './pipelines.ts'
import type { ProcessorConfig } from './processors.ts'
import { type Signal, signals } from './signal.ts'

/** What one exporter gets of one signal. */
export interface OutletConfig {
  readonly exporter: ExporterConfig
  readonly processors: readonly ProcessorConfig[]
}

/** Each exporter of a signal once, however many pipelines name it. */
export function outletsOf(
  { pipelines, exporters }: { pipelines: readonly PipelineConfig[]; exporters: readonly ExporterConfig[] },
  signal: Signal,
): OutletConfig[] {
  const carrying = pipelines.filter(pipeline => pipeline.signal === signal)
  return exporters.flatMap(exporter => {
    const pipeline = carrying.find(each => each.exporters.includes(exporter.id))
    return pipeline ? [{ exporter, processors: pipeline.processors }] : []
  })
}

/** What an exporter gets. */
export function signalsOf({ pipelines }: { pipelines: readonly PipelineConfig[] }, exporterId: string): Signal[] {
  return signals.filter(signal => pipelines.some(each => each.signal === signal && each.exporters.includes(exporterId)))
}
