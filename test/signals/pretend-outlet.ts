// What an outlet does with a walk, without a receiver: the test sees each collection as the SDK's objects, and says which of
// its series have been acknowledged.
import { emptyResource } from '@opentelemetry/resources'
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { parseFlowFilter } from '../../lib/config/flow-filter.ts'
import { defaultMetricForm, type MetricForm } from '../../lib/config/metric-form.ts'
import type { AttributeSet } from '../../lib/signals/attribute-set.ts'
import type { Collection } from '../../lib/signals/collection.ts'
import { filterOf } from '../../lib/signals/flow-predicate.ts'
import type { Metric } from '../../lib/signals/metric-names.ts'
import type { MetricSink } from '../../lib/signals/metric-sink.ts'
import { type MetricSources, MetricWalk } from '../../lib/signals/metric-walk.ts'
import { SdkSink, toHrTime } from '../../lib/signals/sdk-sink.ts'
import { streamKey, streamsOf } from './receiver.ts'

export interface Filter {
  readonly include?: readonly string[]
  readonly exclude?: readonly string[]
}

const scope = { name: 'podweir', version: '0.1.0' }

export class PretendOutlet {
  readonly #walk: MetricWalk
  readonly #isDelta: boolean
  #collection: Collection | undefined
  /** Where in the newest collection each stream is; made when somebody asks. */
  #indexes: ReadonlyMap<string, number> | undefined

  readonly #leave: () => void

  constructor(sources: MetricSources, form: Partial<MetricForm> = {}, { include = [], exclude = [] }: Filter = {}) {
    const parsed = (filters: readonly string[]) => filters.map(each => parseFlowFilter(each, true))
    const isAll = include.length === 0 && exclude.length === 0
    const choice = sources.delivery.choices?.add(isAll ? undefined : filterOf(parsed(include), parsed(exclude)))
    this.#walk = new MetricWalk(sources, { ...defaultMetricForm, ...form }, choice)
    this.#isDelta = form.temporality === 'delta'
    this.#leave = sources.delivery.add(this.#walk.delivered, choice)
  }

  /** It counts no more. */
  leave(): void {
    this.#leave()
  }

  /** One for each resource. */
  collectAll(): ResourceMetrics[] {
    const collection = this.#walk.collect()
    this.#collection = collection
    this.#indexes = undefined
    const sink = new SdkSink()
    collection.writeAll(sink)
    return sink.take(scope, this.#isDelta)
  }

  /** Those of the agent's resource. */
  collect(): ResourceMetrics {
    return this.collectAll()[0] ?? { resource: emptyResource(), scopeMetrics: [] }
  }

  /** What is of an earlier collection is ignored: an outlet never has two under way. */
  acknowledged(metrics: ResourceMetrics): void {
    const collection = this.#collection
    if (!collection) return
    this.#indexes ??= indexesOf(collection)
    for (const stream of streamsOf(metrics)) {
      const index = this.#indexes.get(stream)
      if (index !== undefined) collection.acknowledge(index, index + 1)
    }
  }
}

function indexesOf(collection: Collection): ReadonlyMap<string, number> {
  const sink = new StreamIndexes()
  for (let from = 0; from < collection.length; ) from = collection.write(sink, from, () => sink.next())
  return sink.indexes
}

class StreamIndexes implements MetricSink {
  readonly indexes = new Map<string, number>()
  #index = -1
  #metric: Metric | undefined

  next(): boolean {
    this.#index++
    return false
  }

  resource(): void {}

  metric(metric: Metric): void {
    this.#metric = metric
  }

  number(base: AttributeSet, more: AttributeSet | undefined, startMs: number): void {
    const attributes = { ...base.attributes, ...more?.attributes }
    this.indexes.set(streamKey(this.#metric!.name, attributes, toHrTime(startMs)), this.#index)
  }

  histogram(base: AttributeSet, more: AttributeSet | undefined, startMs: number): void {
    this.number(base, more, startMs)
  }

  ended(): void {}
}
