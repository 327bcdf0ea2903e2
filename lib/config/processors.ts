// What happens to data between receiver and exporters, as a settings file names it: `type` or `type/name`.
import { z } from 'zod'
import { didYouMean } from './did-you-mean.ts'
import { formatDuration } from './duration.ts'
import { FilterProblem, parseFlowFilter } from './flow-filter.ts'
import { placeText } from './problems.ts'
import { choice, duration, list, section, text, typeOf, validate, wholeNumber } from './validation.ts'
import type { YamlDocument } from './yaml-document.ts'

/** Which flows go on: of `include`, if there are any, one must fit; `exclude` beats it. */
export interface FilterConfig {
  readonly type: 'filter'
  readonly id: string
  /** Expressions of the flow filter (docs/filter.md). */
  readonly include: readonly string[]
  readonly exclude: readonly string[]
}

/** How attributes are called. */
export interface AttributesConfig {
  readonly type: 'attributes'
  readonly id: string
  /** Where it is set, for messages. */
  readonly place: string
  readonly profile: 'none' | 'obi' | 'netobserv' | 'otel-draft'
  /** Old key to new key; they beat the profile. */
  readonly rename: Readonly<Record<string, string>>
  readonly drop: readonly string[]
}

/** When spans and log records make a request, and how large one may be. */
export interface BatchConfig {
  readonly type: 'batch'
  readonly id: string
  /** What is there is sent after this time at the latest. */
  readonly timeoutMs: number
  /** As many are sent at once. */
  readonly sendBatchSize: number
  /** Points, spans or records in one request; 0: as many as fit. */
  readonly sendBatchMaxSize: number
}

/** Spans and log records are not made while the process is larger than the limit less the spike. */
export interface MemoryLimiterConfig {
  readonly type: 'memory_limiter'
  readonly id: string
  readonly checkIntervalMs: number
  readonly limitBytes: number
  readonly spikeLimitBytes: number
}

export type ProcessorConfig = FilterConfig | AttributesConfig | BatchConfig | MemoryLimiterConfig

const mebibyte = 2 ** 20
const key = text('the key of an attribute', value => /^[\w./-]{1,255}$/.test(value))
const expressions = list(text('an expression, such as dst.port:9100'), 'a list of expressions').default([])

export const processorSchemas = {
  filter: section({ include: expressions, exclude: expressions }),
  attributes: section({
    profile: choice('none', 'obi', 'netobserv', 'otel-draft').default('none'),
    rename: z.record(key, key, { error: 'a mapping of keys to keys' }).default({}),
    drop: list(key, 'a list of keys').default([]),
  }),
  batch: section({
    timeout: duration(10, 60_000).default(1000),
    send_batch_size: wholeNumber(10, 1_000_000).default(8192),
    send_batch_max_size: wholeNumber(0, 1_000_000).default(0),
  }),
  memory_limiter: section({
    check_interval: duration(100, 60_000).default(1000),
    limit_mib: wholeNumber(64, 1_048_576).default(256),
    spike_limit_mib: wholeNumber(0, 1_048_576).optional(),
  }),
}

type ProcessorType = keyof typeof processorSchemas

export const processorTypes = Object.keys(processorSchemas)

const allowedTypes = `${processorTypes.join(', ')}, each with an optional /NAME`

export const processorsSchema = z.record(z.string(), z.unknown(), { error: `a mapping of ${allowedTypes}` }).default({})

/** Every processor that the file defines, by id. A faulty one is left out, with its problems in the document. */
export function readProcessors(
  document: YamlDocument,
  defined: Readonly<Record<string, unknown>>,
): Map<string, ProcessorConfig> {
  const processors = new Map<string, ProcessorConfig>()
  for (const [id, value] of Object.entries(defined)) {
    const path = ['processors', id]
    const type = typeOf(id)
    if (type === undefined || !Object.hasOwn(processorSchemas, type)) {
      const suggestion = didYouMean(id.split('/')[0]!, processorTypes)
      document.problems.add(document.placeOfKey(path), path, `unknown processor${suggestion}`, allowedTypes)
      continue
    }
    const processor = readProcessor(document, type as ProcessorType, id, value)
    if (processor) processors.set(id, processor)
  }
  return processors
}

