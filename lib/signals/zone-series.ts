// The series of `podweir.network.inter_zone.bytes` for one receiver.
import type { ZoneTable } from '../aggregate/zone-table.ts'
import type { EdgeChoice } from './edge-choices.ts'
import { edgeMetric } from './edge-metrics.ts'
import type { SeriesWriter } from './series.ts'
import type { SharedSets } from './shared-sets.ts'
import { Stream } from './stream.ts'

export class ZoneSeries {
  readonly #zones: ZoneTable
  readonly #sets: SharedSets
  readonly #writer: SeriesWriter
  readonly #choice: EdgeChoice | undefined
  readonly #stream: Stream
  /** Index as in `ZoneTable.crossings`. */
  readonly #series: (number | undefined)[] = []

  constructor(zones: ZoneTable, sets: SharedSets, writer: SeriesWriter, choice: EdgeChoice | undefined) {
    this.#choice = choice
    this.#zones = zones
    this.#sets = sets
    this.#writer = writer
    this.#stream = new Stream({ resource: sets.resources.agent, metric: edgeMetric.interZone })
    zones.onEvicted((crossing, endMs) => {
      for (const each of [crossing, crossing + 1]) this.#evicted(each, endMs)
    })
  }

  write(): void {
    for (const [i, crossing] of this.#zones.crossings.entries()) {
      if (!crossing || this.#choice?.takesCrossing(i, crossing) === false) continue
      const series = this.#series[i] ?? this.#begin(i)
      if (this.#zones.isLeaving(i)) this.#writer.writeNews(series, this.#zones.values[i]!)
      else this.#writer.write(series, this.#zones.values[i]!)
    }
  }

  #begin(number: number): number {
    const base = this.#sets.crossings.of(number, this.#zones.crossings[number]!)
    const series = this.#writer.begin(this.#stream, base, this.#zones.starts[number]!)
    this.#series[number] = series
    return series
  }

  /** See `EvictionListener`. */
  #evicted(number: number, endMs: number): void {
    const value = this.#zones.values[number]!
    if (this.#choice?.takesCrossing(number, this.#zones.crossings[number]!) === false) return
    const series = this.#series[number] ?? (value === 0 ? undefined : this.#begin(number))
    if (series !== undefined) this.#writer.end(series, { value, timeMs: endMs - 2 })
    this.#series[number] = undefined
  }
}
