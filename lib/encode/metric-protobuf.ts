// Metrics as OTLP protobuf (ExportMetricsServiceRequest): points go straight into the bytes of the request.

import type { MetricForm } from '../config/metric-form.ts'
import type { AttributeSet, SignalResource } from '../signals/attribute-set.ts'
import { isWhole, type Metric } from '../signals/metric-names.ts'
import type { HistogramValue } from '../signals/metric-sink.ts'
import { type AttributesField, attributeBytes } from './attribute-bytes.ts'
import type { EncodedRequest } from './encoded-request.ts'
import { writeExplicit, writeExponential } from './histogram-protobuf.ts'
import type { MetricEncoder } from './metric-encoder.ts'
import { DataField, Field, NO_RECORDED_VALUE, Temporality } from './metric-fields.ts'
import { Nanoseconds } from './nanoseconds.ts'
import { ProtobufWriter } from './protobuf-writer.ts'
import { writeScope } from './resource-protobuf.ts'
import type { Scope } from './scope.ts'

const NOTHING = new Uint8Array(0)
/** Start and time, each with its tag. */
const TIMES_BYTES = 18
const VALUE_BYTES = 9
const FLAG_BYTES = 2
const INITIAL_BYTES = 256 * 1024
/** Bytes that the length of a message takes, as long as nobody knows better. */
const LENGTH_BYTES = 2

/** The field of a point that has its attributes. */
const attributesField: Readonly<Record<DataField, AttributesField>> = {
  [DataField.gauge]: 7,
  [DataField.sum]: 7,
  [DataField.histogram]: 9,
  [DataField.exponential]: 1,
}

export class MetricProtobufEncoder implements MetricEncoder {
  readonly #form: Pick<MetricForm, 'temporality' | 'histograms'>
  readonly #scope: Scope
  readonly #writer = new ProtobufWriter(INITIAL_BYTES)
  /** Name, description and unit. */
  readonly #heads = new Map<Metric, Uint8Array>()
  /** Metrics whose points are exponential histograms. */
  readonly #exponential = new Set<Metric>()
  /** Bytes that the lengths of a resource's and a metric's messages took the last time: a wrong guess costs a move of all that is in them. */
  readonly #lengths = new WeakMap<SignalResource | Metric, number>()
  readonly #start = new Nanoseconds()
  readonly #time = new Nanoseconds()
  #items = 0
  #resource: SignalResource | undefined
  #metric: Metric | undefined
  /** What is open; a message begins with its first point. */
  #resourceIsOpen = false
  #data: DataField | undefined

  constructor(scope: Scope, form: Pick<MetricForm, 'temporality' | 'histograms'>) {
    this.#scope = scope
    this.#form = form
  }

