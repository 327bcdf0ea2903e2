// Metrics as Influx line protocol, named as the Collector's influxdb exporter names them (its schema
// telegraf-prometheus-v1): the measurement is the metric, attributes are tags.
import type { MetricForm } from '../config/metric-form.ts'
import type { AttributeSet, SignalResource } from '../signals/attribute-set.ts'
import { isWhole, type Metric } from '../signals/metric-names.ts'
import type { HistogramValue } from '../signals/metric-sink.ts'
import type { EncodedRequest } from './encoded-request.ts'
import { floatText, integerText, measurementText, nanosecondsText } from './line-protocol.ts'
import { LineTags } from './line-tags.ts'
import type { MetricEncoder } from './metric-encoder.ts'

export class MetricLinesEncoder implements MetricEncoder {
  readonly #isDelta: boolean
  readonly #tags = new LineTags()
  #text = ''
  #items = 0
  #metric: Metric | undefined
  #measurement = ''

  constructor({ temporality }: Pick<MetricForm, 'temporality'>) {
    this.#isDelta = temporality === 'delta'
  }

  /** Of a text without other letters than ASCII's. */
  get bytes(): number {
    return this.#text.length
  }

  get items(): number {
    return this.#items
  }

  resource(resource: SignalResource): void {
    this.#tags.resource(resource)
  }

  metric(metric: Metric): void {
    this.#metric = metric
    this.#measurement = measurementText(metric.name)
  }

  number(base: AttributeSet, more: AttributeSet | undefined, startMs: number, timeMs: number, value: number): void {
    const metric = this.#metric!
    const text = isWhole(metric) ? integerText(value) : floatText(value)
    const key = metric.instrument === 'counter' && !this.#isDelta ? 'counter' : 'gauge'
    this.#line(base, more, startMs, timeMs, text && `${key}=${text}`)
  }

  histogram(
    base: AttributeSet,
    more: AttributeSet | undefined,
    startMs: number,
    timeMs: number,
    { count, sum, bounds, counts }: HistogramValue,
  ): void {
    let fields = `count=${count},sum=${floatText(sum) ?? 0}`
    let below = 0
    for (let i = 0; i < counts.length; i++) {
      below += counts[i]!
      fields += `,${bounds[i] ?? '+Inf'}=${below}`
    }
    this.#line(base, more, startMs, timeMs, fields)
  }

  /** The protocol has no word for it. */
  ended(): void {
    this.#items++
  }

  finish(): EncodedRequest {
    const request = { signal: 'metrics', body: Buffer.from(this.#text), items: this.#items } as const
    this.#text = ''
    this.#items = 0
    return request
  }

  #line(
    base: AttributeSet,
    more: AttributeSet | undefined,
    startMs: number,
    timeMs: number,
    fields: string | undefined,
  ): void {
    this.#items++
    // What is no number has no place in a field.
    if (fields === undefined) return
    const start = `start_time_unix_nano=${nanosecondsText(startMs)}i`
    this.#text += `${this.#measurement}${this.#tags.of(base, more)} ${fields},${start} ${nanosecondsText(timeMs)}\n`
  }
}
