// The series of `podweir.ledger.*` for one receiver: the terms of the three equations (docs/ledger.md).
import type { Attributes } from '@opentelemetry/api'
import type { MetricData } from '@opentelemetry/sdk-metrics'
import type { WireFigures } from '../aggregate/figures.ts'
import { directions } from '../aggregate/interface-account.ts'
import type { CounterKind } from '../capture/flow-source.ts'
import { attribute } from './attribute-names.ts'
import type { DeliveryFigures } from './delivery.ts'
import { type Books, nodeTotals } from './ledger-totals.ts'
import { metricData, type Points } from './metric-data.ts'
import { ledgerMetric, type Metric } from './metric-names.ts'
import type { Moment, Series, SeriesWriter } from './series.ts'

export class LedgerSeries {
  readonly #books: Books
  readonly #writer: SeriesWriter
  readonly #startMs: number
  readonly #series = new Map<string, Series>()

  constructor(books: Books, writer: SeriesWriter, startMs: number) {
    this.#books = books
    this.#writer = writer
    this.#startMs = startMs
  }

  collect(moment: Moment): MetricData[] {
    const totals = nodeTotals(this.#books)
    return [
      this.#skbs(moment),
      this.#unexplained(moment),
      this.#stages(ledgerMetric.packets, totals.packets, totals.delivery.packets, moment),
      this.#stages(ledgerMetric.bytes, totals.bytes, totals.delivery.bytes, moment),
    ]
  }

  #skbs(moment: Moment): MetricData {
    const points: Points = []
    for (const kind of this.#books.ledger.kinds)
      for (const direction of directions) {
        const { device, seen, unobserved, overseen } = this.#books.ledger.deviceFigures(kind, direction)
        for (const [stage, value] of Object.entries({ device, seen, unobserved, overseen }))
          this.#writer.write(points, this.#skbSeries(stage, direction, kind), value, moment)
      }
    return metricData(ledgerMetric.skbs, points)
  }

  /** Signed, so it has no zero point to rise from and is sent each time. */
  #unexplained(moment: Moment): MetricData {
    const points: Points = directions.map(direction => ({
      startTime: moment.start,
      endTime: moment.now,
      attributes: { [attribute.ioDirection]: direction, ...moment.everyPoint },
      value: this.#books.ledger.figures(direction).skbs.unexplained,
    }))
    return metricData(ledgerMetric.unexplained, points)
  }

  #stages(metric: Metric, wire: WireFigures, delivery: DeliveryFigures, moment: Moment): MetricData {
    const { drained, exported, otherEnd, excluded, queued, lost, restart } = delivery
    // What has ever been queued: a counter must not fall, the current amount is a difference.
    const everQueued = exported + queued
    const stages = { ...wire, drained, exported, other_end: otherEnd, excluded, queued: everQueued, restart }
    const points: Points = []
    for (const [stage, value] of Object.entries(stages))
      this.#writer.write(points, this.#stageSeries(metric, { [attribute.ledgerStage]: stage }), value, moment)
    const unattributed = { [attribute.ledgerStage]: 'lost', [attribute.lossReason]: 'unattributed' }
    this.#writer.write(points, this.#stageSeries(metric, unattributed), lost, moment)
    return metricData(metric, points)
  }

  #skbSeries(stage: string, direction: string, kind: CounterKind): Series {
    return this.#stageSeries(ledgerMetric.skbs, {
      [attribute.ledgerStage]: stage,
      [attribute.ioDirection]: direction,
      [attribute.counterKind]: kind,
    })
  }

  #stageSeries(metric: Metric, attributes: Attributes): Series {
    const key = [metric.name, ...Object.values(attributes)].join(' ')
    const known = this.#series.get(key)
    if (known) return known
    const series = this.#writer.begin(attributes, this.#startMs)
    this.#series.set(key, series)
    return series
  }
}