  get bytes(): number {
    return this.#writer.position
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
    this.#openMetric(metric.instrument === 'gauge' ? DataField.gauge : DataField.sum)
    this.#beginSmallPoint(VALUE_BYTES, base, more, startMs, timeMs)
    if (isWhole(metric)) this.#writer.fixed64(Field.number.asInt, value)
    else this.#writer.double(Field.number.asDouble, value)
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
    this.#openMetric(isExponential ? DataField.exponential : DataField.histogram)
    const writer = this.#writer
    writer.begin(Field.data.points, LENGTH_BYTES)
    this.#writeTimes(startMs, timeMs)
    const field = attributesField[this.#data!]
    writer.encoded(attributeBytes(base, field))
    if (more) writer.encoded(attributeBytes(more, field))
    if (isExponential) writeExponential(writer, histogram)
    else writeExplicit(writer, histogram)
    writer.end()
    this.#items++
  }

  ended(base: AttributeSet, more: AttributeSet | undefined, startMs: number, timeMs: number): void {
    const { instrument } = this.#metric!
    const isHistogram = instrument === 'histogram'
    const histogram = this.#exponential.has(this.#metric!) ? DataField.exponential : DataField.histogram
    this.#openMetric(isHistogram ? histogram : instrument === 'gauge' ? DataField.gauge : DataField.sum)
    this.#beginSmallPoint(FLAG_BYTES, base, more, startMs, timeMs)
    this.#writer.uint(isHistogram ? Field.histogram.flags : Field.number.flags, NO_RECORDED_VALUE)
  }

  finish(): EncodedRequest {
    this.#closeResource()
    const request = { signal: 'metrics', body: this.#writer.lend(), items: this.#items } as const
    this.#items = 0
    return request
  }

  /** A point that ends with so many bytes of its own. */
  #beginSmallPoint(
    ownBytes: number,
    base: AttributeSet,
    more: AttributeSet | undefined,
    startMs: number,
    timeMs: number,
  ): void {
    const field = attributesField[this.#data!]
    const baseBytes = attributeBytes(base, field)
    const moreBytes = more ? attributeBytes(more, field) : NOTHING
    this.#writer.sized(Field.data.points, TIMES_BYTES + ownBytes + baseBytes.length + moreBytes.length)
    this.#writeTimes(startMs, timeMs)
    this.#writer.encoded(baseBytes)
    if (more) this.#writer.encoded(moreBytes)
    this.#items++
  }

  #writeTimes(startMs: number, timeMs: number): void {
    this.#writer.time(Field.point.start, this.#start.set(startMs))
    this.#writer.time(Field.point.time, this.#time.set(timeMs))
  }

  #openMetric(data: DataField): void {
    if (this.#data === data) return
    this.#closeMetric()
    this.#openResource()
    const guess = this.#lengths.get(this.#metric!) ?? LENGTH_BYTES
    this.#writer.begin(Field.scopeMetrics.metrics, guess)
    this.#writer.encoded(this.#headOf(this.#metric!))
    this.#writer.begin(data, guess)
    this.#data = data
  }

  #closeMetric(): void {
    if (this.#data === undefined) return
    if (this.#data !== DataField.gauge) this.#writer.uint(Field.data.temporality, this.#temporality())
    if (this.#metric!.instrument === 'counter') this.#writer.uint(Field.data.isMonotonic, 1)
    this.#writer.end()
    this.#lengths.set(this.#metric!, this.#writer.end())
    this.#data = undefined
  }

  /** What may fall is told as it is, whatever the receiver prefers. */
  #temporality(): number {
    return this.#metric!.instrument === 'up_down_counter' ? Temporality.cumulative : Temporality[this.#form.temporality]
  }

  #openResource(): void {
    if (this.#resourceIsOpen) return
    this.#resourceIsOpen = true
    const writer = this.#writer
    const guess = this.#lengths.get(this.#resource!) ?? LENGTH_BYTES
    writer.begin(Field.request.resourceMetrics, guess)
    const attributes = attributeBytes(this.#resource!.set, 1)
    writer.sized(Field.resourceMetrics.resource, attributes.length)
    writer.encoded(attributes)
    writer.begin(Field.resourceMetrics.scopeMetrics, guess)
    writeScope(writer, this.#scope)
    writer.text(Field.scopeMetrics.schemaUrl, this.#scope.schemaUrl)
  }

  #closeResource(): void {
    this.#closeMetric()
    if (!this.#resourceIsOpen) return
    this.#resourceIsOpen = false
    this.#writer.end()
    this.#writer.text(Field.resourceMetrics.schemaUrl, this.#scope.schemaUrl)
    this.#lengths.set(this.#resource!, this.#writer.end())
  }

  #headOf(metric: Metric): Uint8Array {
    const known = this.#heads.get(metric)
    if (known) return known
    const writer = new ProtobufWriter(1024)
    writer.text(Field.metric.name, metric.name)
    writer.text(Field.metric.description, metric.description)
    writer.text(Field.metric.unit, metric.unit)
    const head = writer.finish()
    this.#heads.set(metric, head)
    return head
  }
}
