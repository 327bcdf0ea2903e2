// Pairs of owners and how long things took between them: edges without port and Service share one.
import type { AddressKey } from '../capture/address.ts'
import type { Detail } from './edge-counts.ts'
import { type EdgeEnd, EdgeEnds, type Level, observedNamespace, UNKNOWN_END } from './edge-end.ts'
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
  readonly pairs: Pair[] = []
  readonly handshake: Histograms
  /** Of the client's data. */
  readonly requestRtt = new Histograms(powersOfTwo(-15, -1))
  readonly responseRtt = new Histograms(powersOfTwo(-15, -1))
  readonly duration = new Histograms(powersOfTwo(-10, 13))
  readonly #detail: Detail
  readonly #budget: SeriesBudget
  readonly #index = new Map<string, number>()
  readonly #ends: EdgeEnds
  #overflowIndex = -1

  constructor(budget: SeriesBudget, detail: Detail, level: Level) {
    this.#budget = budget
    this.#ends = new EdgeEnds('client', level)
    this.#detail = detail
    this.handshake = new Histograms(detail === 'full' ? powersOfTwo(-15, 4) : [])
  }

  /** The index of an edge's pair; -1 when nothing of its kind is measured. */
  pairFor(question: PairQuestion): number {
    const series = this.#seriesOf(question.transport)
    if (series === 0) return -1
    const { transport, family, observer } = question
    const client = this.#ends.of(question.client, question.clientAddress)
    const server = this.#ends.of(question.server, question.serverAddress)
    const key = `${client.key} ${server.key} ${transport} ${family} ${observer}`
    const known = this.#index.get(key)
    if (known !== undefined) return known
    if (!this.#budget.take(series, observedNamespace(client, server, observer))) return this.overflow()
    const networkType = family === 6 ? 'ipv6' : 'ipv4'
    this.#index.set(key, this.pairs.length)
    return this.pairs.push({ client, server, transport, networkType, observer, overflow: false }) - 1
  }

  /** Round trips of the client's or the server's data; in the overflow pair both are one. */
  rtt(pair: number, ofClient: boolean): Histograms {
    return ofClient || pair === this.#overflowIndex ? this.requestRtt : this.responseRtt
  }

  overflow(): number {
    if (this.#overflowIndex !== -1) return this.#overflowIndex
    const ends = { client: UNKNOWN_END, server: UNKNOWN_END }
    const rest = { transport: '', networkType: 'ipv4', observer: 'client', overflow: true } as const
    this.#overflowIndex = this.pairs.push({ ...ends, ...rest }) - 1
    return this.#overflowIndex
  }

  #seriesOf(transport: string): number {
    if (this.#detail === 'basic') return transport === 'tcp' ? SUM_AND_COUNT : 0
    if (transport === 'tcp') return 4 * WHOLE_HISTOGRAM
    return transport === 'udp' || transport === 'icmp' ? WHOLE_HISTOGRAM : 0
  }
}
