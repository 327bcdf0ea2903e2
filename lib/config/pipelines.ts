// Which of the defined exporters the pipelines use.
import { z } from 'zod'
import { didYouMean } from './did-you-mean.ts'
import type { ExporterConfig } from './exporters.ts'
import { choice, list, section, text } from './validation.ts'
import type { YamlDocument } from './yaml-document.ts'

export const pipelineSchema = section({
  receivers: list(choice('podweir'), 'a list of receivers: [podweir]')
    .min(1, { error: 'podweir' })
    .default(['podweir']),
  exporters: list(text('the name of an exporter'), 'a list of exporters'),
})

export const pipelinesSchema = z.record(
  text('metrics, metrics/NAME', value => /^metrics(\/.+)?$/.test(value)),
  pipelineSchema,
  { error: 'pipelines by name: metrics, metrics/NAME' },
)

/** Each exporter that a pipeline uses, once, however many pipelines name it. Without pipelines: all. */
export function usedExporters(
  document: YamlDocument,
  pipelines: z.output<typeof pipelinesSchema>,
  defined: Readonly<Record<string, unknown>>,
  exporters: ReadonlyMap<string, ExporterConfig>,
  warnings: string[],
): ExporterConfig[] {
  if (Object.keys(pipelines).length === 0) return [...exporters.values()]
  const used = new Set<string>()
  for (const [name, pipeline] of Object.entries(pipelines)) {
    const path = ['service', 'pipelines', name, 'exporters']
    if (pipeline.exporters.length === 0)
      document.problems.add(document.placeOf(path), path, 'is empty', 'at least one exporter')
    for (const [i, id] of pipeline.exporters.entries()) {
      used.add(id)
      if (!Object.hasOwn(defined, id)) refuseUndefined(document, [...path, i], id, Object.keys(defined))
    }
  }
  for (const id of Object.keys(defined)) {
    const path = ['exporters', id]
    if (!used.has(id))
      warnings.push(document.problems.line(document.placeOfKey(path), path, 'is in no pipeline: nothing is sent to it'))
  }
  return [...exporters.values()].filter(exporter => used.has(exporter.id))
}

function refuseUndefined(document: YamlDocument, path: readonly PropertyKey[], id: string, defined: string[]): void {
  const allowed = defined.length > 0 ? defined.join(', ') : `an exporter defined under exporters:, where there is none`
  document.problems.add(
    document.placeOf(path),
    path,
    `exporter '${id}' is not defined${didYouMean(id, defined)}`,
    allowed,
  )
}
