// Which interfaces of the namespaces that a survey found are to be observed, beside those that an inventory lists.
import { basename, dirname } from 'node:path'
import type { Identity } from '../aggregate/identity.ts'
import type { Link, Survey } from '../capture/flow-source.ts'
import type { Inventory } from '../config/inventory.ts'
import { shortId } from './cgroup-owner.ts'
import { isPair, matchDevices, type WantedInterface } from './interface-plan.ts'
import { podKey } from './inventory-names.ts'
import type { NamespaceBinding } from './namespace-bindings.ts'
import type { PodNames } from './pod-names.ts'

export interface DiscoveredParts {
  readonly survey: Survey
  readonly names: PodNames
  readonly inventory: Inventory | undefined
  /** What the inventory lists for this node: it has its interfaces, whoever is found there. */
  readonly listed: readonly WantedInterface[]
  /** The pod that a namespace's addresses are of, by the binding's key. */
  readonly byAddress: ReadonlyMap<string, BoundPod>
}

export interface BoundPod {
  /** `namespace/name` */
  readonly key: string
  /** Of one that the API server knows. */
  readonly uid?: string
}

/** A pair has these as its own, if it has no pair: what leads to the node without one is looked for by its kind. */
const NO_UPLINKS: ReadonlySet<number> = new Set()
const NAMES = new Set(['/run/netns', '/var/run/netns'])
/** `cni-<uuid>` (containerd), `netns-<uuid>` (Podman), `<uuid>` (CRI-O): a process comes and says whose it is. */
const MADE_BY_RUNTIME = /^(?:cni-|netns-)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export class DiscoveredPlan {
  readonly #parts: DiscoveredParts
  readonly #listedInodes: ReadonlySet<number | undefined>
  readonly #listedPods = new Set<string>()
  /** Of the agent's own devices those that the inventory lists. */
  readonly #listedIndexes: ReadonlySet<number>

  constructor(parts: DiscoveredParts) {
    this.#parts = parts
    const { listed, inventory, survey } = parts
    this.#listedInodes = new Set(listed.map(({ inode }) => inode))
    for (const pod of inventory?.pods ?? []) {
      if (pod.interfaces.length === 0) continue
      this.#listedPods.add(podKey(pod))
      if (pod.uid !== undefined) this.#listedPods.add(pod.uid)
    }
    const ours = listed.filter(({ netns }) => netns === undefined)
    this.#listedIndexes = new Set(ours.flatMap(each => matchDevices(each, survey.links)).map(({ link }) => link.index))
  }

  /** None when it is nothing to observe, or the inventory's. */
  wanted(binding: NamespaceBinding): WantedInterface[] {
    const { namespace, known } = binding
    const identity = this.#identityOf(binding)
    if (!identity || this.#isListed(binding)) return []
    const links = this.hostEnds(binding)
    const free = links.filter(({ index }) => !this.#listedIndexes.has(index))
    if (links.length > 0 && free.length === 0) return []
    if (!this.#parts.survey.mayEnter) return free.map(link => ({ ...hostEnd(link, identity), ...(known && { known }) }))
    const { path, inode } = namespace
    const all = identity.name === this.#nameOf(binding) && !binding.owner
    return [
      {
        ...{ identity, netns: path, inode, subject: subjectOf(identity, path) },
        ...(known && { known }),
        ...(!all && { uplinks: free.length > 0 ? new Set(free.map(({ peerIndex }) => peerIndex)) : NO_UPLINKS }),
      },
    ]
  }

  /** The agent's own ends of the pairs that lead into the namespace. */
  hostEnds({ namespace: { id } }: NamespaceBinding): Link[] {
    if (id < 0) return []
    return this.#parts.survey.links.filter(link => isPair(link.kind) && link.peerNamespaceId === id)
  }

  #identityOf(binding: NamespaceBinding): Identity | undefined {
    const { names, byAddress } = this.#parts
    const { owner, isShared, key, namespace } = binding
    if (isShared) return names.unknown
    if (owner) return owner.podUid === undefined ? names.local(shortId(owner.key)) : names.pod(owner.podUid)
    const pod = byAddress.get(key)
    if (pod) return pod.uid === undefined ? names.local(pod.key) : names.pod(pod.uid)
    const name = this.#nameOf(binding)
    if (name !== undefined) return names.local(name)
    return namespace.path.startsWith('/proc/') ? undefined : names.unknown
  }

  /** What somebody who uses `ip netns` called it. */
  #nameOf({ namespace: { path } }: NamespaceBinding): string | undefined {
    const name = basename(path)
    return NAMES.has(dirname(path)) && !MADE_BY_RUNTIME.test(name) ? name : undefined
  }

  #isListed({ namespace, owner, key }: NamespaceBinding): boolean {
    const pod = this.#parts.byAddress.get(key)
    if (this.#listedInodes.has(namespace.inode)) return true
    return (
      (owner !== undefined && this.#listedPods.has(owner.key)) || (pod !== undefined && this.#listedPods.has(pod.key))
    )
  }
}

function hostEnd({ name, index }: Link, identity: Identity): WantedInterface {
  // A device's name may have what means something in a pattern; its index tells it from others then.
  const device = name.replaceAll(/[*?[]/g, '?')
  return { identity, device, uplinks: new Set([index]), subject: subjectOf(identity, name) }
}

function subjectOf({ pod, name }: Identity, place: string): string {
  return pod ? `${podKey(pod)} (${place})` : name === basename(place) ? place : `${name} (${place})`
}
