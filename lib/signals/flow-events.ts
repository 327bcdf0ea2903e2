// Spans and log records of flows, from one drain to the next. What nobody asked for is neither made nor looked for.
import type { ConnectionListener, ConnectionRecord, Glimpse } from '../aggregate/connection-record.ts'
import type { EdgeTable } from '../aggregate/edge-table.ts'
import { EdgeWindows } from '../aggregate/edge-windows.ts'
import type { Clock } from '../host/clock.ts'
import { eventAttribute } from './attribute-names.ts'
import { AttributeSet, type SignalResource } from './attribute-set.ts'
import { type ConnectionFacts, ConnectionReader } from './connection-facts.ts'
import { ConnectionSpans, type ConnectionSpansParts, type JoinedIds } from './connection-spans.ts'
import { EdgeSpans } from './edge-spans.ts'
import type { Exemplars } from './exemplars.ts'
import { FlowLogs, type FlowLogsParts } from './flow-logs.ts'
import type { LogRecord } from './log-record.ts'
import type { Parties } from './parties.ts'
import { RateCap } from './rate-cap.ts'
import type { SpanRecord } from './span-record.ts'

export interface FlowEventsParts {
  /** Absent: no pipeline carries traces. */
  readonly traces?: Omit<ConnectionSpansParts, 'parties' | 'origin'> & {
    readonly edges: boolean
    readonly windowMs: number
  }
  /** Absent: no pipeline carries logs. */
  readonly logs?: Omit<FlowLogsParts, 'parties'> & { readonly recordsPerSecond: number }
  readonly edges: EdgeTable
  readonly parties: Parties
  readonly exemplars: Exemplars
  /** Which agent of which cluster this is; of no two the same, and another after a restart of the machine. */
  readonly origin: string
  /** The agent's own resource. */
  readonly agent: SignalResource
  readonly clock: Clock
  /** Wall clock: nothing was counted before. */
  readonly startedAtMs: number
}

export interface Told {
  readonly spans: Iterable<SpanRecord>
  readonly records: readonly LogRecord[]
  /** Not made, because there were too many. */
  readonly lostSpans: number
  readonly lostRecords: number
}

export const SUPPRESSED_EVENT = 'podweir.network.flow.suppressed'

/** A span takes some 10 us of an event loop that has other things to do. */
const MOST_SPANS_A_DRAIN = 10_000
const SUPPRESSED_EVERY_MS = 10_000

export class FlowEvents {
  /** Absent: nobody is to hear of connections. */
  readonly listener: ConnectionListener | undefined
  readonly #parts: FlowEventsParts
  readonly #reader = new ConnectionReader()
  readonly #connections: ConnectionSpans | undefined
  readonly #windows: EdgeWindows | undefined
  readonly #edgeSpans: EdgeSpans
  readonly #logs: FlowLogs | undefined
  readonly #cap: RateCap
  /** What the glimpse before a record was wanted for. */
  #isForSpan = false
  #isForRecord = false
  #spans: SpanRecord[] = []
  #records: LogRecord[] = []
  #lostSpans = 0
  #lostRecords = 0
  /** Not told of by a record yet. */
  #untold = 0
  #untoldSinceMs = 0

  constructor(parts: FlowEventsParts) {
    const { traces, logs, parties, origin, edges, clock } = parts
    this.#parts = parts
    if (traces && traces.connections !== 'off') this.#connections = new ConnectionSpans({ ...traces, parties, origin })
    if (traces?.edges) this.#windows = new EdgeWindows(edges, traces.windowMs, parts.startedAtMs)
    this.#edgeSpans = new EdgeSpans(parties, origin)
    if (logs && logs.flows !== 'off') this.#logs = new FlowLogs({ ...logs, parties })
    this.#cap = new RateCap(logs?.recordsPerSecond ?? 0, clock.monotonicMs())
    if (this.#connections || this.#logs)
      this.listener = { wants: glimpse => this.#wants(glimpse), tell: record => this.#tell(record) }
  }

  /** Before a batch is counted: the edges' window that is over with the batch before. */
  drained(readAtMs: number): Iterable<SpanRecord> {
    this.#cap.fill(this.#parts.clock.monotonicMs())
    const window = this.#windows?.drained(readAtMs)
    return window ? this.#edgeSpans.of(window) : []
  }

  /** What came of connections since this was asked. */
  take(isLast = false): Told {
    this.#tellSuppressed(isLast)
    const told = {
      spans: this.#spans,
      records: this.#records,
      lostSpans: this.#lostSpans,
      lostRecords: this.#lostRecords,
    }
    this.#spans = []
    this.#records = []
    this.#lostSpans = this.#lostRecords = 0
    return told
  }

  /** The agent ends. */
  finish(): Iterable<SpanRecord> {
    const window = this.#windows?.finish()
    return window ? this.#edgeSpans.of(window) : []
  }

  #wants(glimpse: Glimpse): boolean {
    const records = this.#logs?.wants(glimpse) ?? 0
    this.#isForRecord = records > 0 && this.#cap.takes(records)
    this.#isForSpan = this.#connections?.wants(glimpse) ?? false
    return this.#isForRecord || this.#isForSpan
  }

  #tell(record: ConnectionRecord): void {
    const facts = this.#reader.read(record)
    const ids = this.#connections?.idsOf(facts)
    if (this.#isForSpan && ids) this.#addSpan(facts, ids)
    if (!this.#isForRecord) return
    const span = ids && { traceId: ids.traceId, spanId: facts.localIsClient ? ids.clientSpanId : ids.serverSpanId }
    this.#records.push(...this.#logs!.recordsOf(facts, this.#parts.clock.nowMs(), span))
  }

  #addSpan(facts: ConnectionFacts, ids: JoinedIds): void {
    if (this.#spans.length >= MOST_SPANS_A_DRAIN) {
      this.#lostSpans++
      return
    }
    const span = this.#connections!.spanOf(facts, ids)
    this.#spans.push(span)
    this.#exemplify(facts, span)
  }

  #exemplify({ record, end }: ConnectionFacts, { traceId, spanId }: SpanRecord): void {
    const { edges, exemplars } = this.#parts
    const pair = record.edge < 0 ? -1 : edges.edges[record.edge]!.pair
    const { handshakeSeconds } = record.flow.tcp ?? {}
    const of = { timeMs: record.endedMs, traceId, spanId }
    if (handshakeSeconds !== undefined) exemplars.add('handshake', pair, { ...of, value: handshakeSeconds })
    const seconds = Math.max(0, record.endedMs - record.beganMs) / 1000
    if (end !== undefined) exemplars.add('duration', pair, { ...of, value: seconds })
  }

  /** One record of what was left out since the last such record. */
  #tellSuppressed(isLast: boolean): void {
    const { agent, clock } = this.#parts
    const suppressed = this.#cap.takeSuppressed()
    const nowMs = clock.nowMs()
    this.#lostRecords += suppressed
    if (this.#untold === 0) this.#untoldSinceMs = nowMs
    this.#untold += suppressed
    const isDue = isLast || Math.abs(nowMs - this.#untoldSinceMs) >= SUPPRESSED_EVERY_MS
    if (this.#untold === 0 || !isDue) return
    this.#records.push({
      ...{ resource: agent, timeMs: nowMs, observedMs: nowMs, severity: 'WARN', eventName: SUPPRESSED_EVENT },
      body: `${this.#untold} flow records were left out: more than logs.records_per_second`,
      base: new AttributeSet({ [eventAttribute.suppressed]: this.#untold }),
    })
    this.#untold = 0
  }
}
