// What a pipeline's processors come to, for one outlet.
import { parseFlowFilter } from '../config/flow-filter.ts'
import type { BatchConfig, MemoryLimiterConfig, ProcessorConfig } from '../config/processors.ts'
import { AttributeNaming } from './attribute-naming.ts'
import { type FlowPredicate, filterOf } from './flow-predicate.ts'

export interface MetricProcessing {
  /** Which edges are told; absent: all. */
  readonly fits?: FlowPredicate
  /** Absent: names as they are. */
  readonly naming?: AttributeNaming
  /** Points of one request; absent: as many as fit. */
  readonly largestItems?: number
}

export interface EventProcessing extends MetricProcessing {
  readonly batch?: BatchConfig
  readonly memoryLimiter?: MemoryLimiterConfig
}

/** Metrics are collected all at once, and never given up: of `batch` the largest size counts alone, of `memory_limiter` nothing. */
export function metricProcessing(processors: readonly ProcessorConfig[]): MetricProcessing {
  const { batch: _, memoryLimiter: __, ...processing } = eventProcessing(processors)
  return processing
}

export function eventProcessing(processors: readonly ProcessorConfig[]): EventProcessing {
  const filters = processors.filter(processor => processor.type === 'filter')
  const steps = processors.filter(processor => processor.type === 'attributes')
  const batch = processors.find(processor => processor.type === 'batch')
  const memoryLimiter = processors.find(processor => processor.type === 'memory_limiter')
  const predicates = filters.map(({ include, exclude }) =>
    filterOf(
      include.map(each => parseFlowFilter(each)),
      exclude.map(each => parseFlowFilter(each)),
    ),
  )
  return {
    ...(predicates.length > 0 && { fits: subject => predicates.every(fits => fits(subject)) }),
    ...(steps.length > 0 && { naming: new AttributeNaming(steps) }),
    ...(batch && batch.sendBatchMaxSize > 0 && { largestItems: batch.sendBatchMaxSize }),
    ...(batch && { batch }),
    ...(memoryLimiter && { memoryLimiter }),
  }
}
