// Edges between workloads and their cumulative counts: every packet that is exported is in exactly one of them, or was.
import { beginsWithEdge, COUNTS_PER_EDGE, type Detail, EdgeCount, edgeSeries, overflowCounts } from './edge-counts.ts'
import { type EdgeEnd, EdgeEnds, EndNumbers, type Level, observedNamespace, UNKNOWN_END } from './edge-end.ts'
import { EdgeIdleness } from './edge-idleness.ts'
import { EdgeIndexes, type EvictionListener } from './edge-indexes.ts'
import { grown } from './histograms.ts'
import { type Observer, type PairQuestion, PairTable } from './pair-table.ts'
import { SeriesBudget } from './series-budget.ts'
import { ZoneTable } from './zone-table.ts'

export interface Edge {
  readonly client: EdgeEnd
  readonly server: EdgeEnd
  /** The port that the client dialled, as this observer sees it; 0 when there is none. */
  readonly serverPort: number
  readonly transport: string
  readonly networkType: 'ipv4' | 'ipv6'
  readonly observer: Observer
  /** Index in `EdgeTable.pairs`, -1: no durations are measured. */
  readonly pair: number
  /** The edge of everything that found no place: see `overflowCounts`. Never evicted. */
  readonly overflow: boolean
}

/** A count that began again from 0, because its next value would not have been exact. */
export interface Restart {
  /** Index in `EdgeTable.values`. */
  readonly index: number
  readonly startMs: number
  /** Its last value stands for all time up to here; the new count starts here. */
  readonly endMs: number
  readonly value: number
}

export interface EdgeQuestion extends PairQuestion {
  readonly serverPort: number
}

export interface EdgeTableOptions {
  /** Series as a backend counts them; those of the overflow come on top of it. */
  readonly seriesLimit?: number
  readonly detail?: Detail
  readonly level?: Level
  readonly zones?: 'on' | 'off'
}

const INITIAL_EDGES = 64

export class EdgeTable {
  /** Cumulative counts, `COUNTS_PER_EDGE` an edge. Whole numbers up to 2^53 - 1, see `restarts`. */
  values = new Float64Array(INITIAL_EDGES * COUNTS_PER_EDGE)
  /** Wall clock in ms of each count's start: nothing of it was counted before. */
  starts = new Float64Array(INITIAL_EDGES * COUNTS_PER_EDGE)
  /** An edge that was evicted leaves its index free; an edge is one object as long as it is there. */
  readonly edges: (Edge | undefined)[] = []
  readonly pairs: PairTable
  readonly detail: Detail
  readonly level: Level
  /** Absent: what goes from zone to zone is not counted. */
  readonly zones: ZoneTable | undefined
  /** In the order in which they happened, one for each 9 PB of an edge. Indexes are those of before the next eviction. */
  readonly restarts: Restart[] = []

  readonly #budget: SeriesBudget
  readonly #index = new Map<string, number>()
  readonly #keys: string[] = []
  readonly #ends = new EndNumbers()
  readonly #indexes = new EdgeIndexes()
  readonly #idleness = new EdgeIdleness()
  readonly #evicted = { packets: 0, bytes: 0 }
  readonly #clients: EdgeEnds
  readonly #servers: EdgeEnds
  #overflowIndex = -1
  #sinceMs = 0
  #nowMs = 0

