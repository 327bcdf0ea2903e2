// Looks at the machine and says which interfaces are to be observed, and whose each one is.
import type { InterfaceOwner } from '../aggregate/identity.ts'
import { formatAddress } from '../capture/address.ts'
import type { Changes, FlowSource, Survey, SurveyedNamespace } from '../capture/flow-source.ts'
import type { Inventory } from '../config/inventory.ts'
import type { Clock } from '../host/clock.ts'
import { Failure } from '../host/failure.ts'
import type { OwnProcess } from '../host/own-process.ts'
import { AddressBinding, type AddressedNamespace } from './address-binding.ts'
import { type BoundPod, DiscoveredPlan } from './discovered-plan.ts'
import { listedInterfaces, matchDevices, type WantedInterface } from './interface-plan.ts'
import { podKey } from './inventory-names.ts'
import { linksIn } from './links-in.ts'
import { type NamespaceBinding, NamespaceBindings } from './namespace-bindings.ts'
import { namespaceOwners } from './namespace-owners.ts'
import type { PodNames } from './pod-names.ts'

export interface DiscoveryParts {
  readonly source: Pick<FlowSource, 'survey' | 'links' | 'addresses'>
  readonly names: PodNames
  /** `auto`: by processes, beside what an inventory lists. `inventory`: that alone. */
  readonly mode: 'auto' | 'inventory'
  readonly nodeName: string | undefined
  readonly own: OwnProcess
  readonly inodeOf: (path: string) => number | undefined
  readonly clock: Clock
}

/** A pod that has nothing to observe. */
export interface IgnoredPod {
  readonly owner: InterfaceOwner
  readonly reason: 'host_network' | 'no_interface'
  /** Wall clock, ms since 1970. */
  readonly sinceMs: number
}

export interface Plan {
  readonly wanted: readonly WantedInterface[]
  /** `wanted` without what took the place of something else: that must be let go first, and keeps its name. */
  readonly continued: readonly WantedInterface[]
  readonly ignored: readonly IgnoredPod[]
  /** There is something of which no event tells when it is complete. */
  readonly unsettled: boolean
  /** Some of that has only just appeared. */
  readonly young: boolean
}

/** From a namespace to its first process, and from that to the pod's device. */
const GRACE_MS = 2_000

export class Discovery {
  readonly #parts: DiscoveryParts
  readonly #bindings = new NamespaceBindings()
  readonly #byAddress = new AddressBinding()
  /** Of those that the API server knows or knew. */
  readonly #ownPods = new Map<string, BoundPod>()
  #deletedIds: number[] = []
  #hasLooked = false
  /** Since when, by reason and owner. */
  #ignoredSinceMs = new Map<string, number>()

  constructor(parts: DiscoveryParts) {
    this.#parts = parts
  }

  /** To be called with every report of the source's watch. */
  changed({ deletedIds }: Changes): void {
    this.#deletedIds.push(...deletedIds)
  }

