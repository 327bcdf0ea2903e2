// What is known of a cluster: its nodes, pods and Services, from the API server's words of them.
import { setTimeout as sleep } from 'node:timers/promises'
import type { FailureCause } from '../aggregate/failure-cause.ts'
import type { Identity, RemotePoint } from '../aggregate/identity.ts'
import type { AddressKey } from '../capture/address.ts'
import type { StartedColumns } from '../capture/flow-batch.ts'
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
import { ClusterPods, type PodWords } from './cluster-pods.ts'
import { ClusterServices, type ServiceWords } from './cluster-services.ts'
import { HostPorts } from './host-ports.ts'
import { OwnerChains, type OwnerLookup } from './owner-chains.ts'
import type { PodScope } from './pod-scope.ts'
import { PortSets } from './port-sets.ts'

/** Whose an address is that is a Service's: see `ClusterServices`. */
export interface ServiceNames {
  at(address: AddressKey, point: RemotePoint | undefined): Identity | undefined
  atNode(address: AddressKey, point: RemotePoint | undefined): Identity | undefined
  endpointAt(address: AddressKey): Identity | undefined
  failureCause?(address: AddressKey, point: RemotePoint, isNode: boolean, sinceMs: number): FailureCause | undefined
}

/** `nodes`: it may be a pod's all the same. `little`: it may be anybody's in the cluster. */
export type Knowledge = 'all' | 'nodes' | 'little'

/** Who names are asked of. It hears of what it has to hear of. */
export interface ClusterView extends ClusterListener {
  readonly nodes: ClusterNodes
  readonly pods: ClusterPods
  readonly services: ServiceNames
  readonly hostPorts: HostPorts
  /** Somebody asks for it now. */
  used(address: AddressKey, atMs: number): void
  /** Of an address of which nothing is known. */
  knows(address: AddressKey, atMs: number): Knowledge
  /** To be called before anything is asked for. */
  settle(): void
  /** Resolves when these flows can be named: words of what happened before are on their way. */
  hear(started: StartedColumns): Promise<void>
}

export interface ClusterStateParts {
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
  /** Called whenever an answer may differ from the one before. */
  readonly onChange: () => void
  /** Called whenever a pod of this node is called otherwise than before; often in a row. */
  readonly onOwnPod?: () => void
  readonly words?: ClusterWords
}

/** For who tells others what they ask for: everything of which an answer may differ. */
export interface ClusterWords extends ServiceWords {
  /** Of that UID. */
  pod(uid: string): void
}

/** From a change of an object to our hearing of it, where all are well. */
export const WORDS_TAKE_MS = 100

export class ClusterState implements ClusterView {
  readonly nodes: ClusterNodes
  readonly pods: ClusterPods
  readonly services: ClusterServices
  readonly hostPorts = new HostPorts(uid => this.pods.byUid(uid))
  readonly #parts: ClusterStateParts
  #arePlacesOld = false

  constructor(parts: ClusterStateParts) {
    this.#parts = parts
    const { scope, nodeName, ownerOf, gateways = [], labels = [], annotations = [], onChange, words } = parts
    const ports = new PortSets()
    this.nodes = new ClusterNodes(gateways)
    this.pods = new ClusterPods({
      ...{ nodes: this.nodes, owners: new OwnerChains(ownerOf), ports, scope, nodeName, labels, annotations, onChange },
      onOwnPod: parts.onOwnPod ?? (() => {}),
      ...(words && { words: this.#podWords(words) }),
    })
    this.services = new ClusterServices(this.pods, ports, words)
  }

  used(): void {}

  knows(): Knowledge {
    return this.#parts.peers === 'watch' ? 'all' : 'nodes'
  }

  async hear(): Promise<void> {
    await sleep(WORDS_TAKE_MS)
  }

  /** Once for all nodes that changed in a row: each of them means a look at all pods. */
  settle(): void {
    if (!this.#arePlacesOld) return
    this.#arePlacesOld = false
    this.pods.placesChanged()
  }

  changed<R extends Resource>(resource: R, object: ClusterObjects[R], atMs: number, sinceMs?: number): void {
    if (resource === 'pods') this.#podChanged(object as ClusterPod, atMs, sinceMs)
    else if (resource === 'services') this.#tellIf(this.services.changed(object as ClusterService))
    else if (resource === 'nodes') this.#nodesChanged(this.nodes.changed(object as ClusterNode))
    else this.#tellIf(this.services.sliceChanged(object as ClusterEndpointSlice, atMs))
  }

  deleted(resource: Resource, uid: string, atMs: number, sinceMs?: number): void {
    if (resource === 'pods') this.#podDeleted(uid, atMs, sinceMs)
    else if (resource === 'services') this.#tellIf(this.services.deleted(uid))
    else if (resource === 'nodes') this.#nodesChanged(this.nodes.deleted(uid))
    else this.#tellIf(this.services.sliceDeleted(uid, atMs))
  }

  synced(resource: Resource, uids: ReadonlySet<string>, atMs: number, sinceMs?: number): void {
    for (const uid of [...this.#uidsOf(resource)]) if (!uids.has(uid)) this.deleted(resource, uid, atMs, sinceMs)
  }

  #uidsOf(resource: Resource): Iterable<string> {
    switch (resource) {
      case 'pods':
        return this.pods.uids()
      case 'services':
        return this.services.uids()
      case 'endpointslices':
        return this.services.sliceUids()
      case 'nodes':
        return this.nodes.uids()
    }
  }

  #podChanged(pod: ClusterPod, atMs: number, sinceMs?: number): void {
    this.pods.changed(pod, atMs, sinceMs)
    this.#tellIf(this.hostPorts.changed(pod, atMs, sinceMs))
  }

  #podDeleted(uid: string, atMs: number, sinceMs?: number): void {
    this.pods.deleted(uid, atMs, sinceMs)
    this.#tellIf(this.hostPorts.deleted(uid, atMs, sinceMs))
  }

  #podWords(words: ClusterWords): PodWords {
    return {
      addresses: addresses => words.addresses(addresses),
      pod: record => {
        words.pod(record.uid)
        this.services.podChanged(record)
      },
    }
  }

  #nodesChanged(differs: boolean): void {
    if (!differs) return
    this.#arePlacesOld = true
    this.#parts.onChange()
  }

  #tellIf(differs: boolean): void {
    if (differs) this.#parts.onChange()
  }
}
