// What the agent's socket tells: live flows from the table, the agent's state from its parts.

import type { FlowTable } from '../aggregate/flow-table.ts'
import type { InterfaceOwner } from '../aggregate/identity.ts'
import type { CaptureHealth } from '../capture/capture-health.ts'
import type { Attachments } from '../enrich/attachments.ts'
import type { IgnoredPod } from '../enrich/discovery.ts'
import type { TrackedInterface } from '../enrich/tracked-interface.ts'
import type { ResourceState } from '../kubernetes/watch-health.ts'
import { BRAKING } from '../signals/agent-figures.ts'
import type {
  ClusterRecord,
  ExporterRecord,
  FlowFeed,
  FlowRecord,
  InterfaceRecord,
  StatusRecord,
} from '../signals/flow-record.ts'
import { flowRecord } from '../signals/flow-records.ts'
import { type Books, nodeTotals } from '../signals/ledger-totals.ts'

export interface AgentFeedParts extends Books {
  readonly table: FlowTable
  readonly health: CaptureHealth
  readonly attachments: Attachments
  /** Pods that have nothing to observe. */
  readonly ignored: () => readonly IgnoredPod[]
  /** Since when TCP detail is given up, wall clock. */
  readonly brakingSinceMs: () => number | undefined
  readonly exporters: () => ExporterRecord[]
  readonly cluster?: () => readonly ResourceState[]
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
    const { table, ledger, health, attachments, ignored, brakingSinceMs, exporters, version, startedAtMs } = this.#parts
    return {
      version,
      startedAt: new Date(startedAtMs).toISOString(),
      interfaces: [
        ...[...attachments.interfaces()].map(each => this.#interfaceRecord(each, brakingSinceMs())),
        ...ignored().map(ignoredRecord),
      ],
      endedUnread: ledger.closedUnread + attachments.endedUnread,
      flows: {
        live: table.liveFlows,
        limit: table.flowLimit,
        collapsed: table.collapsedFlows,
        parked: table.parked.connections,
      },
      faults: { ...health.faults, parkedDropped: table.parked.dropped },
      audit: health.audit,
      exporters: exporters(),
      cluster: (this.#parts.cluster?.() ?? []).map(clusterRecord),
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

  #interfaceRecord(tracked: TrackedInterface, brakingSinceMs: number | undefined): InterfaceRecord {
    const { owner, device, attachment } = tracked
    const isBraking = tracked.state === 'attached' && brakingSinceMs !== undefined
    const { state, reason } = isBraking ? BRAKING : tracked
    return {
      pod: podText(owner),
      device,
      state,
      ...(attachment && { place: attachment.place, hook: attachment.hook }),
      ...(reason !== undefined && { reason }),
      since: new Date(isBraking ? Math.max(brakingSinceMs, tracked.sinceMs) : tracked.sinceMs).toISOString(),
      unobservedSkbs: this.#unobserved(tracked),
    }
  }

  /** Before it was attached and since. */
  #unobserved({ attachment, unattached }: TrackedInterface): number {
    const before = unattached ? unattached.unobserved.transmit + unattached.unobserved.receive : 0
    if (!attachment) return before
    const { transmit, receive } = this.#parts.ledger.account(attachment.interfaceSlot)
    return before + transmit.unobservedSkbs + receive.unobservedSkbs
  }
}

function clusterRecord({ syncedAtMs, degraded, ...state }: ResourceState): ClusterRecord {
  return {
    ...state,
    ...(syncedAtMs !== undefined && { syncedAt: new Date(syncedAtMs).toISOString() }),
    ...(degraded && { degraded: { since: new Date(degraded.sinceMs).toISOString(), reason: degraded.reason } }),
  }
}

function ignoredRecord({ owner, reason, sinceMs }: IgnoredPod): InterfaceRecord {
  const since = new Date(sinceMs).toISOString()
  return { pod: podText(owner), device: '', state: 'ignored', reason, since, unobservedSkbs: 0 }
}

function podText({ identity: { pod, name } }: InterfaceOwner): string {
  return pod ? `${pod.namespace}/${pod.name}` : (name ?? 'unknown')
}
