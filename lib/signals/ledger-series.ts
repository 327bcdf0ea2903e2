// The series of `podweir.ledger.*` for one receiver: the terms of the three equations (docs/ledger.md).
import type { Attributes } from '@opentelemetry/api'
import type { MetricData } from '@opentelemetry/sdk-metrics'
import { type DirectionFigures, otherClasses } from '../aggregate/figures.ts'
import { directions } from '../aggregate/interface-account.ts'
import type { CounterKind } from '../capture/flow-source.ts'
import { attribute } from './attribute-names.ts'
import { type Books, type NodeTotals, nodeTotals } from './ledger-totals.ts'
import { metricData, type Points } from './metric-data.ts'
import { ledgerMetric, type Metric } from './metric-names.ts'
import type { Moment, Series, SeriesWriter } from './series.ts'

export class LedgerSeries {
  readonly #books: Books
  readonly #writer: SeriesWriter
  readonly #startMs: number
  readonly #series = new Map<string, Series>()
  /** Of flows, and of no class of its own. */
  readonly #plain = { packets: 0, bytes: 0 }

  constructor(books: Books, writer: SeriesWriter, startMs: number) {
    this.#books = books
    this.#writer = writer
    this.#startMs = startMs
  }

  collect(moment: Moment): MetricData[] {
    const figures = directions.map(direction => this.#books.ledger.figures(direction))
    const totals = nodeTotals(this.#books, figures)
    return [
      this.#skbs(moment),
      this.#unexplained(figures, moment),
      this.#stages(ledgerMetric.packets, 'packets', totals, moment),
      this.#stages(ledgerMetric.bytes, 'bytes', totals, moment),
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
  #unexplained(figures: readonly DirectionFigures[], moment: Moment): MetricData {
    const points: Points = directions.map((direction, i) => ({
      startTime: moment.start,
      endTime: moment.now,
      attributes: { [attribute.ioDirection]: direction, ...moment.everyPoint },
      value: figures[i]!.skbs.unexplained,
    }))
    return metricData(ledgerMetric.unexplained, points)
  }

  #stages(metric: Metric, unit: 'packets' | 'bytes', totals: NodeTotals, moment: Moment): MetricData {
    const points: Points = []
    const write = (stage: string, value: number, more: Attributes = {}) => {
      const series = this.#stageSeries(metric, { [attribute.ledgerStage]: stage, ...more })
      this.#writer.write(points, series, value, moment)
    }
    const { seen, collapsed, overflow, filtered } = totals[unit]
    const { drained, exported, otherEnd, excluded, queued, lost, restart } = totals.delivery[unit]
    // What has ever been queued: a counter must not fall, the current amount is a difference.
    const everQueued = exported + queued
    const stages = { seen, collapsed, overflow, filtered, drained, exported, excluded, queued: everQueued, restart }
    for (const [stage, value] of Object.entries(stages)) write(stage, value)
    write('other_end', otherEnd)
    write('lost', lost, { [attribute.lossReason]: 'unattributed' })
    write('flow', this.#plainFlow(unit, totals))
    const classes = totals.classes[unit]
    for (const name of ['fragment', 'gso_guess'] as const)
      write('flow', classes[name], { [attribute.packetClass]: name })
    for (const name of otherClasses) write('other', classes[name], { [attribute.packetClass]: name })
    return metricData(metric, points)
  }

  /** Classes are counted before rows are drained, so that the rest would fall by what is between the two. */
  #plainFlow(unit: 'packets' | 'bytes', totals: NodeTotals): number {
    const { fragment, gso_guess: guess } = totals.classes[unit]
    this.#plain[unit] = Math.max(this.#plain[unit], totals[unit].flow - fragment - guess)
    return this.#plain[unit]
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
