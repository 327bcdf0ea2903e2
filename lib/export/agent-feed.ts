// What the agent's socket tells: live flows from the table, the agent's state from its parts.
import type { FlowTable } from '../aggregate/flow-table.ts'
import type { CaptureHealth } from '../capture/capture-health.ts'
import type { Attachments, TrackedInterface } from '../enrich/attachments.ts'
import type { ExporterRecord, FlowFeed, FlowRecord, InterfaceRecord, StatusRecord } from '../signals/flow-record.ts'
import { flowRecord } from '../signals/flow-records.ts'
import { type Books, nodeTotals } from '../signals/ledger-totals.ts'

export interface AgentFeedParts extends Books {
  readonly table: FlowTable
  readonly health: CaptureHealth
  readonly attachments: Attachments
  readonly exporters: () => ExporterRecord[]
  readonly version: string
  readonly startedAtMs: number
}

export class AgentFeed implements FlowFeed {
  readonly #parts: AgentFeedParts
  readonly #subscribers = new Set<(records: readonly FlowRecord[]) => void>()

  constructor(parts: AgentFeedParts) {
    this.#parts = parts
  }

  *snapshot(): Generator<FlowRecord> {
    for (const view of this.#parts.table.views(false)) yield flowRecord(view)
  }

  status(): StatusRecord {
    const { table, health, attachments, exporters, version, startedAtMs } = this.#parts
    return {
      version,
      startedAt: new Date(startedAtMs).toISOString(),
      interfaces: [...attachments.interfaces()].map(interfaceRecord),
      flows: {
        live: table.liveFlows,
        limit: table.flowLimit,
        collapsed: table.collapsedFlows,
        parked: table.parked.connections,
      },
      faults: { ...health.faults, parkedDropped: table.parked.dropped },
      audit: health.audit,
      exporters: exporters(),
      ledger: nodeTotals(this.#parts),
    }
  }

  subscribe(onBatch: (records: readonly FlowRecord[]) => void): () => void {
    this.#subscribers.add(onBatch)
    return () => this.#subscribers.delete(onBatch)
  }

  /** To be called after each batch. Costs nothing while nobody listens. */
  batchApplied(): void {
    if (this.#subscribers.size === 0) return
    const records = [...this.#parts.table.views(true)].map(flowRecord)
    for (const subscriber of this.#subscribers) subscriber(records)
  }
}

function interfaceRecord({ owner, device, state, reason, attachment, sinceMs }: TrackedInterface): InterfaceRecord {
  const { pod, name } = owner.identity
  return {
    pod: pod ? `${pod.namespace}/${pod.name}` : (name ?? 'unknown'),
    device,
    state,
    ...(attachment && { place: attachment.place, hook: attachment.hook }),
    ...(reason !== undefined && { reason }),
    since: new Date(sinceMs).toISOString(),
  }
}
