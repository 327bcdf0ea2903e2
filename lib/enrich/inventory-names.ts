// Names from an inventory: who a pod is, and who has an address.
import type { Identity, Workload } from '../aggregate/identity.ts'
import { type AddressKey, keyBytes, parseAddressKey } from '../capture/address.ts'
import type { Inventory, InventoryPod, InventoryService, InventoryWorkload } from '../config/inventory.ts'
import { AddressBlocks } from './address-blocks.ts'
import type { OwnPod, PodNames } from './pod-names.ts'
import type { PodScope, ScopedPod } from './pod-scope.ts'

const noPorts: ReadonlySet<string> = new Set()

/** An end that an inventory says the same about before and after is the same object, so that its edges go on. */
export class InventoryNames implements PodNames {
  readonly #scope: PodScope | undefined
  #version = 0
  #nodeAddresses: readonly string[]
  #ends = new Map<string, Identity>()
  #owners = new Map<AddressKey, Identity>()
  #pods = new Map<string, Identity>()
  #podsByUid = new Map<string, Identity>()
  #blocks!: AddressBlocks

  /** Without an inventory a pod is called as its network namespace is; without a scope every pod is in it. */
  constructor(inventory: Inventory | undefined, nodeAddresses: readonly string[], scope?: PodScope) {
    this.#scope = scope
    this.#nodeAddresses = nodeAddresses
    this.replace(inventory)
  }

  get version(): number {
    return this.#version
  }

  replace(inventory: Inventory | undefined, nodeAddresses: readonly string[] = this.#nodeAddresses): void {
    this.#nodeAddresses = nodeAddresses
    const before = this.#ends
    const ends = new Map<string, Identity>()
    const intern = (identity: Identity) => {
      const key = keyOf(identity)
      const known = ends.get(key) ?? before.get(key) ?? identity
      ends.set(key, known)
      return known
    }
    this.#ends = ends
    this.#blocks = new AddressBlocks(inventory?.cidrs ?? [], intern)
    this.#pods = new Map()
    this.#podsByUid = new Map()
    this.#owners = new Map()
    for (const pod of inventory?.pods ?? [])
      this.#addPod(pod, intern(this.#scoped(podIdentity(pod, inventory!.services), pod)))
    // A host-network pod owns no address: what comes from there is the node.
    const node = intern({ class: 'node', name: 'node', ports: noPorts })
    for (const address of nodeAddresses) this.#own(address, node)
    // kube-proxy in IPVS mode and node-local DNS bind Service addresses to devices of the node.
    for (const service of inventory?.services ?? []) {
      const identity = intern(serviceIdentity(service))
      for (const address of service.addresses) this.#own(address, identity)
    }
    this.#version++
  }

  /** An inventory file has no history: `atMs` makes no difference. */
  remote(address: AddressKey, _atMs: number): Identity {
    return this.owner(address) ?? this.block(address)
  }

  /** The pod, Service or node that has it. */
  owner(address: AddressKey): Identity | undefined {
    return this.#owners.get(address)
  }

  /** Whose address it is when nobody has it. */
  block(address: AddressKey): Identity {
    return this.#blocks.identify(keyBytes(address))
  }

  /** `namespace/name` of a pod in the inventory, or a network namespace's name where there is none. */
  local(podKey: string): Identity {
    const known = this.#pods.get(podKey)
    if (known) return known
    const identity = this.#scoped({ class: 'pod', name: podKey, ports: noPorts }, {})
    const key = keyOf(identity)
    const end = this.#ends.get(key) ?? identity
    this.#ends.set(key, end)
    return end
  }

  #scoped(identity: Identity, pod: ScopedPod): Identity {
    return this.#scope?.has(pod) === false ? { ...identity, outOfScope: true } : identity
  }

  /** The pod of that UID; it goes by the UID alone where the inventory has none of it. */
  pod(uid: string): Identity {
    return this.#podsByUid.get(uid) ?? this.local(uid)
  }

  /** Whose interface it is that nobody is known to own yet. */
  get unknown(): Identity {
    return this.#blocks.identify(undefined)
  }

  /** A file is read at once. */
  async hear(): Promise<void> {}

  serviceName(): undefined {}

  ownPods(): readonly OwnPod[] {
    return []
  }

  #addPod(pod: InventoryPod, identity: Identity): void {
    if (pod.uid !== undefined) this.#podsByUid.set(pod.uid, identity)
    this.#pods.set(podKey(pod), identity)
    for (const address of pod.addresses) this.#own(address, identity)
  }

  #own(address: string, identity: Identity): void {
    const key = parseAddressKey(address)
    if (key !== undefined) this.#owners.set(key, identity)
  }
}

export function podKey(pod: { readonly namespace: string; readonly name: string }): string {
  return `${pod.namespace}/${pod.name}`
}

function podIdentity(pod: InventoryPod, services: readonly InventoryService[]): Identity {
  const workload = workloadOf(pod.namespace, pod.workload)
  const { namespace, name, uid, node } = pod
  return {
    class: 'pod',
    workload,
    pod: { namespace, name, ...(uid !== undefined && { uid }), ...(node !== undefined && { node }), workload },
    ports: new Set([...pod.ports, ...services.filter(each => isBehind(pod, each)).flatMap(targetPorts)]),
  }
}

function serviceIdentity(service: InventoryService): Identity {
  const { namespace, name, workload, ports } = service
  return {
    class: 'service',
    ...(workload && { workload: workloadOf(namespace, workload) }),
    service: { namespace, name },
    ports: new Set(ports.map(each => `${each.protocol}/${each.port}`)),
  }
}

function isBehind(pod: InventoryPod, { namespace, workload }: InventoryService): boolean {
  return pod.namespace === namespace && pod.workload.kind === workload?.kind && pod.workload.name === workload.name
}

function targetPorts(service: InventoryService): string[] {
  return service.ports.map(each => `${each.protocol}/${each.target}`)
}

function workloadOf(namespace: string, { kind, name }: InventoryWorkload): Workload {
  return { namespace, kind, name }
}

/** Equal for two identities that say the same. */
function keyOf({ ports, ...rest }: Identity): string {
  return JSON.stringify([
    rest.class,
    rest.workload,
    rest.pod,
    rest.service,
    rest.name,
    rest.outOfScope,
    rest.foundBy,
    [...ports].sort(),
  ])
}
