// Names from a cluster's objects, at the time at which a flow started. The order of the steps is docs/names.md.
import type { FailureCause } from '../aggregate/failure-cause.ts'
import type { Identity, RemotePoint, Workload } from '../aggregate/identity.ts'
import type { AddressKey } from '../capture/address.ts'
import type { StartedColumns } from '../capture/flow-batch.ts'
import type { Inventory } from '../config/inventory.ts'
import type { ClusterListener, ClusterObjects, Resource } from '../kubernetes/cluster-objects.ts'
import type { ClusterPods } from './cluster-pods.ts'
import type { ClusterView } from './cluster-state.ts'
import { FailureCauses, type KnownSince } from './failure-causes.ts'
import type { InventoryNames } from './inventory-names.ts'
import type { OwnPod, PodNames } from './pod-names.ts'
import { RemoteOrder } from './remote-order.ts'

export interface ClusterNamesParts {
  /** Stands beside the cluster: its blocks apply, and its pods and Services where the API server knows none. */
  readonly inventory: InventoryNames
  /** What is known of the cluster; made with what it is to call whenever an answer may differ from the one before. */
  readonly view: (onChange: () => void) => ClusterView
  /** Absent: everything that is known is so now. */
  readonly knownSince?: KnownSince
}

export class ClusterNames implements PodNames, ClusterListener {
  readonly #inventory: InventoryNames
  readonly #view: ClusterView
  readonly #order: RemoteOrder
  readonly #causes: FailureCauses
  /** By what the inventory makes of a UID that it does not know. */
  readonly #provisional = new WeakMap<Identity, Identity>()
  #version = 1

  constructor({ inventory, view, knownSince = () => Number.NEGATIVE_INFINITY }: ClusterNamesParts) {
    this.#inventory = inventory
    this.#view = view(() => this.#raise())
    this.#order = new RemoteOrder(this.#view, inventory)
    this.#causes = new FailureCauses(this.#view, this.#order, knownSince)
  }

  /** How much is kept, for who wants to know what it costs. */
  get kept(): ClusterPods['kept'] {
    return this.#view.pods.kept
  }

  get version(): number {
    this.#view.settle()
    return this.#version
  }

  remote(address: AddressKey, atMs: number, point?: RemotePoint): Identity {
    this.#view.settle()
    return this.#order.of(address, atMs, point)
  }

  failureCause(address: AddressKey, sinceMs: number, point: RemotePoint): FailureCause | undefined {
    return this.#causes.at(address, sinceMs, point)
  }

  pod(uid: string): Identity {
    this.#view.settle()
    return this.#view.pods.byUid(uid) ?? this.#unheardOf(uid)
  }

  local(key: string): Identity {
    this.#view.settle()
    return this.#view.pods.own(key) ?? this.#inventory.local(key)
  }

  get unknown(): Identity {
    return this.#inventory.unknown
  }

  hear(started: StartedColumns): Promise<void> {
    return this.#view.hear(started)
  }

  serviceName(workload: Workload): string | undefined {
    return this.#view.pods.serviceNames.of(workload)
  }

  ownPods(): readonly OwnPod[] {
    return this.#view.pods.ownPods()
  }

  replace(inventory: Inventory | undefined): void {
    this.#inventory.replace(inventory)
    this.#raise()
  }

  changed<R extends Resource>(resource: R, object: ClusterObjects[R], atMs: number, sinceMs?: number): void {
    this.#view.changed(resource, object, atMs, sinceMs)
  }

  deleted(resource: Resource, uid: string, atMs: number, sinceMs?: number): void {
    this.#view.deleted(resource, uid, atMs, sinceMs)
  }

  synced(resource: Resource, uids: ReadonlySet<string>, atMs: number, sinceMs?: number): void {
    this.#view.synced(resource, uids, atMs, sinceMs)
  }

  /** The API server will tell of it, unless an inventory does. */
  #unheardOf(uid: string): Identity {
    const listed = this.#inventory.pod(uid)
    if (listed.pod) return listed
    const known = this.#provisional.get(listed)
    if (known) return known
    const identity: Identity = { ...listed, isProvisional: true }
    this.#provisional.set(listed, identity)
    return identity
  }

  #raise(): void {
    this.#version++
    this.#order.forget()
  }
}
