// Who is at the two ends of a flow. Names come from elsewhere; this is what they must say.
import type { AddressKey } from '../capture/address.ts'
import type { AttributionResult } from './attribution.ts'
import type { FailureCause } from './failure-cause.ts'

/** What an address belongs to, as it appears on our interface (docs/counted-once.md). */
export type EndClass = 'pod' | 'node' | 'service' | 'external' | 'unknown'

/** The object that a person deployed. */
export interface Workload {
  readonly namespace: string
  /** `Deployment`, `StatefulSet`, `DaemonSet`, `CronJob`, `Job`, `Pod`, `Node`, … */
  readonly kind: string
  readonly name: string
}

export interface Pod {
  readonly namespace: string
  readonly name: string
  readonly uid?: string
  readonly node?: string
  readonly workload: Workload
  /** Those that are to be exported. */
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

/** Where an end is; one object for all ends of a node. */
export interface Place {
  /** The node's name. */
  readonly node?: string
  readonly zone?: string
  readonly region?: string
}

/** One end of a flow. The same end is the same object, so that edges can be found by identity. */
export interface Identity {
  readonly class: EndClass
  /** Present when the end is, or is behind, a Kubernetes object. */
  readonly workload?: Workload
  readonly pod?: Pod
  /** The Service whose address this is. */
  readonly service?: { readonly namespace: string; readonly name: string }
  /** For an end that is no Kubernetes object: a configured CIDR's name, `external`, `node`, `unknown`, or a namespace's name. */
  readonly name?: string
  /** Its interfaces are left out: what it talks to is told by the other ends alone. */
  readonly outOfScope?: true
  /** Ports that this end is known to serve, as `tcp/8080`. */
  readonly ports: ReadonlySet<string>
  readonly place?: Place
  /** `name` stands in for one that is to come: the UID of a pod of which the API server has not told us yet. */
  readonly isProvisional?: true
  /** How this end was found, where its class alone does not say it. */
  readonly foundBy?: AttributionResult
}

/** What a flow shows of its remote end beside the address. */
export interface RemotePoint {
  /** IPPROTO_*. */
  readonly protocol: number
  /** 0 where the protocol has none, or it was left out. */
  readonly port: number
  /** The interface that the flow was seen on. */
  readonly interfaceSlot: number
  /** The flow's own names in the table; absent: the remote is known to have opened it, or there is no flow yet. */
  readonly slot?: number
  readonly generation?: number
}

/** The interface that a flow was seen on, as configuration or discovery knows it. */
export interface InterfaceOwner {
  readonly identity: Identity
  /** Name inside the pod: `eth0`. */
  readonly device: string
}

export interface Names {
  /**
   * Who has this address at that time (wall clock, ms since 1970: when the flow started). `point`: as the server that is
   * dialled there, which may be a Service on a node's port; absent: as somebody who dials from there. Never throws; an
   * address that nobody has is `external` or `unknown`.
   */
  remote(address: AddressKey, atMs: number, point?: RemotePoint): Identity
  /**
   * Why nobody answers there, if it is known: what was so at some time between `sinceMs` (wall clock) and now. Absent: never
   * known.
   */
  failureCause?(address: AddressKey, sinceMs: number, point: RemotePoint): FailureCause | undefined
  /** Raised by 1 whenever an answer may differ from the one before. */
  readonly version: number
}
