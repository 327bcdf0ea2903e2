// What a resolver knows of the cluster, by what agents may ask for.
import type { Identity } from '../aggregate/identity.ts'
import { type AddressKey, formatKey, parseAddressKey } from '../capture/address.ts'
import type { KnownClaim } from '../enrich/address-history.ts'
import type { KnownService } from '../enrich/cluster-services.ts'
import { ClusterState, type ClusterWords } from '../enrich/cluster-state.ts'
import type { OwnerLookup } from '../enrich/owner-chains.ts'
import type { PodRecord } from '../enrich/pod-record.ts'
import type { ClusterListener, ClusterObjects, Resource } from '../kubernetes/cluster-objects.ts'
import {
  type Answer,
  type ClaimMessage,
  type EndpointMessage,
  MOST,
  type PeerKey,
  POD_PREFIX,
  type ServiceMessage,
  tagOf,
} from './messages.ts'
import { NodeFacts } from './node-facts.ts'
import { isNodePortKey, nodePortKey, nodePortText, pointOfKey } from './node-port-key.ts'

export interface PeerFactsParts {
  /** Keys of labels that are told. */
  readonly labels?: readonly string[]
  readonly ownerOf?: OwnerLookup
  /** Whose answer may differ from now on. */
  readonly onKey: (key: PeerKey) => void
  /** Whether somebody asks for anything: else nobody is told. */
  readonly isAsked: () => boolean
}

export class PeerFacts implements ClusterListener {
  readonly nodes = new NodeFacts(() => this.#nodePorts())
  readonly #state: ClusterState

  constructor({ ownerOf, onKey, isAsked, labels = [] }: PeerFactsParts) {
    const words: ClusterWords = {
      addresses: addresses => {
        if (isAsked()) for (const each of addresses) onKey(formatKey(each))
      },
      nodePorts: points => {
        if (points.length === 0) return
        this.nodes.nodePortsChanged()
        if (isAsked()) for (const each of points) onKey(nodePortKey(each))
      },
      pod: uid => {
        if (isAsked()) onKey(POD_PREFIX + uid)
      },
    }
    // On the node without a name nobody is: of no pod more is kept than of any other.
    const parts = { peers: 'watch', nodeName: '', onChange: () => {}, words, labels } as const
    this.#state = new ClusterState({ ...parts, ...(ownerOf && { ownerOf }) })
  }

  get kept() {
    return this.#state.pods.kept
  }

  /** Of a key that is one. */
  answer(key: PeerKey): Answer {
    this.#state.settle()
    if (key.startsWith(POD_PREFIX)) return this.#pod(key.slice(POD_PREFIX.length))
    if (isNodePortKey(key)) return this.#nodePort(key)
    return this.#address(parseAddressKey(key)!)
  }

  changed<R extends Resource>(resource: R, object: ClusterObjects[R], atMs: number, sinceMs?: number): void {
    if (resource === 'nodes') this.nodes.changed(object as ClusterObjects['nodes'])
    this.#state.changed(resource, object, atMs, sinceMs)
  }

  deleted(resource: Resource, uid: string, atMs: number, sinceMs?: number): void {
    if (resource === 'nodes') this.nodes.deleted(uid)
    this.#state.deleted(resource, uid, atMs, sinceMs)
  }

  synced(resource: Resource, uids: ReadonlySet<string>, atMs: number, sinceMs?: number): void {
    if (resource === 'nodes') this.nodes.synced(uids)
    this.#state.synced(resource, uids, atMs, sinceMs)
  }

  /** As `tcp/30080`, in order. */
  #nodePorts(): string[] {
    return [...this.#state.services.nodePorts()].sort((a, b) => a - b).map(nodePortText)
  }

  #address(address: AddressKey): Answer {
    const { pods, services } = this.#state
    const claims = pods.history.of(address).flatMap(claimMessage)
    const found = services.allAt(address).slice(0, MOST.services).map(serviceMessage)
    const stranger = services.endpointAt(address)
    const endpoint = stranger && endpointMessage(stranger)
    return {
      tag: tagOf([claims.map(withoutTimes), found.map(withoutTime), endpoint]),
      ...(claims.length > 0 && { pods: claims }),
      ...(found.length > 0 && { services: found }),
      ...(endpoint && { endpoint }),
    }
  }

  #nodePort(key: PeerKey): Answer {
    const found = this.#state.services.allAtNodePort(pointOfKey(key))
    const services = found.slice(0, MOST.services).map(serviceMessage)
    return { tag: tagOf(services.map(withoutTime)), ...(services.length > 0 && { services }) }
  }

  #pod(uid: string): Answer {
    const identity = this.#state.pods.byUid(uid)
    if (!identity?.workload) return { tag: tagOf('') }
    const { kind, name } = identity.workload
    const ports = portsOf(identity)
    return { tag: tagOf([kind, name, ports]), workload: { kind, name }, ports }
  }
}

function claimMessage({ holder, ...times }: KnownClaim<PodRecord>): ClaimMessage[] {
  const { identity, isReady, becameReadyMs } = holder
  if (!identity?.pod || !identity.workload) return []
  const { namespace, name, node = '', labels } = identity.pod
  const { kind, name: owner } = identity.workload
  return [
    {
      ...{ uid: holder.uid, namespace, name, node, workload: { kind, name: owner }, ports: portsOf(identity) },
      ready: isReady,
      ...(becameReadyMs !== undefined && { readySince: becameReadyMs }),
      ...(labels && { labels }),
      ...{ created: times.createdMs, seen: times.seenMs },
      ...(times.leavingMs !== undefined && { left: times.leavingMs }),
      ...(times.endedMs !== undefined && { ended: times.endedMs }),
    },
  ]
}

/** Times are another one's with each resolver. */
function withoutTimes({ created: _, seen: __, readySince: ___, left, ended, ...claim }: ClaimMessage) {
  return { ...claim, left: left !== undefined, ended: ended !== undefined }
}

function serviceMessage({ identity, isServed, servedSinceMs }: KnownService): ServiceMessage {
  const { workload } = identity
  return {
    ...endpointMessage(identity),
    ...(workload && { workload }),
    served: isServed,
    ...(Number.isFinite(servedSinceMs) && { servedSince: servedSinceMs }),
  }
}

function withoutTime({ servedSince: _, ...service }: ServiceMessage) {
  return service
}

function endpointMessage(identity: Identity): EndpointMessage {
  const { namespace, name } = identity.service!
  return { namespace, name, ports: portsOf(identity) }
}

function portsOf({ ports }: Identity): string[] {
  return [...ports].slice(0, MOST.ports).sort()
}
