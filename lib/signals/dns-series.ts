// The series of the module "dns" for one receiver: lookups by owner, domain and outcome, and messages by theirs.
import { type LookupTable, lookupBounds, messageOutcomes } from '../aggregate/lookup-table.ts'
import { attribute } from './attribute-names.ts'
import { dnsMetric } from './metric-names.ts'
import type { SeriesWriter } from './series.ts'
import type { SharedSets } from './shared-sets.ts'
import { Stream } from './stream.ts'

export class DnsSeries {
  readonly #table: LookupTable
  readonly #sets: SharedSets
  readonly #writer: SeriesWriter
  readonly #lookups: Stream
  /** Index as in `LookupTable.lookups`. */
  readonly #durations: number[] = []
  /** Index as in `messageOutcomes`. */
  readonly #messages: readonly number[]

  constructor(table: LookupTable, sets: SharedSets, writer: SeriesWriter, startMs: number) {
    this.#table = table
    this.#sets = sets
    this.#writer = writer
    const resource = sets.resources.agent
    const shape = writer.shape(lookupBounds.kept, lookupBounds.sent)
    this.#lookups = new Stream({ resource, metric: dnsMetric.duration, shape })
    this.#messages = messageOutcomes.map(outcome => {
      const more = sets.beside({ [attribute.messageOutcome]: outcome })
      return writer.begin(new Stream({ resource, metric: dnsMetric.messages, more }), sets.plain, startMs)
    })
  }

  write(): void {
    const { durations, lookups, messages } = this.#table
    for (let i = 0; i < durations.length; i++) {
      const samples = durations.samples[i]!
      if (samples === 0) continue
      this.#durations[i] ??= this.#writer.begin(
        this.#lookups,
        this.#sets.lookups.of(i, lookups[i]!),
        durations.starts[i]!,
      )
      this.#writer.writeHistogram(this.#durations[i]!, durations, i)
    }
    for (const [i, outcome] of messageOutcomes.entries()) this.#writer.write(this.#messages[i]!, messages[outcome])
  }
}
