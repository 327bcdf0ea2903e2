// What is kept of the API server's objects: what names need. Everything else is dropped while it is parsed.
import type { Protocol } from '../config/inventory-schema.ts'

/** One object of the API server. Two of the same name after one another have different UIDs. */
export interface ClusterObject {
  readonly uid: string
  /** Empty for objects of the whole cluster. */
  readonly namespace: string
  readonly name: string
}

/** The controller among an object's `ownerReferences`. */
export interface Owner {
  /** `apps/v1` */
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
}

export interface ClusterPod extends ClusterObject {
  /** `spec.nodeName`, empty until it is scheduled. */
  readonly node: string
  /** `status.podIPs` in canonical form. Those of a host-network pod are its node's. */
  readonly addresses: readonly string[]
  readonly hostNetwork: boolean
  /** Neither succeeded nor failed: what is over owns no address any more. */
  readonly isRunning: boolean
  readonly isReady: boolean
  /** `metadata.deletionTimestamp` is set: its address may soon be another's. */
  readonly isTerminating?: boolean
  /** Wall clock, ms since 1970. */
  readonly createdMs: number
  readonly owner?: Owner
  /** Label `pod-template-hash` or `rollouts-pod-template-hash`: with it a ReplicaSet's name says whose it is. */
  readonly templateHash?: string
  /** Which of the two labels that was; absent: `Deployment`. */
  readonly templateOf?: 'Deployment' | 'Rollout'
  /** Ports of its containers, as `tcp/8080`. */
  readonly ports: readonly string[]
  /** Ports of its node that are its own, as `tcp/8080`, and those of one address of the node as `tcp/8080 192.0.2.1`. */
  readonly hostPorts: readonly string[]
  /** Only those that were asked for. */
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

export interface ClusterServicePort {
  readonly port: number
  readonly protocol: Protocol
  /** 0: none. */
  readonly nodePort: number
  /** A number, or the name of a container's port. */
  readonly target: number | string
}

export interface ClusterService extends ClusterObject {
  /** Cluster, external and load balancer addresses in canonical form; none of a headless Service. */
  readonly addresses: readonly string[]
  readonly ports: readonly ClusterServicePort[]
}

export interface ClusterEndpoint {
  readonly addresses: readonly string[]
  readonly isReady: boolean
  /** The pod that it is; absent: it is something else, perhaps outside the cluster. */
  readonly podUid?: string
  readonly zone?: string
}

export interface ClusterEndpointSlice extends ClusterObject {
  /** The Service's name, in the same namespace. */
  readonly service: string
  /** As `tcp/8080`. */
  readonly ports: readonly string[]
  readonly endpoints: readonly ClusterEndpoint[]
}

export interface ClusterNode extends ClusterObject {
  /** Internal and external addresses in canonical form. */
  readonly addresses: readonly string[]
  /** Where its pods get their addresses from. */
  readonly podCidrs: readonly string[]
  /** `topology.kubernetes.io/zone` and `/region`. */
  readonly zone?: string
  readonly region?: string
}

export interface ClusterObjects {
  readonly pods: ClusterPod
  readonly services: ClusterService
  readonly endpointslices: ClusterEndpointSlice
  readonly nodes: ClusterNode
}

export type Resource = keyof ClusterObjects

/**
 * Who keeps the objects. Never throws. `atMs`: wall clock, when we heard of it. `sinceMs`: where words may come late, when it
 * can have happened at the earliest; absent: just before.
 */
export interface ClusterListener {
  /** It is new, or differs from before. */
  changed<R extends Resource>(resource: R, object: ClusterObjects[R], atMs: number, sinceMs?: number): void
  deleted(resource: Resource, uid: string, atMs: number, sinceMs?: number): void
  /** `changed` was called for each object that there is; those that are not in `uids` are gone. */
  synced(resource: Resource, uids: ReadonlySet<string>, atMs: number, sinceMs?: number): void
}
