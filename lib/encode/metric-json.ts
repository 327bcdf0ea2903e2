// Metrics as OTLP JSON, the way the Collector's file exporter writes it: 64-bit integers as strings, enums as numbers,
// fields that hold their type's zero left out.

import type { MetricForm } from '../config/metric-form.ts'
import type { AttributeSet, SignalResource } from '../signals/attribute-set.ts'
import { isWhole, type Metric } from '../signals/metric-names.ts'
import type { Exemplar, HistogramValue } from '../signals/metric-sink.ts'
import { attributeElements, doubleJson, integerJson, textJson, timeJson } from './attribute-json.ts'
import type { EncodedRequest } from './encoded-request.ts'
import { exponentialBuckets } from './exponential-buckets.ts'
import type { MetricEncoder } from './metric-encoder.ts'
import { NO_RECORDED_VALUE, Temporality } from './metric-fields.ts'
import { attributesField } from './resource-json.ts'
import type { Scope } from './scope.ts'

type Data = 'gauge' | 'sum' | 'histogram' | 'exponentialHistogram'

const BEGINNING = '{"resourceMetrics":['

export class MetricJsonEncoder implements MetricEncoder {
  readonly #form: Pick<MetricForm, 'temporality' | 'histograms'>
  readonly #schemaUrl: string
  readonly #scope: string
  /** Metrics whose points are exponential histograms. */
  readonly #exponential = new Set<Metric>()
  #text = BEGINNING
  #items = 0
  #resource: SignalResource | undefined
  #metric: Metric | undefined
  /** What is open; a resource and a metric begin with their first point. */
  #resourceIsOpen = false
  #data: Data | undefined

  constructor(scope: Scope, form: Pick<MetricForm, 'temporality' | 'histograms'>) {
    this.#form = form
    this.#schemaUrl = textJson(scope.schemaUrl)
    this.#scope = `{"name":${textJson(scope.name)},"version":${textJson(scope.version)}}`
  }

  /** Of a text without other letters than ASCII's. */
  get bytes(): number {
    return this.#text.length
  }

  get items(): number {
    return this.#items
  }

  resource(resource: SignalResource): void {
    this.#closeResource()
    this.#resource = resource
  }

  metric(metric: Metric): void {
    this.#closeMetric()
    this.#metric = metric
  }

  number(base: AttributeSet, more: AttributeSet | undefined, startMs: number, timeMs: number, value: number): void {
    const metric = this.#metric!
    const text = isWhole(metric)
      ? `,"asInt":"${integerJson(value)}"`
      : `,"asDouble":${JSON.stringify(doubleJson(value))}`
    this.#point(metric.instrument === 'gauge' ? 'gauge' : 'sum', base, more, startMs, timeMs, text)
  }

  histogram(
    base: AttributeSet,
    more: AttributeSet | undefined,
    startMs: number,
    timeMs: number,
    histogram: HistogramValue,
  ): void {
    const isExponential = this.#form.histograms === 'exponential' && histogram.bounds.length > 0
    if (isExponential) this.#exponential.add(this.#metric!)
    const data = isExponential ? 'exponentialHistogram' : 'histogram'
    const text = isExponential ? exponentialJson(histogram) : explicitJson(histogram)
    const head = `${countJson('count', histogram.count)},"sum":${JSON.stringify(doubleJson(histogram.sum))}`
    this.#point(data, base, more, startMs, timeMs, `${head}${text}${exemplarsJson(histogram.exemplars)}`)
  }

  ended(base: AttributeSet, more: AttributeSet | undefined, startMs: number, timeMs: number): void {
    const data = this.#dataOfEnd()
    const buckets = data === 'exponentialHistogram' ? ',"positive":{},"negative":{}' : ''
    this.#point(data, base, more, startMs, timeMs, `,"flags":${NO_RECORDED_VALUE}${buckets}`)
  }

