// Everything that is counted, told to one receiver of metrics.
import type { DropTable } from '../aggregate/drop-table.ts'
import type { LookupTable } from '../aggregate/lookup-table.ts'
import type { MetricForm } from '../config/metric-form.ts'
import type { Clock } from '../host/clock.ts'
import type { AgentFigures } from './agent-figures.ts'
import { AgentSeries } from './agent-series.ts'
import type { Collection } from './collection.ts'
import type { Delivered } from './delivery.ts'
import { DnsSeries } from './dns-series.ts'
import type { DrainDurations } from './drain-durations.ts'
import { DropSeries } from './drop-series.ts'
import type { EdgeChoice } from './edge-choices.ts'
import { EdgeSeries } from './edge-series.ts'
import type { Exemplars } from './exemplars.ts'
import { LedgerSeries } from './ledger-series.ts'
import type { Books } from './ledger-totals.ts'
import { PairSeries } from './pair-series.ts'
import { PodSeries } from './pod-series.ts'
import { SeriesWriter } from './series.ts'
import type { SharedSets } from './shared-sets.ts'
import { ZoneSeries } from './zone-series.ts'

export interface MetricSources extends Books {
  /** Connections and requests that go on, edge by edge. */
  readonly active: () => Float64Array
  /** Present where the module "drops" counts. */
  readonly drops?: DropTable
  /** Present where the module "dns" listens. */
  readonly lookups?: LookupTable
  /** Present where connections have spans. */
  readonly exemplars?: Exemplars
  /** Absent: what the agent says of itself goes another way. */
  readonly agent?: AgentFigures
  readonly drains: DrainDurations
  readonly sets: SharedSets
  readonly clock: Clock
  /** Wall clock: nothing was counted before. */
  readonly startedAtMs: number
  /** When the ledger began, which an agent before this one may have done. Absent: `startedAtMs`. */
  readonly ledgerStartedAtMs?: number
}

export class MetricWalk {
  readonly #writer: SeriesWriter
  readonly #parts: readonly { write(): void }[]

  /** `choice`: absent: every edge is told. */
  constructor(sources: MetricSources, form: MetricForm, choice?: EdgeChoice) {
    const { edges, ledger, active, drops, lookups, agent, drains, sets, clock, startedAtMs } = sources
    const writer = new SeriesWriter({ form, clock, sinceMs: startedAtMs })
    this.#writer = writer
    this.#parts = [
      new PodSeries(ledger, sets, writer),
      new EdgeSeries(edges, active, sets, writer, choice),
      new PairSeries({ edges, sets, writer, choice, exemplars: sources.exemplars }),
      new LedgerSeries(sources, sets, writer, sources.ledgerStartedAtMs ?? startedAtMs),
      ...(drops ? [new DropSeries(drops, sets, writer, startedAtMs)] : []),
      ...(lookups ? [new DnsSeries(lookups, sets, writer, startedAtMs)] : []),
      ...(edges.zones ? [new ZoneSeries(edges.zones, sets, writer, choice)] : []),
      ...(agent ? [new AgentSeries(agent, drains, sets, writer, startedAtMs)] : []),
    ]
  }

  /** What the receiver has acknowledged. */
  get delivered(): Delivered {
    return this.#writer.delivered
  }

  /** All that the receiver is to hear, read without a pause: no batch is applied half-way through. */
  collect(): Collection {
    return this.#writer.collect(() => {
      for (const part of this.#parts) part.write()
    })
  }
}
