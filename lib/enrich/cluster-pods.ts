// The pods of a cluster: who each one is, and who had an address when.
import type { Identity, Workload } from '../aggregate/identity.ts'
import { type AddressKey, parseAddressKeys } from '../capture/address.ts'
import type { ClusterPod } from '../kubernetes/cluster-objects.ts'
import type { Doubt } from './address-claims.ts'
import { AddressHistory } from './address-history.ts'
import type { ClusterNodes } from './cluster-nodes.ts'
import { Interned } from './interned.ts'
import { OwnPods } from './own-pods.ts'
import type { Owners, Top } from './owner-chains.ts'
import type { OwnPod } from './pod-names.ts'
import {
  oneOf,
  type PodIdentityParts,
  PodRecord,
  partsOf,
  picked,
  podIdentity,
  type ServedPorts,
  saysTheSame,
  severalOf,
} from './pod-record.ts'
import type { PodScope } from './pod-scope.ts'
import type { PortSets } from './port-sets.ts'
import { ServiceNames, saidServiceName } from './service-name.ts'

export interface ClusterPodsParts {
  readonly nodes: ClusterNodes
  readonly owners: Owners
  readonly ports: PortSets
  /** Absent: every pod is in scope. */
  readonly scope: PodScope | undefined
  /** Absent: every pod is taken for one of this node. */
  readonly nodeName: string | undefined
  /** Keys of those that are exported. */
  readonly labels: readonly string[]
  readonly annotations: readonly string[]
  /** Called whenever an answer may differ from the one before. */
  readonly onChange: () => void
  /** Called whenever a pod of this node is called otherwise than before. */
  readonly onOwnPod: () => void
  readonly words?: PodWords
}

/** For who tells others: everything that they may want to know. */
export interface PodWords {
  /** Somebody has one of these, has lost it or is to go, or is called otherwise. */
  addresses(addresses: readonly AddressKey[]): void
  /** It is called otherwise, or serves other ports. */
  pod(record: PodRecord): void
}

/** A pod that is gone is known for so long: its last flows are told after it, and its interface may be there still. */
const KEPT_MS = 300_000
const noPorts: ReadonlySet<string> = new Set()
const UNDECIDED: Identity = { class: 'pod', name: 'unknown', ports: noPorts, foundBy: 'unknown' }

export class ClusterPods {
  /** Who has, or had, which address. */
  readonly history = new AddressHistory<PodRecord>()
  /** What pods say of themselves, where what they say is kept. */
  readonly serviceNames = new ServiceNames()
  readonly #parts: ClusterPodsParts
  /** By UID; of pods that others tell of, too. */
  readonly #records = new Map<string, PodRecord>()
  readonly #workloads = new Interned<Workload>()
  readonly #own = new OwnPods()
  readonly #undecided = new WeakMap<Workload, Identity>()
  /** In the order in which they went. */
  #gone: PodRecord[] = []
  #workloadsVersion = 0

  constructor(parts: ClusterPodsParts) {
    this.#parts = parts
  }

  /** Raised whenever a pod comes, or gets another workload. */
  get workloadsVersion(): number {
    return this.#workloadsVersion
  }

