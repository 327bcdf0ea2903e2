// The series of `podweir.network.packet.dropped` for one receiver: a series for each interface and reason.
import type { Attributes } from '@opentelemetry/api'
import type { MetricData } from '@opentelemetry/sdk-metrics'
import type { CounterQueue, DropCounter, DropPlace, DropTable } from '../aggregate/drop-table.ts'
import { attribute } from './attribute-names.ts'
import { interfaceAttributes, momentOfEnd } from './interface-attributes.ts'
import { metricData, type Points } from './metric-data.ts'
import { dropMetric } from './metric-names.ts'
import type { Moment, Series, SeriesWriter } from './series.ts'

/** Counters of interfaces that are gone and that no receiver has: when there are more, the oldest are given up. */
const ENDED_LIMIT = 4096

interface Dropped {
  readonly counter: DropCounter
  readonly series: Series
}

export class DropSeries {
  readonly #table: DropTable
  readonly #arrivals: CounterQueue
  readonly #writer: SeriesWriter
  readonly #startMs: number
  #dropped: Dropped[] = []
  #overflow: Series | undefined

  constructor(table: DropTable, writer: SeriesWriter, startMs: number) {
    this.#table = table
    this.#arrivals = table.counterQueue()
    this.#writer = writer
    this.#startMs = startMs
  }

  collect(moment: Moment): MetricData[] {
    for (const counter of this.#arrivals.take()) this.#dropped.push({ counter, series: this.#seriesOf(counter) })
    this.#forgetEnded()
    const points: Points = []
    for (const { counter, series } of this.#dropped)
      this.#writer.write(points, series, counter.packets, momentOfEnd(counter.endedAtMs, moment))
    if (this.#table.uncounted > 0) {
      this.#overflow ??= this.#writer.begin({ [attribute.overflow]: true }, this.#startMs)
      this.#writer.write(points, this.#overflow, this.#table.uncounted, moment)
    }
    return [metricData(dropMetric.packets, points)]
  }

  #seriesOf({ at, reason }: DropCounter): Series {
    const startMs = typeof at === 'string' ? this.#startMs : at.attachment.attachedAtMs
    return this.#writer.begin({ ...placeOf(at), [attribute.dropReason]: reason }, startMs)
  }

  #forgetEnded(): void {
    this.#dropped = this.#dropped.filter(
      ({ counter, series }) => counter.endedAtMs === undefined || !series.isDelivered(counter.packets),
    )
    let excess = this.#dropped.filter(({ counter }) => counter.endedAtMs !== undefined).length - ENDED_LIMIT
    if (excess > 0)
      this.#dropped = this.#dropped.filter(({ counter }) => counter.endedAtMs === undefined || excess-- <= 0)
  }
}

function placeOf(at: DropPlace): Attributes {
  return typeof at === 'string' ? { [attribute.plainName]: at } : interfaceAttributes(at.attachment, at.owner)
}
