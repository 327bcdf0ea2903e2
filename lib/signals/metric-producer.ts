// Everything that is counted as OpenTelemetry metrics, for an SDK's own reader: plug it into any MetricReader.

import { emptyResource } from '@opentelemetry/resources'
import type { CollectionResult, MetricProducer } from '@opentelemetry/sdk-metrics'
import { defaultMetricForm } from '../config/metric-form.ts'
import { type MetricSources, MetricWalk } from './metric-walk.ts'
import { SdkSink } from './sdk-sink.ts'

export interface MetricProducerParts extends MetricSources {
  readonly version: string
}

/** Nobody tells it what became of its points, so that each collection has every series, and the first one also its zero. */
const EACH_TIME = -1

export class FlowMetricProducer implements MetricProducer {
  readonly #walk: MetricWalk
  readonly #version: string

  constructor(parts: MetricProducerParts) {
    this.#walk = new MetricWalk(parts, { ...defaultMetricForm, resendUnchangedMs: EACH_TIME })
    this.#version = parts.version
  }

  async collect(): Promise<CollectionResult> {
    const collection = this.#walk.collect()
    const sink = new SdkSink()
    collection.writeAll(sink)
    collection.acknowledge(0, collection.length)
    const [{ scopeMetrics } = { scopeMetrics: [] }] = sink.take({ name: 'podweir', version: this.#version })
    return { resourceMetrics: { resource: emptyResource(), scopeMetrics }, errors: [] }
  }
}
