// How long lookups took: a histogram for each owner, domain and outcome, and how many lookups there are.
import { type EdgeEnd, EdgeEnds, UNKNOWN_END } from './edge-end.ts'
import { Histograms, powersOfTwo } from './histograms.ts'
import type { Identity } from './identity.ts'

/** What became of a message; each is in one of these. */
export const messageOutcomes = [
  /** A lookup began. */
  'query',
  /** A query that was sent again while its lookup was open. */
  'query_repeated',
  /** Its pod has too many open lookups: nobody waits for its answer. */
  'query_untracked',
  /** It ended a lookup. */
  'answer',
  /** Of a lookup that had timed out. */
  'answer_late',
  /** To no query of this pod: spoofed, sent twice, or the query was not seen. Nothing is learnt of it. */
  'answer_unsolicited',
  /** No DNS, or TCP's segments cut it. */
  'not_read',
  /** No room on the way from the kernel. */
  'lost',
] as const
export type MessageOutcome = (typeof messageOutcomes)[number]

export interface Lookup {
  readonly end: EdgeEnd
  readonly suffix: string
  /** `NXDOMAIN`, `timeout`, …; absent: it was answered. */
  readonly error?: string
  /** All that found no place. */
  readonly overflow: boolean
}

export const lookupBounds = { kept: powersOfTwo(-13, 1), sent: powersOfTwo(-13, 1, 2) } as const

const LOOKUPS_LIMIT = 512
/** Of one owner: who asks for names of ever new domains does not take the others' place. */
const LOOKUPS_OF_OWNER = 64

export class LookupTable {
  /** Index as in `durations`. */
  readonly lookups: Lookup[] = []
  readonly durations = new Histograms(lookupBounds.kept)
  readonly messages: Record<MessageOutcome, number>
  /** Lookups that nobody answered and nobody waits for any more: their pod is gone. */
  unfinished = 0
  /** Lookups of pods that are out of scope. */
  excluded = 0
  readonly #index = new Map<string, number>()
  readonly #ofOwner = new Map<string, number>()
  readonly #ends = new EdgeEnds('client', 'workload')
  #overflowIndex = -1

  constructor() {
    this.messages = Object.fromEntries(messageOutcomes.map(each => [each, 0])) as Record<MessageOutcome, number>
  }

  /** A lookup that ended. `sinceMs`: wall clock of its query. */
  add(owner: Identity, suffix: string, error: string | undefined, seconds: number, sinceMs: number): void {
    this.durations.add(this.#lookupFor(this.#ends.of(owner), suffix, error), seconds, sinceMs)
  }

  /** Lookups that ended, answered or not. */
  get ended(): number {
    let sum = 0
    for (let i = 0; i < this.durations.length; i++) sum += this.durations.samples[i]!
    return sum
  }

  #lookupFor(end: EdgeEnd, suffix: string, error: string | undefined): number {
    const key = `${error ?? ''} ${suffix} ${end.key}`
    const known = this.#index.get(key)
    if (known !== undefined) return known
    const ofOwner = this.#ofOwner.get(end.key) ?? 0
    if (this.#index.size >= LOOKUPS_LIMIT || ofOwner >= LOOKUPS_OF_OWNER) return this.#overflow()
    this.#ofOwner.set(end.key, ofOwner + 1)
    this.#index.set(key, this.lookups.length)
    return this.lookups.push({ end, suffix, ...(error !== undefined && { error }), overflow: false }) - 1
  }

  #overflow(): number {
    if (this.#overflowIndex === -1)
      this.#overflowIndex = this.lookups.push({ end: UNKNOWN_END, suffix: '', overflow: true }) - 1
    return this.#overflowIndex
  }
}
