// Metrics for people, on a terminal.
import type { AttributeSet, SignalResource } from '../signals/attribute-set.ts'
import type { Metric } from '../signals/metric-names.ts'
import type { HistogramValue } from '../signals/metric-sink.ts'
import { attributesText, textBody, timeText, type Verbosity } from './attribute-text.ts'
import type { EncodedRequest } from './encoded-request.ts'
import type { MetricEncoder } from './metric-encoder.ts'
import { printable } from './printable.ts'
import type { Scope } from './scope.ts'

export class MetricTextEncoder implements MetricEncoder {
  readonly #verbosity: Verbosity
  readonly #scope: string
  readonly #metrics = new Set<Metric>()
  #lines: string[] = []
  #bytes = 0
  #items = 0
  #lastMs = 0
  #metric: Metric | undefined

  constructor(scope: Scope, verbosity: Verbosity) {
    this.#verbosity = verbosity
    this.#scope = `scope ${printable(scope.name)} ${printable(scope.version)}`
  }

  get bytes(): number {
    return this.#bytes
  }

  get items(): number {
    return this.#items
  }

  resource({ set }: SignalResource): void {
    if (this.#verbosity !== 'detailed') return
    this.#add(`resource ${attributesText(set)}`)
    this.#add(this.#scope)
  }

  metric(metric: Metric): void {
    this.#metric = metric
    this.#metrics.add(metric)
  }

  number(base: AttributeSet, more: AttributeSet | undefined, startMs: number, timeMs: number, value: number): void {
    this.#point(base, more, startMs, timeMs, String(value))
  }

  histogram(
    base: AttributeSet,
    more: AttributeSet | undefined,
    startMs: number,
    timeMs: number,
    { count, sum }: HistogramValue,
  ): void {
    this.#point(base, more, startMs, timeMs, `count=${count} sum=${sum}`)
  }

  ended(base: AttributeSet, more: AttributeSet | undefined, startMs: number, timeMs: number): void {
    this.#point(base, more, startMs, timeMs, 'ended')
  }

  finish(): EncodedRequest {
    if (this.#verbosity === 'basic')
      this.#add(`${timeText(this.#lastMs)} metrics: ${this.#metrics.size}, data points: ${this.#items}`)
    const request = { signal: 'metrics', body: textBody(this.#lines), items: this.#items } as const
    this.#lines = []
    this.#metrics.clear()
    this.#bytes = 0
    this.#items = 0
    return request
  }

  #point(base: AttributeSet, more: AttributeSet | undefined, startMs: number, timeMs: number, value: string): void {
    this.#items++
    this.#lastMs = timeMs
    if (this.#verbosity === 'basic') return
    const { name, unit } = this.#metric!
    const line = `${printable(name)}${attributesText(base, more)} ${value} ${printable(unit)}`.trimEnd()
    const times = ` start=${timeText(startMs)} time=${timeText(timeMs)}`
    this.#add(this.#verbosity === 'detailed' ? line + times : line)
  }

  #add(line: string): void {
    this.#lines.push(line)
    this.#bytes += line.length + 1
  }
}
