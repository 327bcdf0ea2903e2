// What points become in InfluxDB by docs/influx.md, written down apart from the encoder: series with their fields by time.
import type { Attributes } from '@opentelemetry/api'
import type { AttributeSet, SignalResource } from '../../lib/signals/attribute-set.ts'
import { isWhole, type Metric } from '../../lib/signals/metric-names.ts'
import type { HistogramValue, MetricSink } from '../../lib/signals/metric-sink.ts'
import type { InfluxRows } from './influxdb.ts'

export class ToldLines implements MetricSink {
  readonly #found = new Map<string, Map<number, Record<string, number>>>()
  #resource: Attributes = {}
  #metric: Metric | undefined

  resource({ set }: SignalResource): void {
    this.#resource = set.attributes
  }

  metric(metric: Metric): void {
    this.#metric = metric
  }

  number(base: AttributeSet, more: AttributeSet | undefined, startMs: number, timeMs: number, value: number): void {
    const key = this.#metric!.instrument === 'counter' ? 'counter' : 'gauge'
    if (!isWhole(this.#metric!) && !Number.isFinite(value)) return
    this.#add(base, more, timeMs, { [key]: value, start_time_unix_nano: startMs * 1e6 })
  }

  histogram(
    base: AttributeSet,
    more: AttributeSet | undefined,
    startMs: number,
    timeMs: number,
    { count, sum, bounds, counts }: HistogramValue,
  ): void {
    const buckets = Array.from(counts).map((_, i) => {
      const below = Array.from(counts).slice(0, i + 1)
      return [bounds[i] === undefined ? '+Inf' : String(bounds[i]), below.reduce((all, each) => all + each, 0)]
    })
    this.#add(base, more, timeMs, { count, sum, ...Object.fromEntries(buckets), start_time_unix_nano: startMs * 1e6 })
  }

  ended(): void {}

  get series(): Record<string, [number, Record<string, number>][]> {
    return sorted([...this.#found].map(([name, times]) => [name, [...times]]))
  }

  #add(base: AttributeSet, more: AttributeSet | undefined, timeMs: number, fields: Record<string, number>): void {
    const tags = { ...this.#resource, ...base.attributes, ...more?.attributes }
    const texts = Object.entries(tags).map(([key, value]) => [key, String(value)] as const)
    const name = seriesName(this.#metric!.name, Object.fromEntries(texts))
    const times = this.#found.get(name) ?? new Map<number, Record<string, number>>()
    this.#found.set(name, times.set(timeMs * 1e6, { ...times.get(timeMs * 1e6), ...fields }))
  }
}

/** The same of what InfluxDB answers. */
export function seriesIn(rows: readonly InfluxRows[]): Record<string, [number, Record<string, number>][]> {
  return sorted(
    rows.map(({ name, tags = {}, columns, values }) => {
      const points = values.map(([time, ...cells]): [number, Record<string, number>] => {
        const fields = columns.slice(1).map((column, i) => [column, cells[i]] as const)
        return [Number(time), Object.fromEntries(fields.filter(([, value]) => value !== null)) as never]
      })
      return [seriesName(name, tags), points]
    }),
  )
}

/** InfluxDB shows a tag that a series lacks as one without a value. */
function seriesName(measurement: string, tags: Readonly<Record<string, string>>): string {
  const there = Object.entries(tags).filter(([, value]) => value !== '')
  return JSON.stringify([measurement, there.sort(([a], [b]) => (a < b ? -1 : 1))])
}

function sorted<V>(entries: [string, V][]): Record<string, V> {
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}
