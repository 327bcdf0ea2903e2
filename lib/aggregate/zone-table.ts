// Bytes from one zone to another, by the owners at both ends: each byte once over all agents.
import { type EdgeEnd, EdgeEnds, type Level, UNKNOWN_END } from './edge-end.ts'
import { EdgeIdleness } from './edge-idleness.ts'
import { EdgeIndexes, type EvictionListener } from './edge-indexes.ts'
import { grown } from './histograms.ts'
import type { Identity, Place } from './identity.ts'
import type { SeriesBudget } from './series-budget.ts'

/** What one owner's pods sent to another's, from zone to zone. */
export interface ZoneCrossing {
  readonly source: EdgeEnd
  readonly destination: EdgeEnd
  readonly from: Place
  readonly to: Place
  /** Of everything that found no place. */
  readonly overflow: boolean
}

export interface ZoneQuestion {
  readonly local: Identity
  readonly remote: Identity
  readonly clientIsLocal: boolean
}

/** In place of a crossing: both ends are in one zone, or nobody knows where one of them is, or the other end counts it. */
export const NO_CROSSING = -1
const INITIAL_CROSSINGS = 64

export class ZoneTable {
  /** Two after each other belong to the same two ends: what the local one sent, and what it got. Those that are gone leave their indexes free. */
  readonly crossings: (ZoneCrossing | undefined)[] = []
  /** Bytes. Whole numbers up to 2^53 - 1. */
  values = new Float64Array(INITIAL_CROSSINGS)
  /** Wall clock in ms: nothing was counted before. */
  starts = new Float64Array(INITIAL_CROSSINGS)
  readonly #budget: SeriesBudget
  readonly #index = new Map<string, number>()
  readonly #keys: string[] = []
  readonly #indexes = new EdgeIndexes(2)
  readonly #idleness = new EdgeIdleness()
  readonly #ends: EdgeEnds
  #overflowIndex = NO_CROSSING
  #sinceMs = 0
  #nowMs = 0

  /** Of levels below `workload` it knows nothing: with pods or addresses there would be two series for each pair of them. */
  constructor(budget: SeriesBudget, level: Level) {
    this.#budget = budget
    this.#ends = new EdgeEnds('client', level === 'namespace' ? level : 'workload')
  }

  /** As of an `EdgeTable`. */
  startsAt(sinceMs: number, nowMs = sinceMs): void {
    this.#sinceMs = sinceMs
    this.#nowMs = nowMs
  }

  /** -1: everything has found a place so far. */
  get overflowIndex(): number {
    return this.#overflowIndex
  }

  /** To be told of crossings that are evicted, of each two of them the first. */
  onEvicted(listener: EvictionListener): void {
    this.#indexes.onEvicted(listener)
  }

  /** Of either of the two. See `EdgeIdleness`. */
  isLeaving(crossing: number): boolean {
    return this.#idleness.isLeaving(crossing & ~1)
  }

  /** Index of what the local end sends; what it gets is one further. */
  crossingFor(question: ZoneQuestion): number {
    const { local, remote } = question
    const [from, to] = [local.place, remote.place]
    if (from?.zone === undefined || to?.zone === undefined || !crosses(from, to)) return NO_CROSSING
    if (isCountedThere(question)) return NO_CROSSING
    const source = this.#ends.of(local)
    const destination = this.#ends.of(remote)
    const key = JSON.stringify([source.key, destination.key, from.zone, from.region, to.zone, to.region])
    const known = this.#index.get(key)
    if (known !== undefined) return known
    if (!this.#budget.take(2, source.namespace)) return this.#overflow()
    const back = { source: destination, destination: source, from: to, to: from, overflow: false }
    const index = this.#create({ source, destination, from, to, overflow: false }, back)
    this.#keys[index] = key
    this.#index.set(key, index)
    return index
  }

  add(crossing: number, sentBytes: number, receivedBytes: number): void {
    const isOverflow = crossing === this.#overflowIndex
    this.values[crossing]! += sentBytes
    this.values[isOverflow ? crossing : crossing + 1]! += receivedBytes
    this.#idleness.usedMs[crossing] = this.#nowMs
  }

  /** As of an `EdgeTable`. */
  sweep(inUse: Uint8Array, nowMs: number, idleMs: number): number {
    let evicted = 0
    for (let index = 0; index < this.crossings.length; index += 2) {
      const crossing = this.crossings[index]
      if (!crossing || crossing.overflow || !this.#idleness.hasToGo(index, inUse[index] === 1, nowMs, idleMs)) continue
      this.#indexes.tell(index, nowMs)
      this.values.fill(0, index, index + 2)
      this.crossings.fill(undefined, index, index + 2)
      this.#index.delete(this.#keys[index]!)
      this.#budget.giveBack(2, crossing.source.namespace)
      this.#indexes.free(index)
      evicted++
    }
    return evicted
  }

  #overflow(): number {
    const ends = { source: UNKNOWN_END, destination: UNKNOWN_END, from: {}, to: {} }
    if (this.#overflowIndex === NO_CROSSING) this.#overflowIndex = this.#create({ ...ends, overflow: true }, undefined)
    return this.#overflowIndex
  }

  #create(there: ZoneCrossing, back: ZoneCrossing | undefined): number {
    const index = this.#indexes.take()
    this.crossings[index] = there
    this.crossings[index + 1] = back
    if (index + 2 > this.values.length) {
      this.values = grown(this.values, this.values.length * 2)
      this.starts = grown(this.starts, this.starts.length * 2)
    }
    this.starts.fill(this.#sinceMs, index, index + 2)
    this.#idleness.begin(index, this.#nowMs)
    return index
  }
}

function crosses(from: Place, to: Place): boolean {
  return from.zone !== to.zone || from.region !== to.region
}

/**
 * Between two pods the server's interface counts: there a Service's address has been replaced by the pod's, so that it is
 * known where both are. Everything else is counted by the only interface that sees it.
 */
function isCountedThere({ remote, clientIsLocal }: ZoneQuestion): boolean {
  return clientIsLocal && remote.class === 'pod' && !remote.outOfScope
}
