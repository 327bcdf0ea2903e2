// Metrics with the names of attributes that a receiver wants.
import type { AttributeNaming } from '../signals/attribute-naming.ts'
import type { AttributeSet, SignalResource } from '../signals/attribute-set.ts'
import type { Metric } from '../signals/metric-names.ts'
import type { HistogramValue } from '../signals/metric-sink.ts'
import type { EncodedRequest } from './encoded-request.ts'
import type { MetricEncoder } from './metric-encoder.ts'

/** Resources keep theirs. */
export class NamedMetricEncoder implements MetricEncoder {
  readonly #encoder: MetricEncoder
  readonly #naming: AttributeNaming

  constructor(encoder: MetricEncoder, naming: AttributeNaming) {
    this.#encoder = encoder
    this.#naming = naming
  }

  get bytes(): number {
    return this.#encoder.bytes
  }

  get items(): number {
    return this.#encoder.items
  }

  resource(resource: SignalResource): void {
    this.#encoder.resource(resource)
  }

  metric(metric: Metric): void {
    this.#encoder.metric(metric)
  }

  number(base: AttributeSet, more: AttributeSet | undefined, startMs: number, timeMs: number, value: number): void {
    this.#encoder.number(this.#naming.of(base), more && this.#naming.of(more), startMs, timeMs, value)
  }

  histogram(
    base: AttributeSet,
    more: AttributeSet | undefined,
    startMs: number,
    timeMs: number,
    histogram: HistogramValue,
  ): void {
    this.#encoder.histogram(this.#naming.of(base), more && this.#naming.of(more), startMs, timeMs, histogram)
  }

  ended(base: AttributeSet, more: AttributeSet | undefined, startMs: number, timeMs: number): void {
    this.#encoder.ended(this.#naming.of(base), more && this.#naming.of(more), startMs, timeMs)
  }

  finish(): EncodedRequest {
    return this.#encoder.finish()
  }
}
