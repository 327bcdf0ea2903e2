// Edges between workloads and their cumulative counts: every packet that is exported is in exactly one of them.
import { beginsWithEdge, COUNTS_PER_EDGE, type Detail, EdgeCount, edgeSeries, overflowCounts } from './edge-counts.ts'
import { type EdgeEnd, EdgeEnds, type Level, observedNamespace, UNKNOWN_END } from './edge-end.ts'
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
  /** The edge of everything that found no place: see `overflowCounts`. */
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
  readonly edges: Edge[] = []
  readonly pairs: PairTable
  readonly detail: Detail
  readonly level: Level
  /** Absent: what goes from zone to zone is not counted. */
  readonly zones: ZoneTable | undefined
  /** In the order in which they happened. One for each 9 PB of an edge. */
  readonly restarts: Restart[] = []

  readonly #budget: SeriesBudget
  readonly #index = new Map<string, number>()
  readonly #endIds = new Map<string, number>()
  readonly #clients: EdgeEnds
  readonly #servers: EdgeEnds
  #overflowIndex = -1
  #sinceMs = 0

  constructor({ seriesLimit = 10_000, detail = 'basic', level = 'workload', zones = 'off' }: EdgeTableOptions = {}) {
    this.detail = detail
    this.level = level
    this.#clients = new EdgeEnds('client', level)
    this.#servers = new EdgeEnds('server', level)
    this.#budget = new SeriesBudget(seriesLimit)
    this.pairs = new PairTable(this.#budget, detail, level)
    this.zones = zones === 'on' ? new ZoneTable(this.#budget, level) : undefined
  }

  /** From now on counts that begin, begin at this time. */
  startsAt(sinceMs: number): void {
    this.#sinceMs = sinceMs
  }

  get sinceMs(): number {
    return this.#sinceMs
  }

  /** The index of the edge of a flow. */
  edgeFor(question: EdgeQuestion): number {
    const client = this.#clients.of(question.client, question.clientAddress)
    const server = this.#servers.of(question.server, question.serverAddress)
    const { serverPort, transport, family, observer } = question
    const key = `${this.#endIds.get(client.key)}|${this.#endIds.get(server.key)}|${serverPort}|${transport}|${family}|${observer}`
    const known = this.#index.get(key)
    if (known !== undefined) return known
    const namespace = observedNamespace(client, server, observer)
    if (!this.#budget.take(edgeSeries(transport, this.detail), namespace)) return this.#overflow()
    const newKey = `${this.#idOf(client.key)}|${this.#idOf(server.key)}|${serverPort}|${transport}|${family}|${observer}`
    const networkType = family === 6 ? 'ipv6' : 'ipv4'
    const pair = this.pairs.pairFor(question)
    const index = this.#create({ client, server, serverPort, transport, networkType, observer, pair, overflow: false })
    this.#index.set(newKey, index)
    return index
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
    if (this.values[index] === 0 && !beginsWithEdge(this.edges[edge]!.transport, count))
      this.starts[index] = this.#sinceMs
    this.#increase(index, events)
  }

  /** Everything that was ever added, counted from the edges themselves. */
  totals(): { packets: number; bytes: number } {
    let packets = 0
    let bytes = 0
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
    const index = this.edges.length
    this.edges.push(edge)
    const needed = this.edges.length * COUNTS_PER_EDGE
    if (needed > this.values.length) {
      this.values = grown(this.values, this.values.length * 2)
      this.starts = grown(this.starts, this.starts.length * 2)
    }
    this.starts.fill(this.#sinceMs, index * COUNTS_PER_EDGE, needed)
    return index
  }

  #idOf(key: string): number {
    const id = this.#endIds.get(key) ?? this.#endIds.size
    this.#endIds.set(key, id)
    return id
  }
}