  /** Looks. Throws what the source throws. */
  async plan(inventory: Inventory | undefined): Promise<Plan> {
    const { source, names, own, inodeOf, nodeName, mode, clock } = this.#parts
    const listed = inventory ? listedInterfaces(inventory, names, inodeOf, nodeName) : []
    if (mode === 'inventory') return { wanted: listed, continued: listed, ignored: [], unsettled: false, young: false }
    const deletedIds = this.#deletedIds
    this.#deletedIds = []
    const survey = await source.survey()
    const nowMs = clock.nowMs()
    const { owners, hostNetworkPods } = namespaceOwners(survey.namespaces, own)
    const others = survey.namespaces.filter(({ inode }) => inode !== own.namespaceInode)
    const seen = survey.mayEnter ? others : [...others, ...numberedAlone(survey)]
    const replaced = this.#bindings.update(seen, owners, deletedIds, this.#hasLooked ? nowMs : undefined)
    this.#hasLooked = true
    const byAddress = await this.#bindByAddress(survey, inventory, nowMs)
    const plan = new DiscoveredPlan({ survey, names, inventory, listed, byAddress })
    const ignored = new Map([...hostNetworkPods].map(uid => [`host_network ${uid}`, uid]))
    const wanted: WantedInterface[] = [...listed]
    const continued: WantedInterface[] = [...listed]
    let unsettled = survey.namesPending
    let young = unsettled
    for (const binding of this.#bindings.values()) {
      const { owner, isShared, namespace } = binding
      const its = plan.wanted(binding)
      const isBare = survey.mayEnter && its.length > 0 && (await this.#isBare(its[0]!))
      if (isBare && owner?.podUid !== undefined) ignored.set(`no_interface ${owner.podUid}`, owner.podUid)
      const isOpen = isBare || !(owner || isShared)
      unsettled ||= isOpen
      young ||= isOpen && nowMs - (binding.appearedMs ?? Number.NEGATIVE_INFINITY) < GRACE_MS
      if (isBare) continue
      wanted.push(...its)
      if (!replaced.has(namespace.inode)) continued.push(...its)
    }
    return { wanted, continued, ignored: this.#ignored(ignored, nowMs), unsettled, young }
  }

  /** Nothing leads from there to the node, or not yet. */
  async #isBare(wanted: WantedInterface): Promise<boolean> {
    if (wanted.uplinks?.size !== 0) return false
    const links = await linksIn(this.#parts.source, wanted.netns)
    return links instanceof Failure || matchDevices(wanted, links).length === 0
  }

  /** Pods by key of binding: of those whose processes nobody can see. */
  async #bindByAddress(survey: Survey, inventory: Inventory | undefined, nowMs: number) {
    const bindings = [...this.#bindings.values()]
    const uids = new Set(bindings.map(({ owner }) => owner?.podUid))
    const { nodeName, names } = this.#parts
    const listed = (inventory?.pods ?? [])
      .filter(pod => pod.node === undefined || nodeName === undefined || pod.node === nodeName)
      .filter(pod => pod.addresses.length > 0 && (pod.uid === undefined || !uids.has(pod.uid)))
    // A pod that both know is the API server's.
    const own = names.ownPods().filter(({ uid }) => !uids.has(uid))
    const ownKeys = new Set(own.map(podKey))
    const pods = [...own, ...listed.filter(pod => !ownKeys.has(podKey(pod)))]
    if (pods.length === 0) return new Map<string, BoundPod>()
    for (const pod of own) this.#ownPods.set(`${podKey(pod)} ${pod.uid}`, { key: podKey(pod), uid: pod.uid })
    const addressed = pods.map(({ addresses, createdMs, ...pod }) => ({
      ...{ key: `${podKey(pod)} ${pod.uid ?? ''}`, addresses },
      ...(createdMs !== undefined && { createdMs }),
    }))
    const unowned: AddressedNamespace[] = []
    for (const binding of bindings) {
      if (binding.owner || binding.isShared) continue
      const addresses = await this.#addressesOf(binding, survey, nowMs)
      const { key, appearedMs } = binding
      unowned.push({ key, addresses, ...(appearedMs !== undefined && { appearedMs }) })
    }
    const bound = this.#byAddress.bind(unowned, addressed, nowMs)
    // A pod that is no longer listed keeps its name as long as its namespace is there.
    const needed = new Set([...bound.values(), ...own.map(pod => `${podKey(pod)} ${pod.uid}`)])
    for (const pod of this.#ownPods.keys()) if (!needed.has(pod)) this.#ownPods.delete(pod)
    const named = (pod: string) => this.#ownPods.get(pod) ?? { key: pod.slice(0, pod.lastIndexOf(' ')) }
    return new Map([...bound].map(([key, pod]) => [key, named(pod)]))
  }

  async #addressesOf(
    { key, namespace, appearedMs }: NamespaceBinding,
    survey: Survey,
    nowMs: number,
  ): Promise<string[]> {
    // Where processes can be seen, the first one is given the time to appear.
    const isYoung = survey.mayEnter && appearedMs !== undefined && nowMs - appearedMs < GRACE_MS
    if (isYoung || namespace.id < 0 || this.#byAddress.isBound(key)) return []
    const uplinks = new Set(
      survey.links.filter(({ peerNamespaceId }) => peerNamespaceId === namespace.id).map(({ peerIndex }) => peerIndex),
    )
    try {
      const addresses = await this.#parts.source.addresses(namespace.id)
      return addresses
        .filter(({ index }) => uplinks.has(index))
        .map(({ bytes }) => formatAddress(bytes, 0, bytes.length === 4 ? 4 : 6))
    } catch (error) {
      // Gone meanwhile.
      if (error instanceof Failure) return []
      throw error
    }
  }

  #ignored(uids: ReadonlyMap<string, string>, nowMs: number): IgnoredPod[] {
    const before = this.#ignoredSinceMs
    this.#ignoredSinceMs = new Map([...uids.keys()].map(key => [key, before.get(key) ?? nowMs]))
    return [...uids].flatMap(([key, uid]) => {
      const sinceMs = this.#ignoredSinceMs.get(key)!
      const reason = key.startsWith('host_network') ? 'host_network' : 'no_interface'
      if (reason === 'no_interface' && nowMs - sinceMs < GRACE_MS) return []
      return [{ owner: { identity: this.#parts.names.pod(uid), device: '' }, reason, sinceMs }]
    })
  }
}

/** Namespaces that a pair leads into and that have neither a name nor a process that we see: by their number alone. */
function numberedAlone({ namespaces, links }: Survey): SurveyedNamespace[] {
  const known = new Set(namespaces.map(({ id }) => id))
  const ids = new Set(links.map(({ peerNamespaceId }) => peerNamespaceId).filter(id => id >= 0 && !known.has(id)))
  // No inode is negative.
  return [...ids].map(id => ({ path: '', inode: -1 - id, id, cookie: 0, residents: [] }))
}
