// Who is at the two ends of a flow. Names come from elsewhere; this is what they must say.

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
}

/** The interface that a flow was seen on, as configuration or discovery knows it. */
export interface InterfaceOwner {
  readonly identity: Identity
  /** Name inside the pod: `eth0`. */
  readonly device: string
}

export interface Names {
  /**
   * Who has this address at that time. Never throws; an address that nobody has is `external` or `unknown`. The pod at
   * the interface may know it by a name of its own.
   */
  remote(address: string, atMs: number, interfaceSlot?: number): Identity
  /** Raised by 1 whenever an answer may differ from the one before. */
  readonly version: number
}
