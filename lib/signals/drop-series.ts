// The series of `podweir.network.packet.dropped` for one receiver: a series for each interface and reason.
import type { CounterQueue, DropCounter, DropPlace, DropTable } from '../aggregate/drop-table.ts'
import { attribute } from './attribute-names.ts'
import type { AttributeSet } from './attribute-set.ts'
import { dropMetric } from './metric-names.ts'
import type { SeriesWriter } from './series.ts'
import type { SharedSets } from './shared-sets.ts'
import { Stream } from './stream.ts'

interface Dropped {
  readonly counter: DropCounter
  readonly series: number
}

export class DropSeries {
  readonly #table: DropTable
  readonly #arrivals: CounterQueue
  readonly #sets: SharedSets
  readonly #writer: SeriesWriter
  readonly #startMs: number
  /** By the kernel's reason, of which there are about a hundred. */
  readonly #streams = new Map<string, Stream>()
  readonly #overflowStream: Stream
  #dropped: Dropped[] = []
  #overflow: number | undefined

  constructor(table: DropTable, sets: SharedSets, writer: SeriesWriter, startMs: number) {
    this.#table = table
    this.#arrivals = table.counterQueue()
    this.#sets = sets
    this.#writer = writer
    this.#startMs = startMs
    this.#overflowStream = new Stream({ resource: sets.resources.agent, metric: dropMetric.packets })
  }

  write(): void {
    for (const counter of this.#arrivals.take()) this.#dropped.push({ counter, series: this.#begin(counter) })
    this.#dropped = this.#dropped.filter(({ counter: { packets, endedAtMs: timeMs }, series }) => {
      if (timeMs === undefined) this.#writer.write(series, packets)
      else this.#writer.end(series, { value: packets, timeMs })
      return timeMs === undefined
    })
    if (this.#table.uncounted === 0) return
    const base = () => this.#sets.base({ [attribute.overflow]: true })
    this.#overflow ??= this.#writer.begin(this.#overflowStream, base(), this.#startMs)
    this.#writer.write(this.#overflow, this.#table.uncounted)
  }

  #begin({ at, reason }: DropCounter): number {
    const startMs = typeof at === 'string' ? this.#startMs : at.attachment.attachedAtMs
    return this.#writer.begin(this.#streamOf(reason), this.#baseOf(at), startMs)
  }

  #baseOf(at: DropPlace): AttributeSet {
    if (typeof at === 'string') return this.#sets.base({ [attribute.plainName]: at })
    return this.#sets.interface(at.attachment, at.owner)
  }

  #streamOf(reason: string): Stream {
    const known = this.#streams.get(reason)
    if (known) return known
    const more = this.#sets.beside({ [attribute.dropReason]: reason })
    const stream = new Stream({ resource: this.#sets.resources.agent, metric: dropMetric.packets, more })
    this.#streams.set(reason, stream)
    return stream
  }
}
