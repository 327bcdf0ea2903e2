// What the agent's socket says (docs/api.md): one record per flow, one about the agent, and where both come from.
import type { FailureCause } from '../aggregate/failure-cause.ts'
import type { CaptureFaults, SelfAudit } from '../capture/flow-batch.ts'
import type { NodeTotals } from './ledger-totals.ts'

/** One end of a flow. Everything but address and port is absent when nobody knows it. */
export interface End {
  readonly namespace?: string
  readonly workload?: string
  /** The workload's kind: `Deployment`, `Pod`, `Node`, … */
  readonly kind?: string
  readonly pod?: string
  /** For an end that is no Kubernetes object: a configured CIDR's name, `external`, `node`, `unknown`. */
  readonly name?: string
  /** The Service that the client dialled, in `namespace`. */
  readonly service?: string
  readonly node?: string
  readonly zone?: string
  /** Of the pod, those that are kept (`kubernetes.labels`). */
  readonly labels?: Readonly<Record<string, string>>
  readonly address: string
  /** 0 where the protocol has no ports. */
  readonly port: number
}

export interface FlowRecord {
  /** When it was last counted, ISO 8601, UTC, milliseconds. */
  readonly time: string
  /** When its first packet was seen. */
  readonly start: string
  /** Who opened the flow. */
  readonly source: End
  readonly destination: End
  /** `tcp`, `udp`, `icmp`, `sctp` or the protocol's number. */
  readonly transport: string
  readonly type: 'ipv4' | 'ipv6'
  /** Whose interface saw it. */
  readonly observer: 'client' | 'server'
  /** false: the other end's agent reports it, so that sums over both don't count it twice. */
  readonly counted: boolean
  /** Packets and bytes on the wire from source to destination, since `start`. */
  readonly requestPackets: number
  readonly requestBytes: number
  readonly responsePackets: number
  readonly responseBytes: number
  /** TCP handshakes completed. */
  readonly opened: number
  /** `parked`: idle for so long that its slot went to another; when it speaks again, that is a flow of its own. */
  readonly state: 'active' | 'parked' | 'ended'
  /** Of a connection that is TCP's, absent while nothing is known of it. */
  readonly tcp?: TcpRecord
  /** Why the newest attempt failed; of a datagram `unreachable`. */
  readonly failed?: 'refused' | 'timeout' | 'unreachable' | 'reset'
  /** Why it failed, as far as the cluster's objects say it (docs/signals.md). */
  readonly cause?: FailureCause
  /** true: its higher port was left out, and it may be many flows. */
  readonly collapsed?: boolean
  /**
   * What is wrong with it, the most telling first: `refused`, `no reply`, `unreachable`, `reset`, behind these the cause in
   * words (`no ready endpoints`); `zero window`, `retransmits 2.1%`, `out of order`.
   */
  readonly problems: readonly string[]
  /** The device inside the pod. */
  readonly interface: string
  /** How sure it is who opened the flow. */
  readonly confidence: 'handshake' | 'first_packet' | 'resumed'
}

export interface TcpRecord {
  readonly state:
    | 'connecting'
    | 'established'
    | 'midstream'
    | 'closing'
    | 'closed'
    | 'reset_by_client'
    | 'reset_by_server'
    | 'refused'
    | 'timeout'
    | 'unreachable'
    | 'reset'
  /** From the first SYN to the first SYN-ACK. */
  readonly handshakeSeconds?: number
  /** From the SYN-ACK to the acknowledgment of it. */
  readonly acceptedSeconds?: number
  /** Through the network and back: mean of the samples of the observing pod's data, else what the handshake took. */
  readonly rttSeconds?: number
  /** What the source did. */
  readonly request: TcpSideRecord
  readonly response: TcpSideRecord
}

/** Since `start`. */
export interface TcpSideRecord {
  readonly retransmitPackets: number
  readonly outOfOrderPackets: number
  readonly duplicateAckPackets: number
  readonly zeroWindowEvents: number
  readonly resetPackets: number
  /** Of this sender's data, to its acknowledgment. */
  readonly rttSamples: number
  readonly rttMeanSeconds?: number
}

export interface InterfaceRecord {
  /** `namespace/name`. */
  readonly pod: string
  readonly device: string
  readonly state: 'wanted' | 'attached' | 'degraded' | 'failed' | 'ignored'
  readonly place?: 'pod' | 'host'
  readonly hook?: 'tcx' | 'clsact'
  readonly reason?: string
  /** Since when it is in this state, ISO 8601. */
  readonly since: string
  /** What its device counted and we did not, both directions, as `podweir.pod.network.unobserved`. */
  readonly unobservedSkbs: number
}

export interface ExporterRecord {
  readonly id: string
  /** When a request was last acknowledged, ISO 8601; absent: never. */
  readonly acknowledgedAt?: string
  /** Requests that failed since the agent's start. */
  readonly failures: number
}

/** What is watched of the API server, or asked of a resolver. */
export interface ClusterRecord {
  readonly resource: 'pods' | 'services' | 'endpointslices' | 'nodes' | 'resolver'
  /** Since when everything is known, ISO 8601; absent: it never was. */
  readonly syncedAt?: string
  /** Why what is known grows old, and since when. */
  readonly degraded?: { readonly since: string; readonly reason: string }
  readonly requests: number
  /** Of answers, as they arrived. */
  readonly bytes: number
  readonly objects: number
  /** Objects that were too long, or could not be told from others. */
  readonly skipped: number
}

export interface StatusRecord {
  readonly version: string
  readonly startedAt: string
  readonly interfaces: readonly InterfaceRecord[]
  /** Interfaces whose device went away, with what it counted after its last reading, at most a second before. */
  readonly endedUnread: number
  /** `collapsed`: of the live ones, those without their higher port. `parked`: connections without a slot that stay active. */
  readonly flows: { readonly live: number; readonly limit: number; readonly collapsed: number; readonly parked: number }
  /** What the capture could not do as it should, since it started. `parkedDropped`: parked connections given up for later ones. */
  readonly faults: CaptureFaults & { readonly parkedDropped: number }
  /** The kernel table's slots compared with its totals, since the start. */
  readonly audit: SelfAudit
  readonly exporters: readonly ExporterRecord[]
  /** Empty where no API server is asked. */
  readonly cluster: readonly ClusterRecord[]
  /** All interfaces and both directions added up, the stages of one equation from one snapshot. */
  readonly ledger: NodeTotals
}

export interface FlowFeed {
  /** Every live flow. Read in portions over several turns of the event loop, so a later row may be newer than an earlier one. */
  snapshot(): Iterable<FlowRecord>
  status(): StatusRecord
  /** Called after each drain with the flows that changed; the result ends it. */
  subscribe(onBatch: (records: readonly FlowRecord[]) => void): () => void
}
