// Measured values beside the spans that they belong to: a histogram's way to one case of it.
import { type PairTable, sentBounds } from '../aggregate/pair-table.ts'
import type { Exemplar } from './metric-sink.ts'

export type Exemplified = 'handshake' | 'duration'

/** Of each pair of owners and bucket the newest one. */
export class Exemplars {
  readonly #ofPairs: Record<Exemplified, Map<number, (Exemplar | undefined)[]>> = {
    handshake: new Map(),
    duration: new Map(),
  }

  constructor(pairs: PairTable) {
    pairs.onEvicted(pair => {
      for (const ofPairs of Object.values(this.#ofPairs)) ofPairs.delete(pair)
    })
  }

  /** `pair`: index in `PairTable.pairs`; -1: it has no histograms. */
  add(of: Exemplified, pair: number, exemplar: Exemplar): void {
    if (pair === -1) return
    const known = this.#ofPairs[of].get(pair) ?? []
    const above = sentBounds[of].findIndex(bound => exemplar.value <= bound)
    known[above === -1 ? sentBounds[of].length : above] = exemplar
    this.#ofPairs[of].set(pair, known)
  }

  /** Of the histogram's samples after `sinceMs`, wall clock. */
  of(of: Exemplified, pair: number, sinceMs = 0): readonly Exemplar[] {
    const known = this.#ofPairs[of].get(pair) ?? []
    return known.filter(exemplar => exemplar !== undefined && exemplar.timeMs > sinceMs) as Exemplar[]
  }
}
