// What is kept of one Service of the cluster, and of one of its EndpointSlices.
import type { Identity } from '../aggregate/identity.ts'
import type { AddressKey } from '../capture/address.ts'
import type { PodRecord } from './pod-record.ts'

export interface ServiceRecord {
  readonly uid: string
  readonly namespace: string
  readonly name: string
  readonly addresses: readonly AddressKey[]
  readonly ports: ReadonlySet<string>
  /** As `pointKey`. */
  readonly nodePorts: readonly number[]
  /** Asked for last. */
  identity: Identity | undefined
  /** `ClusterPods.workloadsVersion` of then; -1: to be asked for again. */
  identifiedAt: number
  /** When we heard that it has ready endpoints, after it had none. */
  servedSinceMs: number
}

export interface SliceRecord {
  readonly uid: string
  readonly service: string
  readonly ports: readonly string[]
  /** Somebody is ready, be it a pod or not. */
  readonly isServed: boolean
  readonly ready: readonly PodRecord[]
  readonly unready: readonly PodRecord[]
  /** Addresses of those that are no pods. */
  readonly strangers: readonly AddressKey[]
  /** What dials one of them directly. */
  readonly stranger: Identity
}

export function serviceKey({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`
}

export function isSameService(a: ServiceRecord, b: ServiceRecord): boolean {
  return (
    a.ports === b.ports &&
    a.name === b.name &&
    a.namespace === b.namespace &&
    a.addresses.join() === b.addresses.join() &&
    a.nodePorts.join() === b.nodePorts.join()
  )
}
