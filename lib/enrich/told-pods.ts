// Pods of other nodes, as a resolver tells of them: only those that have, or had, an address that was asked for.
import type { AddressKey } from '../capture/address.ts'
import type { KnownClaim } from './address-history.ts'
import type { ClusterNodes } from './cluster-nodes.ts'
import type { ClusterPods } from './cluster-pods.ts'
import type { HeardTime } from './heard-time.ts'
import type { Top } from './owner-chains.ts'
import { type PodRecord, ToldPodRecord } from './pod-record.ts'
import type { PortSets } from './port-sets.ts'
import { saidServiceName } from './service-name.ts'

export interface ToldPod {
  readonly uid: string
  readonly namespace: string
  readonly name: string
  readonly node: string
  readonly workload: Top
  readonly isReady: boolean
  /** When it was heard that it became ready, after it was not; wall clock, ours. */
  readonly becameReadyMs: number | undefined
  readonly ports: readonly string[]
  readonly labels: Readonly<Record<string, string>>
}

/** Who has an address, or had it a short time ago. Wall clock, ours. */
export type ToldClaim = Omit<KnownClaim<unknown>, 'holder'> & { readonly pod: ToldPod }

export interface ToldPodsParts {
  readonly pods: ClusterPods
  readonly nodes: ClusterNodes
  readonly ports: PortSets
  /** Of its pods we hear ourselves, and sooner. */
  readonly nodeName: string
}

export class ToldPods {
  readonly #parts: ToldPodsParts

  /** `heard`: what is told is sure as far as it says. */
  constructor(parts: ToldPodsParts, heard: HeardTime) {
    this.#parts = parts
    parts.pods.history.heard = heard
  }

  /** All that a resolver knows of an address. */
  told(address: AddressKey, claims: readonly ToldClaim[], nowMs: number): void {
    const { history } = this.#parts.pods
    history.forget(nowMs)
    const known = claims.flatMap(({ pod, ...times }) => {
      const holder = this.#recordOf(pod)
      return holder ? { ...times, holder } : []
    })
    history.told(address, known, nowMs)
  }

  /** Nobody asks for it any more. */
  forget(address: AddressKey): void {
    this.#parts.pods.history.untell(address)
  }

  /** Drops pods that have none of the addresses any more that are asked for. */
  sweep(): void {
    const { pods } = this.#parts
    pods.disown(pods.history.holders())
  }

  /** undefined: it is one of this node's. */
  #recordOf(pod: ToldPod): PodRecord | undefined {
    const { uid, namespace, name, node, workload, ports, labels } = pod
    const { pods, nodes, ports: sets, nodeName } = this.#parts
    const known = pods.known(uid)
    if (node === nodeName || known?.isTold === false) return undefined
    const record = known ?? new ToldPodRecord(uid)
    if (!known) pods.adopt(record)
    record.isReady = pod.isReady
    record.becameReadyMs = pod.becameReadyMs
    record.containerPorts = sets.of(ports)
    record.labels = Object.keys(labels).length > 0 ? labels : undefined
    record.serviceName = saidServiceName(labels, {})
    pods.become(record, {
      ...{ namespace, name, uid, workload: pods.workloadOf(namespace, workload) },
      place: node === '' ? undefined : nodes.placeOf(node),
      ports: record.containerPorts,
      ...{ labels: undefined, annotations: undefined },
    })
    return record
  }
}