export function describeProcessor(processor: ProcessorConfig) {
  switch (processor.type) {
    case 'filter':
      return { include: processor.include, exclude: processor.exclude }
    case 'attributes':
      return { profile: processor.profile, rename: processor.rename, drop: processor.drop }
    case 'batch':
      return {
        timeout: formatDuration(processor.timeoutMs),
        send_batch_size: processor.sendBatchSize,
        send_batch_max_size: processor.sendBatchMaxSize,
      }
    case 'memory_limiter':
      return {
        check_interval: formatDuration(processor.checkIntervalMs),
        limit_mib: processor.limitBytes / mebibyte,
        spike_limit_mib: processor.spikeLimitBytes / mebibyte,
      }
  }
}

function readProcessor(
  document: YamlDocument,
  type: ProcessorType,
  id: string,
  value: unknown,
): ProcessorConfig | undefined {
  const path = ['processors', id]
  switch (type) {
    case 'filter': {
      const filter = validate(document, processorSchemas.filter, value, path)
      if (filter) checkFilter(document, { type, id, ...filter }, false)
      return filter && { type, id, ...filter }
    }
    case 'attributes': {
      const attributes = validate(document, processorSchemas.attributes, value, path)
      return attributes && { type, id, place: placeText(document.placeOfKey(path)), ...attributes }
    }
    case 'batch': {
      const batch = validate(document, processorSchemas.batch, value, path)
      return batch && batchConfig(document, id, batch)
    }
    case 'memory_limiter': {
      const limiter = validate(document, processorSchemas.memory_limiter, value, path)
      return limiter && memoryLimiterConfig(document, id, limiter)
    }
  }
}

/** `isOfEdges`: for metrics, which are of edges. */
export function checkFilter(document: YamlDocument, filter: FilterConfig, isOfEdges: boolean): void {
  for (const list of ['include', 'exclude'] as const)
    for (const [i, expression] of filter[list].entries()) {
      const path = ['processors', filter.id, list, i]
      try {
        parseFlowFilter(expression, isOfEdges)
      } catch (error) {
        if (!(error instanceof FilterProblem)) throw error
        document.problems.add(document.placeOf(path), path, `${error.what} at ${error.column}`, error.allowed)
      }
    }
}

function batchConfig(
  document: YamlDocument,
  id: string,
  settings: z.output<typeof processorSchemas.batch>,
): BatchConfig {
  const { send_batch_size: sendBatchSize, send_batch_max_size: sendBatchMaxSize } = settings
  if (sendBatchMaxSize !== 0 && sendBatchMaxSize < sendBatchSize) {
    const path = ['processors', id, 'send_batch_max_size']
    const what = `${sendBatchMaxSize} is less than send_batch_size`
    document.problems.add(document.placeOf(path), path, what, `0, or ${sendBatchSize} or more`)
  }
  return { type: 'batch', id, timeoutMs: settings.timeout, sendBatchSize, sendBatchMaxSize }
}

function memoryLimiterConfig(
  document: YamlDocument,
  id: string,
  settings: z.output<typeof processorSchemas.memory_limiter>,
): MemoryLimiterConfig {
  const { limit_mib: limit, spike_limit_mib: spike = Math.floor(limit / 5) } = settings
  if (spike >= limit) {
    const path = ['processors', id, 'spike_limit_mib']
    document.problems.add(document.placeOf(path), path, `${spike} is not less than limit_mib`, `less than ${limit}`)
  }
  const bytes = { limitBytes: limit * mebibyte, spikeLimitBytes: spike * mebibyte }
  return { type: 'memory_limiter', id, checkIntervalMs: settings.check_interval, ...bytes }
}
