// Counters that grow by one with each collection, as a source of metrics.
import { defaultMetricForm } from '../../lib/config/metric-form.ts'
import type { MetricSource } from '../../lib/export/metric-outlet.ts'
import { systemClock } from '../../lib/host/clock.ts'
import { AttributeSet } from '../../lib/signals/attribute-set.ts'
import type { Collection } from '../../lib/signals/collection.ts'
import { SeriesWriter } from '../../lib/signals/series.ts'
import { Stream } from '../../lib/signals/stream.ts'
import { agent, metricNamed } from '../support/told-metrics.ts'

export class GrowingCounters implements MetricSource {
  total = 0
  collections = 0
  /** Collections that were delivered whole. */
  deliveries = 0
  readonly #writer: SeriesWriter
  readonly #series: readonly number[]

  /** `temporality` and what the series carry are those of a receiver. */
  constructor(bases: readonly AttributeSet[] = [new AttributeSet({})], form = defaultMetricForm) {
    this.#writer = new SeriesWriter({ form, clock: systemClock, sinceMs: 0 })
    const stream = new Stream({ resource: agent, metric: metricNamed('n'), delivers: 'packets' })
    this.#series = bases.map(base => this.#writer.begin(stream, base, systemClock.nowMs()))
  }

  /** What was acknowledged, of all counters together. */
  get acknowledged(): number {
    return this.#writer.delivered.packets
  }

  async collect(): Promise<Collection> {
    this.collections++
    this.total += 1_000_003
    return this.#writer.collect(() => {
      for (const series of this.#series) this.#writer.write(series, this.total)
    })
  }

  delivered(): void {
    this.deliveries++
  }
}
