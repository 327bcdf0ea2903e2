// Which way data goes: pipelines of one signal each, with what they pass and where they end.
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { defaultDelivery } from './default-delivery.ts'
import { didYouMean } from './did-you-mean.ts'
import { type ExporterConfig, exporterKinds, exporterTypeOf } from './exporters.ts'
import { checkFilter, type ProcessorConfig } from './processors.ts'
import { type Signal, signals } from './signal.ts'
import { choice, list, section, text, typeOf } from './validation.ts'
import type { YamlDocument } from './yaml-document.ts'

export interface PipelineConfig {
  /** `SIGNAL` or `SIGNAL/NAME`. */
  readonly id: string
  readonly signal: Signal
  /** In this order. */
  readonly processors: readonly ProcessorConfig[]
  /** Their ids. */
  readonly exporters: readonly string[]
}

export const pipelineSchema = section({
  receivers: list(choice('podweir'), 'a list of receivers: [podweir]')
    .min(1, { error: 'podweir' })
    .default(['podweir']),
  processors: list(text('the name of a processor'), 'a list of processors').default([]),
  exporters: list(text('the name of an exporter'), 'a list of exporters'),
})

export const pipelinesSchema = z.record(
  text('metrics, traces or logs, each with an optional /NAME', value => signalOf(value) !== undefined),
  pipelineSchema,
  { error: 'pipelines by name: metrics, traces, logs, each with an optional /NAME' },
)

type PipelineSettings = z.output<typeof pipelineSchema>

export interface PipelineParts {
  readonly document: YamlDocument
  readonly pipelines: Readonly<Record<string, PipelineSettings>>
  /** As the file has them, the faulty ones too. */
  readonly defined: { readonly exporters: readonly string[]; readonly processors: readonly string[] }
  readonly exporters: ReadonlyMap<string, ExporterConfig>
  readonly processors: ReadonlyMap<string, ProcessorConfig>
  readonly warnings: string[]
}

/** Without any there is one of metrics, to every exporter that is defined. */
export function readPipelines(parts: PipelineParts): PipelineConfig[] {
  const entries = Object.entries(parts.pipelines)
  if (entries.length === 0) {
    const all: PipelineConfig = {
      id: 'metrics',
      signal: 'metrics',
      processors: [],
      exporters: [...parts.exporters.keys()],
    }
    warnOfIdleQueues(parts, [all])
    return [all]
  }
  const pipelines = entries.map(([id, settings]) => readPipeline(parts, id, settings))
  refuseTwoWays(parts.document, pipelines)
  warnOfIdle(parts, pipelines)
  warnOfIdleQueues(parts, pipelines)
  warnOfUnused(parts, 'exporters', 'nothing is sent to it')
  warnOfUnused(parts, 'processors', 'it does nothing')
  return pipelines
}

export function signalOf(id: string): Signal | undefined {
  const type = typeOf(id)
  return signals.find(signal => signal === type)
}

function readPipeline(parts: PipelineParts, id: string, settings: PipelineSettings): PipelineConfig {
  const { document, processors } = parts
  const signal = signalOf(id)!
  const path = ['service', 'pipelines', id]
  const at = [...path, 'exporters']
  if (settings.exporters.length === 0)
    document.problems.add(document.placeOf(at), at, 'is empty', 'at least one exporter')
  for (const [i, exporter] of settings.exporters.entries()) checkExporter(parts, [...at, i], exporter, signal)
  for (const [i, name] of settings.processors.entries()) {
    const place = [...path, 'processors', i]
    if (!parts.defined.processors.includes(name))
      refuseUndefined(document, place, 'processor', name, parts.defined.processors)
    if (settings.processors.indexOf(name) < i)
      document.problems.add(document.placeOf(place), place, `${name} is in this pipeline already`, 'each once')
  }
  refuseSecond(parts, path, settings.processors)
  const named = settings.processors.flatMap(name => processors.get(name) ?? [])
  for (const processor of named)
    if (processor.type === 'filter' && signal === 'metrics') checkFilter(document, processor, true)
  return { id, signal, processors: named, exporters: settings.exporters }
}

function checkExporter(parts: PipelineParts, path: readonly PropertyKey[], id: string, signal: Signal): void {
  const { document, defined } = parts
  if (!defined.exporters.includes(id)) {
    refuseUndefined(document, path, 'exporter', id, defined.exporters)
    return
  }
  const type = exporterTypeOf(id)
  if (!type || exporterKinds[type].signals.includes(signal)) return
  const able = Object.entries(exporterKinds).flatMap(([name, kind]) => (kind.signals.includes(signal) ? [name] : []))
  const what = `${id} carries ${exporterKinds[type].signals.join(' and ')} alone, not ${signal}`
  document.problems.add(document.placeOf(path), path, what, able.join(', '))
}

