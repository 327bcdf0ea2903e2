// Names from a cluster's objects, at the time at which a flow started. The order of the steps is docs/names.md.
import type { Identity, RemotePoint } from '../aggregate/identity.ts'
import type { AddressKey } from '../capture/address.ts'
import type { Inventory } from '../config/inventory.ts'
import type {
  ClusterEndpointSlice,
  ClusterListener,
  ClusterNode,
  ClusterObjects,
  ClusterPod,
  ClusterService,
  Resource,
} from '../kubernetes/cluster-objects.ts'
import { ClusterNodes } from './cluster-nodes.ts'
import { ClusterPods } from './cluster-pods.ts'
import { ClusterServices } from './cluster-services.ts'
import type { InventoryNames } from './inventory-names.ts'
import { OwnerChains, type OwnerLookup } from './owner-chains.ts'
import type { OwnPod, PodNames } from './pod-names.ts'
import type { PodScope } from './pod-scope.ts'
import { PortSets } from './port-sets.ts'

export interface ClusterNamesParts {
  /** Stands beside the cluster: its blocks apply, and its pods and Services where the API server knows none. */
  readonly inventory: InventoryNames
  /** `watch`: the objects are those of the whole cluster. `none`: pods are those of this node alone. */
  readonly peers: 'watch' | 'none'
  /** Absent: every pod is taken for one of this node. */
  readonly nodeName?: string
  readonly scope?: PodScope
  readonly ownerOf?: OwnerLookup
  /** Next hops of this node's routes. */
  readonly gateways?: readonly string[]
  /** Keys of labels and annotations that are exported. */
  readonly labels?: readonly string[]
  readonly annotations?: readonly string[]
  /** Called whenever a pod of this node is called otherwise than before; often in a row. */
  readonly onOwnPod?: () => void
}

/** From a change of an object to our hearing of it, where all are well. */
const WORDS_TAKE_MS = 100
/** Answers for addresses outside of the cluster, which cost most to find. */
const MOST_RESTS = 65_536

export class ClusterNames implements PodNames, ClusterListener {
  readonly #parts: ClusterNamesParts
  readonly #nodes: ClusterNodes
  readonly #pods: ClusterPods
  readonly #services: ClusterServices
  /** By what the inventory makes of a UID that it does not know. */
  readonly #provisional = new WeakMap<Identity, Identity>()
  /** Whose an address is that is no pod's and no Service's. */
  readonly #rests = new Map<AddressKey, Identity>()
  #version = 1
  #arePlacesOld = false

  constructor(parts: ClusterNamesParts) {
    this.#parts = parts
    const { scope, nodeName, ownerOf, peers, gateways = [], labels = [], annotations = [] } = parts
    const ports = new PortSets()
    this.#nodes = new ClusterNodes({ knowsPods: peers === 'watch', gateways })
    this.#pods = new ClusterPods({
      ...{ nodes: this.#nodes, chains: new OwnerChains(ownerOf), ports, scope, nodeName, labels, annotations },
      onChange: () => this.#raise(),
      onOwnPod: parts.onOwnPod ?? (() => {}),
    })
    this.#services = new ClusterServices(this.#pods, ports)
  }

  /** How much is kept, for who wants to know what it costs. */
  get kept(): ClusterPods['kept'] {
    return this.#pods.kept
  }

  get version(): number {
    this.#settle()
    return this.#version
  }

  remote(address: AddressKey, atMs: number, point?: RemotePoint): Identity {
    this.#settle()
    const pod = this.#pods.at(address, atMs)
    if (pod) return pod
    const service = this.#services.at(address, point)
    if (service && !this.#nodes.at(address)) return service
    const rest = this.#restOf(address)
    return rest.class === 'node' ? (this.#services.atNode(address, point) ?? rest) : rest
  }

  pod(uid: string): Identity {
    this.#settle()
    return this.#pods.byUid(uid) ?? this.#unheardOf(uid)
  }

  local(key: string): Identity {
    this.#settle()
    return this.#pods.own(key) ?? this.#parts.inventory.local(key)
  }

  get unknown(): Identity {
    return this.#parts.inventory.unknown
  }

  get wordsTakeMs(): number {
    return WORDS_TAKE_MS
  }

  ownPods(): readonly OwnPod[] {
    return this.#pods.ownPods()
  }

  replace(inventory: Inventory | undefined): void {
    this.#parts.inventory.replace(inventory)
    this.#raise()
  }

  changed<R extends Resource>(resource: R, object: ClusterObjects[R], atMs: number): void {
    if (resource === 'pods') this.#pods.changed(object as ClusterPod, atMs)
    else if (resource === 'services') this.#raiseIf(this.#services.changed(object as ClusterService))
    else if (resource === 'nodes') this.#nodesChanged(this.#nodes.changed(object as ClusterNode))
    else this.#raiseIf(this.#services.sliceChanged(object as ClusterEndpointSlice))
  }

  deleted(resource: Resource, uid: string, atMs: number): void {
    if (resource === 'pods') this.#pods.deleted(uid, atMs)
    else if (resource === 'services') this.#raiseIf(this.#services.deleted(uid))
    else if (resource === 'nodes') this.#nodesChanged(this.#nodes.deleted(uid))
    else this.#raiseIf(this.#services.sliceDeleted(uid))
  }

  synced(resource: Resource, uids: ReadonlySet<string>, atMs: number): void {
    for (const uid of [...this.#uidsOf(resource)]) if (!uids.has(uid)) this.deleted(resource, uid, atMs)
  }

  /** The API server will tell of it, unless an inventory does. */
  #unheardOf(uid: string): Identity {
    const listed = this.#parts.inventory.pod(uid)
    if (listed.pod) return listed
    const known = this.#provisional.get(listed)
    if (known) return known
    const identity: Identity = { ...listed, isProvisional: true }
    this.#provisional.set(listed, identity)
    return identity
  }

  #uidsOf(resource: Resource): Iterable<string> {
    switch (resource) {
      case 'pods':
        return this.#pods.uids()
      case 'services':
        return this.#services.uids()
      case 'endpointslices':
        return this.#services.sliceUids()
      case 'nodes':
        return this.#nodes.uids()
    }
  }

  #restOf(address: AddressKey): Identity {
    const known = this.#rests.get(address)
    if (known) return known
    if (this.#rests.size >= MOST_RESTS) this.#rests.clear()
    const rest = this.#findRest(address)
    this.#rests.set(address, rest)
    return rest
  }

  #findRest(address: AddressKey): Identity {
    const { inventory } = this.#parts
    return (
      this.#nodes.at(address) ??
      this.#services.endpointAt(address) ??
      inventory.owner(address) ??
      this.#nodes.inPodBlock(address) ??
      inventory.block(address)
    )
  }

  #nodesChanged(differs: boolean): void {
    if (!differs) return
    this.#arePlacesOld = true
    this.#raise()
  }

  #raiseIf(differs: boolean): void {
    if (differs) this.#raise()
  }

  #raise(): void {
    this.#version++
    this.#rests.clear()
  }

  /** Once for all nodes that changed in a row: each of them means a look at all pods. */
  #settle(): void {
    if (!this.#arePlacesOld) return
    this.#arePlacesOld = false
    this.#pods.placesChanged()
  }
}