  /** How much is kept of pods that are there, were a short time ago, or are mentioned. */
  get kept(): { pods: number; addresses: number; workloads: number } {
    return { pods: this.#records.size, addresses: this.history.size, workloads: this.#workloads.size }
  }

  /** `sinceMs`: where words come late, when it can have happened at the earliest. */
  changed(pod: ClusterPod, atMs: number, sinceMs = atMs): void {
    this.#forget(atMs)
    const record = this.recordOf(pod.uid)
    const wasKnown = record.identity !== undefined
    record.goneAtMs = undefined
    record.containerPorts = this.#parts.ports.of(pod.ports)
    record.labels = Object.keys(pod.labels).length > 0 ? pod.labels : undefined
    record.serviceName = saidServiceName(pod.labels, pod.annotations)
    this.#identify(record, pod)
    // What is over has given its addresses back; those of a host-network pod are its node's.
    const owned = pod.hostNetwork || !pod.isRunning ? [] : pod.addresses
    this.#claim(record, parseAddressKeys(owned), pod.createdMs, atMs, sinceMs)
    this.#setState(record, pod, atMs, sinceMs, wasKnown)
    if (this.#isOwn(record)) this.#own.add(record, pod)
  }

  deleted(uid: string, atMs: number, sinceMs = atMs): void {
    this.#forget(atMs)
    const record = this.#records.get(uid)
    if (!record?.identity || record.goneAtMs !== undefined) return
    record.goneAtMs = atMs
    this.#gone.push(record)
    this.#claim(record, [], 0, atMs, sinceMs)
  }

  /** Of pods that are there, by what we heard ourselves. */
  *uids(): Generator<string> {
    for (const record of this.#records.values())
      if (record.identity && record.goneAtMs === undefined && !record.isTold) yield record.uid
  }

  /** Whose address it was; `undefined`: no pod's. Of several pods of one workload that it can be alone, the workload. */
  at(address: AddressKey, atMs: number): Identity | undefined {
    const found = this.history.at(address, atMs)
    return found instanceof PodRecord ? found.identity : found && this.#doubtful(found)
  }

  byUid(uid: string): Identity | undefined {
    return (this.#records.get(uid) ?? this.#own.byStaticUid(uid))?.identity
  }

  /** Of this node, by `namespace/name`. */
  own(key: string): Identity | undefined {
    return this.#own.named(key)
  }

  ownPods(): OwnPod[] {
    return this.#own.list()
  }

  known(uid: string): PodRecord | undefined {
    return this.#records.get(uid)
  }

  /** Made when it is not there yet: Services mention pods that come later. */
  recordOf(uid: string): PodRecord {
    const known = this.#records.get(uid)
    if (known) return known
    const record = new PodRecord(uid)
    this.#records.set(uid, record)
    return record
  }

  /** A record that others keep: it is called and forgotten as they say. */
  adopt(record: PodRecord): void {
    this.#records.set(record.uid, record)
  }

  /** Those that others keep and that are not `needed`. */
  disown(needed: ReadonlySet<PodRecord>): void {
    for (const record of this.#records.values())
      if (record.isTold && !needed.has(record)) this.#records.delete(record.uid)
  }

  /** What Services say of the ports of a pod. */
  setServedBy(record: PodRecord, servedBy: readonly ServedPorts[]): void {
    record.servedBy = oneOf(servedBy)
    if (record.identity) this.become(record, { ...partsOf(record.identity), ports: this.#portsOf(record) })
    else if (servedBy.length === 0) this.#records.delete(record.uid)
  }

  /** To be called when places have become others. */
  placesChanged(): void {
    for (const record of this.#records.values()) {
      const node = record.identity?.place?.node
      if (node === undefined || this.#parts.nodes.placeOf(node) === record.identity!.place) continue
      this.become(record, { ...partsOf(record.identity!), place: this.#parts.nodes.placeOf(node) })
    }
  }

  #identify(record: PodRecord, pod: ClusterPod): void {
    const { nodes, owners, labels, annotations } = this.#parts
    const top = owners.topOf(pod, () => this.#rename(record, pod))
    this.become(record, {
      namespace: pod.namespace,
      name: pod.name,
      uid: pod.uid,
      workload: this.workloadOf(pod.namespace, top),
      place: pod.node === '' ? undefined : nodes.placeOf(pod.node),
      ports: this.#portsOf(record),
      labels: picked(pod.labels, labels),
      annotations: picked(pod.annotations, annotations),
    })
  }

  /** The chain of its owners has been climbed. */
  #rename(record: PodRecord, pod: ClusterPod): void {
    if (!record.identity || this.#records.get(record.uid) !== record) return
    const top = this.#parts.owners.topOf(pod, () => {})
    this.become(record, { ...partsOf(record.identity), workload: this.workloadOf(pod.namespace, top) })
  }

  /** What it is called from now on. */
  become(record: PodRecord, parts: Omit<PodIdentityParts, 'isOutOfScope'>): void {
    const { scope, onChange, onOwnPod, words } = this.#parts
    const { namespace, workload } = parts
    const isOutOfScope = scope?.has({ namespace, workload, labels: record.labels ?? {} }) === false
    const identity = podIdentity({ ...parts, isOutOfScope })
    const before = record.identity
    this.serviceNames.learn(workload, record.serviceName)
    if (before && saysTheSame(before, identity)) return
    record.identity = identity
    if (before?.workload !== identity.workload) this.#workloadsVersion++
    if (this.#isOwn(record)) onOwnPod()
    words?.pod(record)
    words?.addresses([...severalOf(record.addresses), ...this.history.lastOf(record)])
    // A pod that has no address yet is nobody's remote end.
    if (record.addresses !== undefined) onChange()
  }

  #claim(record: PodRecord, addresses: readonly AddressKey[], createdMs: number, atMs: number, sinceMs: number): void {
    const before = severalOf(record.addresses)
    const isSame = before.length === addresses.length && addresses.every(each => before.includes(each))
    if (isSame) return
    for (const address of before) if (!addresses.includes(address)) this.history.release(address, record, atMs, sinceMs)
    for (const address of addresses) if (!before.includes(address)) this.history.claim(address, record, createdMs, atMs)
    record.addresses = oneOf(addresses)
    this.#parts.words?.addresses([...before, ...addresses])
    this.#parts.onChange()
  }

  #setState(
    record: PodRecord,
    { isReady, isTerminating }: ClusterPod,
    atMs: number,
    sinceMs: number,
    wasKnown: boolean,
  ): void {
    const addresses = severalOf(record.addresses)
    if (isTerminating) for (const address of addresses) this.history.leave(address, record, sinceMs)
    if (isTerminating || record.isReady !== isReady) this.#parts.words?.addresses(addresses)
    if (record.isReady === isReady) return
    record.isReady = isReady
    if (isReady && wasKnown) record.becameReadyMs = atMs
    // Of two pods with one address the one that goes on being ready contradicts the other.
    if (addresses.some(each => this.history.isShared(each))) this.#parts.onChange()
  }

  #doubtful({ candidates, areAll }: Doubt<PodRecord>): Identity {
    const workload = candidates[0]?.identity?.workload
    const isCommon = workload && candidates.every(({ identity }) => identity?.workload === workload)
    const isOut = candidates.some(({ identity }) => identity?.outOfScope)
    if (!areAll || !isCommon || isOut) return UNDECIDED
    const known = this.#undecided.get(workload)
    if (known) return known
    const identity: Identity = { class: 'pod', workload, ports: candidates[0]!.identity!.ports }
    this.#undecided.set(workload, identity)
    return identity
  }

  #portsOf({ containerPorts, servedBy }: PodRecord): ReadonlySet<string> {
    if (servedBy === undefined) return containerPorts
    return this.#parts.ports.of([...containerPorts, ...severalOf(servedBy).flatMap(({ ports }) => ports)])
  }

  workloadOf(namespace: string, { kind, name }: Top): Workload {
    return this.#workloads.of(`${namespace}\n${kind}\n${name}`, () => ({ namespace, kind, name }))
  }

  #isOwn({ identity }: PodRecord): boolean {
    const { nodeName } = this.#parts
    return identity !== undefined && (nodeName === undefined || identity.place?.node === nodeName)
  }

  #forget(nowMs: number): void {
    this.history.forget(nowMs)
    let over = 0
    while (over < this.#gone.length && nowMs - (this.#gone[over]!.goneAtMs ?? nowMs) > KEPT_MS) over++
    if (over === 0) return
    for (const record of this.#gone.splice(0, over))
      if (record.goneAtMs !== undefined && record.identity) this.#drop(record)
    if (this.#workloads.isCrowded || this.#parts.ports.isCrowded) this.#sweep()
  }

  #drop(record: PodRecord): void {
    const { namespace, name } = record.identity!.pod!
    record.identity = undefined
    if (record.servedBy === undefined) this.#records.delete(record.uid)
    this.#own.remove(record, namespace, name)
  }

  #sweep(): void {
    const records = [...this.#records.values()]
    const identities = records.flatMap(({ identity }) => identity ?? [])
    const workloads = new Set(identities.map(({ workload }) => workload!))
    this.#workloads.sweep(workloads)
    this.serviceNames.sweep(workloads)
    this.#parts.nodes.sweep(new Set(identities.map(({ place }) => place)))
    this.#parts.ports.sweep(
      new Set([...identities.map(({ ports }) => ports), ...records.map(({ containerPorts }) => containerPorts)]),
    )
  }
}
