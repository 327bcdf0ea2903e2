// Series of the agent as a whole, which are few: each is found by its metric and attributes, and begins when it is first written.
import type { Attributes } from '@opentelemetry/api'
import type { Metric } from './metric-names.ts'
import type { SeriesWriter } from './series.ts'
import type { SharedSets } from './shared-sets.ts'
import { Stream } from './stream.ts'

export class NamedSeries {
  readonly #sets: SharedSets
  readonly #writer: SeriesWriter
  readonly #startMs: number
  readonly #series = new Map<string, number>()

  /** `startMs`, wall clock: when all of them began. */
  constructor(sets: SharedSets, writer: SeriesWriter, startMs: number) {
    this.#sets = sets
    this.#writer = writer
    this.#startMs = startMs
  }

  write(metric: Metric, attributes: Attributes, value: number): void {
    this.#writer.write(this.#seriesOf(metric, attributes), value)
  }

  #seriesOf(metric: Metric, attributes: Attributes): number {
    const key = keyOf(metric, attributes)
    const known = this.#series.get(key)
    if (known !== undefined) return known
    const resource = this.#sets.resources.agent
    const stream = new Stream({ resource, metric, more: this.#sets.beside(attributes) })
    const series = this.#writer.begin(stream, this.#sets.plain, this.#startMs)
    this.#series.set(key, series)
    return series
  }
}

function keyOf({ name }: Metric, attributes: Attributes): string {
  let key = name
  for (const each in attributes) key += ` ${each}=${attributes[each]}`
  return key
}
