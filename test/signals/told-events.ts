// A flow table with everything that spans and log records are made of, fed with built batches.
import type { ConnectionListener } from '../../lib/aggregate/connection-record.ts'
import type { Workload } from '../../lib/aggregate/identity.ts'
import { AttributeSet } from '../../lib/signals/attribute-set.ts'
import { Exemplars } from '../../lib/signals/exemplars.ts'
import { FlowEvents, type FlowEventsParts } from '../../lib/signals/flow-events.ts'
import type { LogRecord } from '../../lib/signals/log-record.ts'
import { Parties } from '../../lib/signals/parties.ts'
import type { SpanRecord } from '../../lib/signals/span-record.ts'
import { smallCluster, startedAtMs } from '../aggregate/small-cluster.ts'
import { type BatchParts, flowBatch } from '../support/flow-batch.ts'

type ClusterParts = NonNullable<Parameters<typeof smallCluster>[0]>

export interface EventOptions {
  readonly traces?: Partial<NonNullable<FlowEventsParts['traces']>>
  readonly logs?: Partial<NonNullable<FlowEventsParts['logs']>>
  readonly cluster?: ClusterParts
  readonly origin?: string
  readonly suffix?: string
  readonly serviceName?: (workload: Workload) => string | undefined
}

const usualTraces = {
  edges: false,
  windowMs: 15_000,
  connections: 'all',
  slowThresholdMs: 250,
  sampleRatio: 0.01,
} as const
const usualLogs = { flows: 'all', profile: 'default', recordsPerSecond: 1000 } as const

export class ToldEvents {
  readonly cluster: ReturnType<typeof smallCluster>
  readonly events: FlowEvents
  readonly exemplars: Exemplars
  readonly spans: SpanRecord[] = []
  readonly records: LogRecord[] = []
  lost = { spans: 0, records: 0 }
  /** Of the clock. */
  nowMs = 1_000_000
  #sequence = 0

  constructor(options: EventOptions = {}) {
    const { traces, logs, origin = 'node-1', suffix = ' (net)', serviceName = () => undefined } = options
    const connections: ConnectionListener = {
      wants: glimpse => this.events.listener?.wants(glimpse) ?? false,
      tell: record => this.events.listener!.tell(record),
    }
    this.cluster = smallCluster({ ...options.cluster, connections })
    this.exemplars = new Exemplars(this.cluster.edges.pairs)
    this.events = new FlowEvents({
      ...(traces && { traces: { ...usualTraces, ...traces } }),
      ...(logs && { logs: { ...usualLogs, ...logs } }),
      edges: this.cluster.edges,
      parties: new Parties({ suffix, serviceName, everywhere: { 'k8s.cluster.name': 'test' } }),
      exemplars: this.exemplars,
      origin,
      agent: { set: new AttributeSet({ 'service.name': 'podweir' }) },
      clock: { nowMs: () => this.nowMs, monotonicMs: () => this.nowMs },
      startedAtMs,
    })
  }

  /** A second later. */
  drain(batch: BatchParts = {}): this {
    this.nowMs += 1000
    this.#sequence++
    const readAtMs = batch.readAtMs ?? this.nowMs
    this.spans.push(...this.events.drained(readAtMs))
    this.cluster.table.apply(flowBatch({ sequence: this.#sequence, readAtMs, ...batch }))
    return this.#take(false)
  }

  finish(): this {
    this.spans.push(...this.events.finish())
    return this.#take(true)
  }

  #take(isLast: boolean): this {
    const { spans, records, lostSpans, lostRecords } = this.events.take(isLast)
    this.spans.push(...spans)
    this.records.push(...records)
    this.lost = { spans: this.lost.spans + lostSpans, records: this.lost.records + lostRecords }
    return this
  }
}

/** All attributes of a span or record. */
export function attributesOf({ base, more }: Pick<SpanRecord, 'base' | 'more'>): Record<string, unknown> {
  return { ...base.attributes, ...more?.attributes }
}
