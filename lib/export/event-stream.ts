// Spans and log records of each drain on their way to their outlets, and what of them was too much.
import type { ConnectionListener } from '../aggregate/connection-record.ts'
import type { EdgeTable } from '../aggregate/edge-table.ts'
import type { Config } from '../config/config.ts'
import { outletsOf } from '../config/outlets.ts'
import type { PodNames } from '../enrich/pod-names.ts'
import type { Clock } from '../host/clock.ts'
import type { Log } from '../host/log.ts'
import { attribute } from '../signals/attribute-names.ts'
import { AttributeSet } from '../signals/attribute-set.ts'
import { Exemplars } from '../signals/exemplars.ts'
import { FlowEvents } from '../signals/flow-events.ts'
import type { ItemRecord } from '../signals/item-record.ts'
import { Parties } from '../signals/parties.ts'
import type { SpanRecord } from '../signals/span-record.ts'
import type { EventOutlets } from './event-outlets.ts'
import { agentResource } from './resource.ts'

const RATE_LIMITED = 'rate_limited'
/** Of the agent's resource those that every other has too. */
const clusterKeys = [attribute.clusterName, attribute.clusterUid]

export interface EventStreamParts {
  readonly config: Config
  readonly outlets: EventOutlets
  readonly edges: EdgeTable
  readonly names: Pick<PodNames, 'serviceName'>
  readonly version: string
  /** Wall clock: nothing was counted before. */
  readonly startedAtMs: number
  readonly log: Log
  readonly clock: Clock
}

export class EventStream {
  /** Of the histograms of connections that have a span. */
  readonly exemplars: Exemplars
  readonly #parts: EventStreamParts
  readonly #events: FlowEvents

  constructor(parts: EventStreamParts) {
    const { config, edges, names, version, startedAtMs, clock } = parts
    this.#parts = parts
    this.exemplars = new Exemplars(edges.pairs)
    const agent = agentResource(version, config.resourceAttributes) as Record<string, string>
    const everywhere = Object.fromEntries(
      clusterKeys.flatMap(key => (agent[key] === undefined ? [] : [[key, agent[key]]])),
    )
    this.#events = new FlowEvents({
      ...(outletsOf(config, 'traces').length > 0 && { traces: { ...config.traces } }),
      ...(outletsOf(config, 'logs').length > 0 && { logs: config.logs }),
      ...{ edges, exemplars: this.exemplars, clock, startedAtMs },
      parties: new Parties({
        suffix: config.traces.serviceNameSuffix,
        serviceName: each => names.serviceName(each),
        everywhere,
      }),
      origin: [attribute.clusterName, attribute.nodeName, 'service.instance.id'].map(key => agent[key]).join('\0'),
      agent: { set: new AttributeSet(agent) },
    })
  }

  /** For the flow table; absent: nobody is to hear of connections. */
  get connections(): ConnectionListener | undefined {
    return this.#events.listener
  }

  /** Of each exporter and signal. */
  get items(): ItemRecord[] {
    return this.#parts.outlets.items
  }

  /** Before a batch is counted. */
  drained(readAtMs: number): void {
    this.#pushSpans(this.#events.drained(readAtMs))
  }

  /** After it was counted. */
  counted(): void {
    this.#tell(false)
  }

  /** The agent ends: what there is is made and sent. */
  async close(timeoutMs: number): Promise<void> {
    this.#pushSpans(this.#events.finish())
    this.#tell(true)
    await this.#parts.outlets.close(timeoutMs)
  }

  #tell(isLast: boolean): void {
    const { outlets } = this.#parts
    const { spans, records, lostSpans, lostRecords } = this.#events.take(isLast)
    this.#pushSpans(spans)
    if (records.length > 0) this.#watch(outlets.records.push(records))
    if (lostSpans > 0) outlets.spans.lost(lostSpans, RATE_LIMITED)
    if (lostRecords > 0) outlets.records.lost(lostRecords, RATE_LIMITED)
  }

  #pushSpans(spans: Iterable<SpanRecord>): void {
    if (Array.isArray(spans) && spans.length === 0) return
    this.#watch(this.#parts.outlets.spans.push(spans))
  }

  /** Nobody waits for it: the next drain must not be late because a disk is. */
  #watch(pushed: Promise<void>): void {
    pushed.catch((error: Error) => this.#parts.log.error(error.message))
  }
}
