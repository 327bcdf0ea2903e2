// Ports of nodes that pods have declared for themselves: the scheduler gives each of a node to one pod at a time.
import type { Identity, RemotePoint } from '../aggregate/identity.ts'
import { transportOf } from '../aggregate/transport.ts'
import { type AddressKey, formatKey } from '../capture/address.ts'
import type { ClusterPod } from '../kubernetes/cluster-objects.ts'
import { AddressHistory } from './address-history.ts'
import { ServedIdentities } from './served-identities.ts'

interface Holder {
  readonly uid: string
  readonly hostNetwork: boolean
  isReady: boolean
  keys: readonly string[]
}

export class HostPorts {
  readonly #identityOf: (uid: string) => Identity | undefined
  /** Who has, or had, which port of which node. */
  readonly #history = new AddressHistory<Holder>()
  /** Of pods that have such ports, by UID. */
  readonly #holders = new Map<string, Holder>()
  readonly #identities = new ServedIdentities()

  constructor(identityOf: (uid: string) => Identity | undefined) {
    this.#identityOf = identityOf
  }

  /** True when answers may differ. `sinceMs`: where words come late, when it can have happened at the earliest. */
  changed(pod: ClusterPod, atMs: number, sinceMs = atMs): boolean {
    const { uid, node, hostNetwork, isRunning, isReady } = pod
    const keys = isRunning && node !== '' ? pod.hostPorts.map(port => `${node} ${port}`) : []
    const before = this.#holders.get(uid)
    if (!before && keys.length === 0) return false
    this.#history.forget(atMs)
    const holder = before ?? { uid, hostNetwork, isReady, keys: [] }
    this.#holders.set(uid, holder)
    const differs = this.#claim(holder, keys, pod.createdMs, atMs, sinceMs) || holder.isReady !== isReady
    holder.isReady = isReady
    if (pod.isTerminating) for (const key of keys) this.#history.leave(key, holder, sinceMs)
    return differs
  }

  deleted(uid: string, atMs: number, sinceMs = atMs): boolean {
    const holder = this.#holders.get(uid)
    if (!holder) return false
    this.#holders.delete(uid)
    return this.#claim(holder, [], 0, atMs, sinceMs)
  }

  /** Whose port of the node it was that was dialled at an address of it; undefined: nobody's, or nobody knows whose. */
  at(address: AddressKey, atMs: number, node: Identity, point: RemotePoint): Identity | undefined {
    const name = node.place?.node
    if (this.#holders.size === 0 || name === undefined) return undefined
    const served = `${transportOf(point.protocol)}/${point.port}`
    const found =
      this.#history.at(`${name} ${served}`, atMs) ?? this.#history.at(`${name} ${served} ${formatKey(address)}`, atMs)
    if (!found || 'candidates' in found) return undefined
    const owner = this.#identityOf(found.uid)
    if (!owner) return undefined
    const foundBy = 'host_port'
    // Where it is, its own interface says: translated there the flow goes to an address of its own.
    if (!found.hostNetwork) return this.#identities.of(owner, served, { class: 'service', foundBy })
    // Who can't have the port, because something else on the node has it, does not become ready.
    if (!found.isReady) return undefined
    return this.#identities.of(owner, served, { class: 'node', foundBy, ...(node.place && { place: node.place }) })
  }

  #claim(holder: Holder, keys: readonly string[], createdMs: number, atMs: number, sinceMs: number): boolean {
    const before = holder.keys
    if (before.length === keys.length && keys.every(key => before.includes(key))) return false
    for (const key of before) if (!keys.includes(key)) this.#history.release(key, holder, atMs, sinceMs)
    for (const key of keys) if (!before.includes(key)) this.#history.claim(key, holder, createdMs, atMs)
    holder.keys = keys
    return true
  }
}
