// A sink that keeps what it is told, one line for each point.
import type { AttributeSet, SignalResource } from '../../lib/signals/attribute-set.ts'
import type { Metric } from '../../lib/signals/metric-names.ts'
import type { HistogramValue, MetricSink } from '../../lib/signals/metric-sink.ts'

export class ToldPoints implements MetricSink {
  readonly lines: string[] = []
  /** In the order in which they were told. */
  readonly bases: AttributeSet[] = []
  readonly resources: SignalResource[] = []
  readonly histograms: HistogramValue[] = []
  #metric: Metric | undefined

  resource(resource: SignalResource): void {
    this.resources.push(resource)
  }

  metric(metric: Metric): void {
    this.#metric = metric
  }

  number(base: AttributeSet, more: AttributeSet | undefined, startMs: number, timeMs: number, value: number): void {
    this.#add(base, more, startMs, timeMs, String(value))
  }

  histogram(
    base: AttributeSet,
    more: AttributeSet | undefined,
    startMs: number,
    timeMs: number,
    histogram: HistogramValue,
  ): void {
    const counts = Array.from(histogram.counts)
    this.histograms.push({ ...histogram, counts })
    this.#add(base, more, startMs, timeMs, `${histogram.count} in ${histogram.sum} s: ${counts.join(' ')}`)
  }

  ended(base: AttributeSet, more: AttributeSet | undefined, startMs: number, timeMs: number): void {
    this.#add(base, more, startMs, timeMs, 'ended')
  }

  #add(base: AttributeSet, more: AttributeSet | undefined, startMs: number, timeMs: number, what: string): void {
    this.bases.push(base)
    const values = [base, more].flatMap(set => Object.values(set?.attributes ?? {}))
    this.lines.push(`${[this.#metric!.name, ...values].join(' ')} from ${startMs} at ${timeMs}: ${what}`)
  }
}