  finish(): EncodedRequest {
    this.#closeResource()
    const request = { signal: 'metrics', body: Buffer.from(`${this.#text}]}`), items: this.#items } as const
    this.#text = BEGINNING
    this.#items = 0
    return request
  }

  #dataOfEnd(): Data {
    const { instrument } = this.#metric!
    if (instrument === 'histogram') return this.#exponential.has(this.#metric!) ? 'exponentialHistogram' : 'histogram'
    return instrument === 'gauge' ? 'gauge' : 'sum'
  }

  #point(
    data: Data,
    base: AttributeSet,
    more: AttributeSet | undefined,
    startMs: number,
    timeMs: number,
    text: string,
  ): void {
    const isFirst = this.#data !== data
    if (isFirst) this.#openMetric(data)
    const times = `"startTimeUnixNano":${timeJson(startMs)},"timeUnixNano":${timeJson(timeMs)}`
    this.#text += `${isFirst ? '' : ','}{${times}${attributesField(base, more)}${text}}`
    this.#items++
  }

  #openMetric(data: Data): void {
    this.#closeMetric()
    const isFirst = !this.#resourceIsOpen
    if (isFirst) this.#openResource()
    const { name, description, unit } = this.#metric!
    const head = `"name":${textJson(name)},"description":${textJson(description)},"unit":${textJson(unit)}`
    this.#text += `${isFirst ? '' : ','}{${head},"${data}":{${this.#temporality(data)}"dataPoints":[`
    this.#data = data
  }

  #temporality(data: Data): string {
    const { instrument } = this.#metric!
    if (data === 'gauge') return ''
    const number = Temporality[instrument === 'up_down_counter' ? 'cumulative' : this.#form.temporality]
    return `"aggregationTemporality":${number},${instrument === 'counter' ? '"isMonotonic":true,' : ''}`
  }

  #closeMetric(): void {
    if (this.#data !== undefined) this.#text += ']}}'
    this.#data = undefined
  }

  #openResource(): void {
    this.#resourceIsOpen = true
    const elements = attributeElements(this.#resource!.set)
    const resource = elements === '' ? '{}' : `{"attributes":[${elements}]}`
    const comma = this.#text === BEGINNING ? '' : ','
    this.#text += `${comma}{"resource":${resource},"scopeMetrics":[{"scope":${this.#scope},"metrics":[`
  }

  #closeResource(): void {
    this.#closeMetric()
    if (this.#resourceIsOpen) this.#text += `],"schemaUrl":${this.#schemaUrl}}],"schemaUrl":${this.#schemaUrl}}`
    this.#resourceIsOpen = false
  }
}

function explicitJson({ bounds, counts }: HistogramValue): string {
  const explicitBounds = bounds.length === 0 ? '' : `,"explicitBounds":[${bounds.join(',')}]`
  return `,"bucketCounts":[${countsJson(counts, 0)}]${explicitBounds}`
}

function exponentialJson(histogram: HistogramValue): string {
  const { scale, zeroCount, zeroThreshold, offset, first } = exponentialBuckets(histogram)
  const buckets = `{${offset === 0 ? '' : `"offset":${offset},`}"bucketCounts":[${countsJson(histogram.counts, first)}]}`
  const head = `${scale === 0 ? '' : `,"scale":${scale}`}${countJson('zeroCount', zeroCount)}`
  return `${head},"positive":${buckets},"negative":{},"zeroThreshold":${zeroThreshold}`
}

function countsJson(counts: ArrayLike<number>, first: number): string {
  return Array.from(counts)
    .slice(first)
    .map(count => `"${integerJson(count)}"`)
    .join(',')
}

function countJson(name: string, count: number): string {
  return count === 0 ? '' : `,"${name}":"${integerJson(count)}"`
}

function exemplarsJson(exemplars: readonly Exemplar[] | undefined): string {
  if (!exemplars?.length) return ''
  const texts = exemplars.map(
    ({ timeMs, value, spanId, traceId }) =>
      `{"timeUnixNano":${timeJson(timeMs)},"asDouble":${JSON.stringify(doubleJson(value))},"spanId":"${spanId}","traceId":"${traceId}"}`,
  )
  return `,"exemplars":[${texts.join(',')}]`
}
