// Whose an address is: the steps of docs/names.md in their order.
import type { Identity, RemotePoint } from '../aggregate/identity.ts'
import type { AddressKey } from '../capture/address.ts'
import type { ClusterView, Knowledge } from './cluster-state.ts'
import type { InventoryNames } from './inventory-names.ts'

/** Answers for addresses outside of the cluster, which cost most to find. */
const MOST_RESTS = 65_536

export class RemoteOrder {
  readonly #view: ClusterView
  readonly #inventory: InventoryNames
  /** Whose an address is that is no pod's and no Service's. */
  readonly #rests: Readonly<Record<Knowledge, Map<AddressKey, Identity>>> = {
    all: new Map(),
    nodes: new Map(),
    little: new Map(),
  }

  constructor(view: ClusterView, inventory: InventoryNames) {
    this.#view = view
    this.#inventory = inventory
  }

  of(address: AddressKey, atMs: number, point?: RemotePoint): Identity {
    const { pods, services, nodes, hostPorts } = this.#view
    this.#view.used(address, atMs)
    const pod = pods.at(address, atMs)
    if (pod) return pod
    const service = services.at(address, point)
    if (service && !nodes.at(address)) return service
    const rest = this.#restOf(address, this.#view.knows(address, atMs))
    if (rest.class !== 'node' || !point) return rest
    return services.atNode(address, point) ?? hostPorts.at(address, atMs, rest, point) ?? rest
  }

  /** To be called when an answer may differ from the one before. */
  forget(): void {
    for (const each of Object.values(this.#rests)) each.clear()
  }

  #restOf(address: AddressKey, knowledge: Knowledge): Identity {
    const rests = this.#rests[knowledge]
    const known = rests.get(address)
    if (known) return known
    if (rests.size >= MOST_RESTS) rests.clear()
    const rest = this.#find(address, knowledge)
    rests.set(address, rest)
    return rest
  }

  #find(address: AddressKey, knowledge: Knowledge): Identity {
    const { services, nodes } = this.#view
    return (
      nodes.at(address) ??
      services.endpointAt(address) ??
      this.#inventory.owner(address) ??
      nodes.inPodBlock(address, knowledge === 'all') ??
      this.#block(address, knowledge)
    )
  }

  #block(address: AddressKey, knowledge: Knowledge): Identity {
    const block = this.#inventory.block(address)
    const isWorld = block.class === 'external' && block.name === 'external'
    return isWorld && knowledge === 'little' ? this.#inventory.unknown : block
  }
}