/** Requests of a pipeline are made in one way, and the process has one limit. */
function refuseSecond({ document }: PipelineParts, path: readonly PropertyKey[], names: readonly string[]): void {
  for (const type of ['batch', 'memory_limiter']) {
    const [first, second] = names.filter(name => typeOf(name) === type)
    if (second === undefined || second === first) continue
    const at = [...path, 'processors', names.indexOf(second)]
    const what = `is a second ${type}, beside ${first}`
    document.problems.add(document.placeOf(at), at, what, `one ${type} in a pipeline`)
  }
}

/** It would get everything twice, in two versions that contradict each other. */
function refuseTwoWays(document: YamlDocument, pipelines: readonly PipelineConfig[]): void {
  const ways = new Map<string, PipelineConfig>()
  for (const pipeline of pipelines) {
    for (const [i, id] of pipeline.exporters.entries()) {
      const key = `${pipeline.signal} ${id}`
      const other = ways.get(key) ?? pipeline
      ways.set(key, other)
      if (way(other) === way(pipeline)) continue
      const path = ['service', 'pipelines', pipeline.id, 'exporters', i]
      const what = `${id} is in ${other.id} too, with other processors`
      document.problems.add(document.placeOf(path), path, what, 'the same processors, or an exporter of its own')
    }
  }
}

/** Metrics are collected all at once, and never left out for want of memory. */
function warnOfIdle({ document, warnings }: PipelineParts, pipelines: readonly PipelineConfig[]): void {
  const usedBy = (isOfMetrics: boolean) =>
    pipelines.filter(({ signal }) => (signal === 'metrics') === isOfMetrics).flatMap(({ processors }) => processors)
  const busy = usedBy(false).map(({ id }) => id)
  for (const processor of new Set(usedBy(true))) {
    const isOfEvents =
      processor.type === 'memory_limiter' || (processor.type === 'batch' && !processor.sendBatchMaxSize)
    if (!isOfEvents || busy.includes(processor.id)) continue
    const path = ['processors', processor.id]
    const what = 'has nothing to do: metrics are collected all at once, and never left out'
    warnings.push(document.problems.line(document.placeOfKey(path), path, what))
  }
}

/** Metrics don't queue. What says the defaults, as a printed configuration does, wants nothing. */
function warnOfIdleQueues(
  { document, warnings, exporters }: PipelineParts,
  pipelines: readonly PipelineConfig[],
): void {
  for (const [id, exporter] of exporters) {
    const carried = pipelines.filter(each => each.exporters.includes(id))
    if (carried.length === 0 || carried.some(({ signal }) => signal !== 'metrics')) continue
    const { retry, queue } = { ...defaultDelivery, ...exporter }
    const idle = [
      ...(retry.maxElapsedMs === defaultDelivery.retry.maxElapsedMs ? [] : [['retry_on_failure', 'max_elapsed_time']]),
      ...(isDeepStrictEqual(queue, defaultDelivery.queue) ? [] : [['sending_queue']]),
    ]
    for (const keys of idle) {
      const path = ['exporters', id, ...keys]
      const what = 'has nothing to do: metrics don’t queue, and come again with newer values'
      warnings.push(document.problems.line(document.placeOfKey(path), path, what))
    }
  }
}

function way({ processors }: PipelineConfig): string {
  return processors.map(({ id }) => id).join()
}

function warnOfUnused(parts: PipelineParts, section: 'exporters' | 'processors', consequence: string): void {
  const { document, pipelines, warnings } = parts
  const used = new Set(Object.values(pipelines).flatMap(pipeline => pipeline[section]))
  for (const id of parts.defined[section]) {
    const path = [section, id]
    const what = `is in no pipeline: ${consequence}`
    if (!used.has(id)) warnings.push(document.problems.line(document.placeOfKey(path), path, what))
  }
}

function refuseUndefined(
  document: YamlDocument,
  path: readonly PropertyKey[],
  noun: 'exporter' | 'processor',
  id: string,
  defined: readonly string[],
): void {
  const none = `${noun === 'exporter' ? 'an' : 'a'} ${noun} defined under ${noun}s:, where there is none`
  const what = `${noun} '${id}' is not defined${didYouMean(id, defined)}`
  document.problems.add(document.placeOf(path), path, what, defined.length > 0 ? defined.join(', ') : none)
}
