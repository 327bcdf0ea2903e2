// The series of `podweir.ledger.*` for one receiver: the terms of the three equations (docs/ledger.md).
import type { Attributes } from '@opentelemetry/api'
import { type DirectionFigures, otherClasses } from '../aggregate/figures.ts'
import { directions } from '../aggregate/interface-account.ts'
import { attribute } from './attribute-names.ts'
import { type Books, type NodeTotals, nodeTotals } from './ledger-totals.ts'
import { ledgerMetric, type Metric } from './metric-names.ts'
import { NamedSeries } from './named-series.ts'
import type { SeriesWriter } from './series.ts'
import type { SharedSets } from './shared-sets.ts'

export class LedgerSeries {
  readonly #books: Books
  readonly #series: NamedSeries
  /** Of flows, and of no class of its own. */
  readonly #plain = { packets: 0, bytes: 0 }

  constructor(books: Books, sets: SharedSets, writer: SeriesWriter, startMs: number) {
    this.#books = books
    this.#series = new NamedSeries(sets, writer, startMs)
  }

  write(): void {
    const figures = directions.map(direction => this.#books.ledger.figures(direction))
    const totals = nodeTotals(this.#books, figures)
    this.#writeSkbs()
    this.#writeUnexplained(figures)
    this.#writeStages(ledgerMetric.packets, 'packets', totals)
    this.#writeStages(ledgerMetric.bytes, 'bytes', totals)
  }

  #writeSkbs(): void {
    for (const kind of this.#books.ledger.kinds)
      for (const direction of directions) {
        const { device, seen, unobserved, overseen } = this.#books.ledger.deviceFigures(kind, direction)
        const at = { [attribute.ioDirection]: direction, [attribute.counterKind]: kind }
        for (const [stage, value] of Object.entries({ device, seen, unobserved, overseen }))
          this.#series.write(ledgerMetric.skbs, { [attribute.ledgerStage]: stage, ...at }, value)
      }
  }

  #writeUnexplained(figures: readonly DirectionFigures[]): void {
    for (const [i, direction] of directions.entries())
      this.#series.write(ledgerMetric.unexplained, { [attribute.ioDirection]: direction }, figures[i]!.skbs.unexplained)
  }

  #writeStages(metric: Metric, unit: 'packets' | 'bytes', totals: NodeTotals): void {
    const write = (stage: string, value: number, more: Attributes = {}) =>
      this.#series.write(metric, { [attribute.ledgerStage]: stage, ...more }, value)
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
  }

  /** Classes are counted before rows are drained, so that the rest would fall by what is between the two. */
  #plainFlow(unit: 'packets' | 'bytes', totals: NodeTotals): number {
    const { fragment, gso_guess: guess } = totals.classes[unit]
    this.#plain[unit] = Math.max(this.#plain[unit], totals[unit].flow - fragment - guess)
    return this.#plain[unit]
  }
}
