// Pairs of owners and how long things took between them: edges without port and Service share one.
import type { AddressKey } from '../capture/address.ts'
import type { Detail } from './edge-counts.ts'
import { type EdgeEnd, EdgeEnds, type Level, observedNamespace, UNKNOWN_END } from './edge-end.ts'
import { EdgeIndexes, type EvictionListener } from './edge-indexes.ts'
import { Histograms, powersOfTwo } from './histograms.ts'
import type { Identity } from './identity.ts'
import type { SeriesBudget } from './series-budget.ts'

export type Observer = 'client' | 'server'

export interface Pair {
  readonly client: EdgeEnd
  readonly server: EdgeEnd
  readonly transport: string
  readonly networkType: 'ipv4' | 'ipv6'
  readonly observer: Observer
  /** The pair of everything that found no place. */
  readonly overflow: boolean
}

export interface PairQuestion {
  readonly client: Identity
  readonly server: Identity
  /** Told at level `address` alone. */
  readonly clientAddress?: AddressKey
  readonly serverAddress?: AddressKey
  readonly transport: string
  readonly family: number
  readonly observer: Observer
}

/** Bounds that are sent: every second, third … of those that are kept, see docs/signals.md. */
export const sentBounds = {
  handshake: powersOfTwo(-13, 1, 2),
  rtt: powersOfTwo(-15, -1, 2),
  duration: powersOfTwo(-10, 11, 3),
} as const

/** As a backend counts them: a series per bucket, the count and the sum. */
const WHOLE_HISTOGRAM = sentBounds.rtt.length + 3
const SUM_AND_COUNT = 3

export class PairTable {
  /** A pair that no edge has any more leaves its index free; a pair is one object as long as it is there. */
  readonly pairs: (Pair | undefined)[] = []
  readonly handshake: Histograms
  /** Of the client's data. */
  readonly requestRtt = new Histograms(powersOfTwo(-15, -1))
  readonly responseRtt = new Histograms(powersOfTwo(-15, -1))
  readonly duration = new Histograms(powersOfTwo(-10, 13))
  readonly #detail: Detail
  readonly #budget: SeriesBudget
  readonly #index = new Map<string, number>()
  readonly #keys: string[] = []
  /** Edges of each pair. */
  readonly #edges: number[] = []
  readonly #indexes = new EdgeIndexes()
  readonly #ends: EdgeEnds
  #overflowIndex = -1

  constructor(budget: SeriesBudget, detail: Detail, level: Level) {
    this.#budget = budget
    this.#ends = new EdgeEnds('client', level)
    this.#detail = detail
    this.handshake = new Histograms(detail === 'full' ? powersOfTwo(-15, 4) : [])
  }

  /** To be told of pairs that are evicted. */
  onEvicted(listener: EvictionListener): void {
    this.#indexes.onEvicted(listener)
  }

  /** The index of a new edge's pair; -1 when nothing of its kind is measured. */
  take(question: PairQuestion): number {
    const { transport, family, observer } = question
    const series = this.#seriesOf(transport)
    if (series === 0) return -1
    const client = this.#ends.of(question.client, question.clientAddress)
    const server = this.#ends.of(question.server, question.serverAddress)
    const key = `${client.key} ${server.key} ${transport} ${family} ${observer}`
    const known = this.#index.get(key)
    if (known !== undefined) {
      this.#edges[known]!++
      return known
    }
    if (!this.#budget.take(series, observedNamespace(client, server, observer))) return this.overflow()
    const networkType = family === 6 ? 'ipv6' : 'ipv4'
    const index = this.#create({ client, server, transport, networkType, observer, overflow: false })
    this.#keys[index] = key
    this.#index.set(key, index)
    return index
  }

  /** An edge of this pair is gone: with its last one the pair is evicted. */
  release(index: number, nowMs: number): void {
    if (index === -1 || index === this.#overflowIndex || --this.#edges[index]! > 0) return
    this.#indexes.tell(index, nowMs)
    const { client, server, transport, observer } = this.pairs[index]!
    for (const each of [this.handshake, this.requestRtt, this.responseRtt, this.duration]) each.clear(index)
    this.#index.delete(this.#keys[index]!)
    this.#budget.giveBack(this.#seriesOf(transport), observedNamespace(client, server, observer))
    this.pairs[index] = undefined
    this.#indexes.free(index)
  }

  /** Round trips of the client's or the server's data; in the overflow pair both are one. */
  rtt(pair: number, ofClient: boolean): Histograms {
    return ofClient || pair === this.#overflowIndex ? this.requestRtt : this.responseRtt
  }

  overflow(): number {
    if (this.#overflowIndex !== -1) return this.#overflowIndex
    const ends = { client: UNKNOWN_END, server: UNKNOWN_END }
    const rest = { transport: '', networkType: 'ipv4', observer: 'client', overflow: true } as const
    this.#overflowIndex = this.#create({ ...ends, ...rest })
    return this.#overflowIndex
  }

  #create(pair: Pair): number {
    const index = this.#indexes.take()
    this.pairs[index] = pair
    this.#edges[index] = 1
    return index
  }

  #seriesOf(transport: string): number {
    if (this.#detail === 'basic') return transport === 'tcp' ? SUM_AND_COUNT : 0
    if (transport === 'tcp') return 4 * WHOLE_HISTOGRAM
    return transport === 'udp' || transport === 'icmp' ? WHOLE_HISTOGRAM : 0
  }
}
