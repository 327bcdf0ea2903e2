// Whose an address is: the steps of docs/names.md in their order.
import type { Identity, RemotePoint } from '../aggregate/identity.ts'
import type { AddressKey } from '../capture/address.ts'
import type { ClusterView } from './cluster-state.ts'
import type { InventoryNames } from './inventory-names.ts'

/** Answers for addresses outside of the cluster, which cost most to find. */
const MOST_RESTS = 65_536

export class RemoteOrder {
  readonly #view: ClusterView
  readonly #inventory: InventoryNames
  /** Whose an address is that is no pod's and no Service's. */
  readonly #rests = new Map<AddressKey, Identity>()

  constructor(view: ClusterView, inventory: InventoryNames) {
    this.#view = view
    this.#inventory = inventory
  }

  of(address: AddressKey, atMs: number, point?: RemotePoint): Identity {
    const { pods, services, nodes, hostPorts } = this.#view
    const pod = pods.at(address, atMs)
    if (pod) return pod
    const service = services.at(address, point)
    if (service && !nodes.at(address)) return service
    const rest = this.#restOf(address, atMs)
    if (rest.class !== 'node' || !point) return rest
    return services.atNode(address, point) ?? hostPorts.at(address, atMs, rest, point) ?? rest
  }

  /** To be called when an answer may differ from the one before. */
  forget(): void {
    this.#rests.clear()
  }

  #restOf(address: AddressKey, atMs: number): Identity {
    if (!this.#view.knowsPodAt(address, atMs)) return this.#find(address, false)
    const known = this.#rests.get(address)
    if (known) return known
    if (this.#rests.size >= MOST_RESTS) this.#rests.clear()
    const rest = this.#find(address, true)
    this.#rests.set(address, rest)
    return rest
  }

  #find(address: AddressKey, knowsPods: boolean): Identity {
    const { services, nodes } = this.#view
    return (
      nodes.at(address) ??
      services.endpointAt(address) ??
      this.#inventory.owner(address) ??
      nodes.inPodBlock(address, knowsPods) ??
      this.#inventory.block(address)
    )
  }
}
