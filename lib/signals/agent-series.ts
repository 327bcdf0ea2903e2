// The series of what the agent says about itself, for one receiver.
import type { AgentFigures } from './agent-figures.ts'
import { agentMetric } from './agent-metrics.ts'
import { type DrainDurations, drainBounds } from './drain-durations.ts'
import { NamedSeries } from './named-series.ts'
import type { SeriesWriter } from './series.ts'
import type { SharedSets } from './shared-sets.ts'
import { Stream } from './stream.ts'

export class AgentSeries {
  readonly #figures: AgentFigures
  readonly #drains: DrainDurations
  readonly #writer: SeriesWriter
  readonly #named: NamedSeries
  readonly #drainSeries: number

  constructor(
    figures: AgentFigures,
    drains: DrainDurations,
    sets: SharedSets,
    writer: SeriesWriter,
    startedAtMs: number,
  ) {
    this.#figures = figures
    this.#drains = drains
    this.#writer = writer
    this.#named = new NamedSeries(sets, writer, startedAtMs)
    const shape = writer.shape(drainBounds.kept, drainBounds.sent)
    const stream = new Stream({ resource: sets.resources.agent, metric: agentMetric.drainDuration, shape })
    this.#drainSeries = writer.begin(stream, sets.plain, startedAtMs)
  }

  write(): void {
    for (const { metric, attributes, value } of this.#figures.now()) this.#named.write(metric, attributes, value)
    const { histograms } = this.#drains
    if (histograms.length > 0) this.#writer.writeHistogram(this.#drainSeries, histograms, 0)
  }
}