  constructor({ seriesLimit = 10_000, detail = 'basic', level = 'workload', zones = 'off' }: EdgeTableOptions = {}) {
    this.detail = detail
    this.level = level
    this.#clients = new EdgeEnds('client', level)
    this.#servers = new EdgeEnds('server', level)
    this.#budget = new SeriesBudget(seriesLimit)
    this.pairs = new PairTable(this.#budget, detail, level)
    this.zones = zones === 'on' ? new ZoneTable(this.#budget, level) : undefined
  }

  /** From now on counts that begin, begin at this time; `nowMs`: when what is added now was read. */
  startsAt(sinceMs: number, nowMs = sinceMs): void {
    this.#sinceMs = sinceMs
    this.#nowMs = nowMs
    this.zones?.startsAt(sinceMs, nowMs)
  }

  get sinceMs(): number {
    return this.#sinceMs
  }

  /** Series that edges, pairs and crossings have come to take, of the limit. Those of the overflow come on top. */
  get series(): { readonly count: number; readonly limit: number } {
    return { count: this.#budget.taken, limit: this.#budget.limit }
  }

  /** -1: everything has found a place so far. */
  get overflowIndex(): number {
    return this.#overflowIndex
  }

  /** To be told of edges that are evicted. */
  onEvicted(listener: EvictionListener): void {
    this.#indexes.onEvicted(listener)
  }

  /** See `EdgeIdleness`. */
  isLeaving(edge: number): boolean {
    return this.#idleness.isLeaving(edge)
  }

  /** The index of the edge of a flow. */
  edgeFor(question: EdgeQuestion): number {
    const client = this.#clients.of(question.client, question.clientAddress)
    const server = this.#servers.of(question.server, question.serverAddress)
    const { serverPort, transport, family, observer } = question
    const rest = `${serverPort}|${transport}|${family}|${observer}`
    const known = this.#index.get(`${this.#ends.find(client)}|${this.#ends.find(server)}|${rest}`)
    if (known !== undefined) return known
    const namespace = observedNamespace(client, server, observer)
    if (!this.#budget.take(edgeSeries(transport, this.detail), namespace)) return this.#overflow()
    const networkType = family === 6 ? 'ipv6' : 'ipv4'
    const pair = this.pairs.take(question)
    const index = this.#create({ client, server, serverPort, transport, networkType, observer, pair, overflow: false })
    this.#keys[index] = `${this.#ends.take(client)}|${this.#ends.take(server)}|${rest}`
    this.#index.set(this.#keys[index], index)
    return index
  }

  /**
   * Evicts the edges that have been idle for `idleMs` and were so at the sweep before. `inUse`: 1 for edges that a flow
   * has. Readers are told first; the index and its share of the budget are free then. How many there were.
   */
  sweep(inUse: Uint8Array, nowMs: number, idleMs: number): number {
    let evicted = 0
    for (const [index, edge] of this.edges.entries()) {
      if (!edge || edge.overflow || !this.#idleness.hasToGo(index, inUse[index] === 1, nowMs, idleMs)) continue
      this.#evict(index, edge, nowMs)
      evicted++
    }
    return evicted
  }

  /** Adds one flow's increase. */
  add(
    edge: number,
    requestPackets: number,
    requestBytes: number,
    responsePackets: number,
    responseBytes: number,
  ): void {
    const base = edge * COUNTS_PER_EDGE
    this.#idleness.usedMs[edge] = this.#nowMs
    const response = edge === this.#overflowIndex ? EdgeCount.requestBytes : EdgeCount.responseBytes
    this.#increase(base + EdgeCount.requestBytes, requestBytes)
    this.#increase(base + EdgeCount.requestPackets, requestPackets)
    this.#increase(base + response, responseBytes)
    this.#increase(base + response + 1, responsePackets)
  }

  /** Adds to a count of `EdgeCount` that is not of packets or bytes. */
  addEvents(edge: number, count: number, events: number): void {
    const ofOverflow = edge === this.#overflowIndex
    const index = edge * COUNTS_PER_EDGE + (ofOverflow ? overflowCounts[count]! : count)
    this.#idleness.usedMs[edge] = this.#nowMs
    if (this.values[index] === 0 && !beginsWithEdge(this.edges[edge]!.transport, count))
      this.starts[index] = this.#sinceMs
    this.#increase(index, events)
  }

  /** Everything that was ever added, counted from the edges themselves and from what they had when they were evicted. */
  totals(): { packets: number; bytes: number } {
    let { packets, bytes } = this.#evicted
    for (let base = 0; base < this.edges.length * COUNTS_PER_EDGE; base += COUNTS_PER_EDGE) {
      packets += this.values[base + EdgeCount.requestPackets]! + this.values[base + EdgeCount.responsePackets]!
      bytes += this.values[base + EdgeCount.requestBytes]! + this.values[base + EdgeCount.responseBytes]!
    }
    for (const { index, value } of this.restarts) {
      const count = index % COUNTS_PER_EDGE
      if (count === EdgeCount.requestPackets || count === EdgeCount.responsePackets) packets += value
      if (count === EdgeCount.requestBytes || count === EdgeCount.responseBytes) bytes += value
    }
    return { packets, bytes }
  }

  #evict(index: number, edge: Edge, nowMs: number): void {
    this.#indexes.tell(index, nowMs)
    const base = index * COUNTS_PER_EDGE
    const { values } = this
    this.#evicted.packets += values[base + EdgeCount.requestPackets]! + values[base + EdgeCount.responsePackets]!
    this.#evicted.bytes += values[base + EdgeCount.requestBytes]! + values[base + EdgeCount.responseBytes]!
    values.fill(0, base, base + COUNTS_PER_EDGE)
    const { client, server, transport, observer } = edge
    this.#index.delete(this.#keys[index]!)
    this.#ends.release(client)
    this.#ends.release(server)
    this.#budget.giveBack(edgeSeries(transport, this.detail), observedNamespace(client, server, observer))
    this.pairs.release(edge.pair, nowMs)
    this.edges[index] = undefined
    this.#indexes.free(index)
  }

  #increase(index: number, increase: number): void {
    const value = this.values[index]! + increase
    if (value <= Number.MAX_SAFE_INTEGER) this.values[index] = value
    else this.#restart(index, increase)
  }

  #restart(index: number, value: number): void {
    this.restarts.push({ index, startMs: this.starts[index]!, endMs: this.#sinceMs, value: this.values[index]! })
    this.values[index] = value
    this.starts[index] = this.#sinceMs
  }

  #overflow(): number {
    if (this.#overflowIndex === -1)
      this.#overflowIndex = this.#create({
        client: UNKNOWN_END,
        server: UNKNOWN_END,
        serverPort: 0,
        transport: '',
        networkType: 'ipv4',
        observer: 'client',
        pair: this.pairs.overflow(),
        overflow: true,
      })
    return this.#overflowIndex
  }

  #create(edge: Edge): number {
    const index = this.#indexes.take()
    this.edges[index] = edge
    const end = (index + 1) * COUNTS_PER_EDGE
    if (end > this.values.length) {
      this.values = grown(this.values, this.values.length * 2)
      this.starts = grown(this.starts, this.starts.length * 2)
    }
    this.starts.fill(this.#sinceMs, index * COUNTS_PER_EDGE, end)
    this.#idleness.begin(index, this.#nowMs)
    return index
  }
}
