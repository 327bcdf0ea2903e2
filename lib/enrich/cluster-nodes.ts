// The nodes of a cluster: their addresses, where they are, and which of their blocks an address without a pod is from.
import type { Identity, Place } from '../aggregate/identity.ts'
import { type AddressKey, type Cidr, keyBytes, parseAddressKeys, parseCidr } from '../capture/address.ts'
import type { ClusterNode } from '../kubernetes/cluster-objects.ts'

const noPorts: ReadonlySet<string> = new Set()

interface NodeRecord {
  readonly uid: string
  readonly addresses: readonly AddressKey[]
  readonly cidrs: readonly Cidr[]
  readonly place: Place
  /** What comes from the node itself. */
  readonly node: Identity
  /** An address of its pods' block that may be the node's own. */
  readonly guessedNode: Identity
  /** An address of its pods' block, where nobody knows its pods. */
  readonly guessedPod: Identity
}

export class ClusterNodes {
  readonly #gateways: ReadonlySet<AddressKey>
  readonly #records = new Map<string, NodeRecord>()
  readonly #byAddress = new Map<AddressKey, NodeRecord>()
  readonly #places = new Map<string, Place>()
  /** By family and prefix length, longest first; then by network. */
  #blocks: readonly (readonly [Pick<Cidr, 'prefixLength'> & { bytes: number }, ReadonlyMap<string, NodeRecord>])[] = []
  #areBlocksOld = false

  /** `gateways`: next hops of this node's routes, which are no pod's. */
  constructor(gateways: readonly string[]) {
    this.#gateways = new Set(parseAddressKeys(gateways))
  }

  /** Where pods of that node are: one object, until the node says something else. */
  placeOf(node: string): Place {
    const known = this.#places.get(node)
    if (known) return known
    const place = { node }
    this.#places.set(node, place)
    return place
  }

  /** True when answers may differ. */
  changed(node: ClusterNode): boolean {
    const before = this.#records.get(node.uid)
    const place = this.#place(node)
    const addresses = parseAddressKeys(node.addresses)
    const isSame =
      before &&
      before.place === place &&
      sameList(before.addresses, addresses) &&
      sameList(before.cidrs.map(textOf), textsOf(node.podCidrs))
    if (isSame) return false
    if (before) this.#remove(before)
    const named = { name: 'node', ports: noPorts, place } as const
    const record: NodeRecord = {
      uid: node.uid,
      addresses,
      cidrs: cidrsOf(node.podCidrs),
      place,
      node: { class: 'node', ...named },
      guessedNode: { class: 'node', ...named, foundBy: 'guessed' },
      guessedPod: { class: 'pod', name: 'unknown', ports: noPorts, place, foundBy: 'guessed' },
    }
    this.#records.set(node.uid, record)
    for (const address of record.addresses) this.#byAddress.set(address, record)
    this.#areBlocksOld = true
    return true
  }

  deleted(uid: string): boolean {
    const record = this.#records.get(uid)
    if (!record) return false
    this.#remove(record)
    this.#records.delete(uid)
    return true
  }

  /** Forgets where nodes were that are gone. */
  sweep(needed: ReadonlySet<Place | undefined>): void {
    const places = new Set<Place | undefined>([...needed, ...[...this.#records.values()].map(({ place }) => place)])
    for (const [name, place] of this.#places) if (!places.has(place)) this.#places.delete(name)
  }

  uids(): Iterable<string> {
    return this.#records.keys()
  }

  get size(): number {
    return this.#records.size
  }

  has(uid: string): boolean {
    return this.#records.has(uid)
  }

  /** The node that has the address. */
  at(address: AddressKey): Identity | undefined {
    return this.#byAddress.get(address)?.node
  }

  /** What is in the block of a node's pods, and no known pod's. */
  inPodBlock(address: AddressKey, knowsPods: boolean): Identity | undefined {
    if (this.#blocksNow.length === 0) return undefined
    const bytes = keyBytes(address)
    for (const [{ prefixLength, bytes: length }, networks] of this.#blocksNow) {
      if (length !== bytes.length) continue
      const record = networks.get(networkKey(bytes, prefixLength))
      if (record) return knowsPods ? record.node : this.#guess(record, bytes, prefixLength, address)
    }
    return undefined
  }

  /**
   * Where pods are known, what is no pod's is one of the node's bridges or tunnels. Where they are not, only the two
   * first addresses and those that routes name are taken for these: what is doubtful is exported.
   */
  #guess(record: NodeRecord, bytes: Uint8Array, prefixLength: number, address: AddressKey): Identity {
    const isNode = hostPart(bytes, prefixLength) <= 1 || this.#gateways.has(address)
    return isNode ? record.guessedNode : record.guessedPod
  }

  get #blocksNow() {
    if (!this.#areBlocksOld) return this.#blocks
    this.#areBlocksOld = false
    const found = new Map<string, readonly [{ prefixLength: number; bytes: number }, Map<string, NodeRecord>]>()
    for (const record of this.#records.values())
      for (const { network, prefixLength } of record.cidrs) {
        const key = `${network.length} ${prefixLength}`
        const block = found.get(key) ?? ([{ prefixLength, bytes: network.length }, new Map()] as const)
        found.set(key, block)
        block[1].set(networkKey(network, prefixLength), record)
      }
    this.#blocks = [...found.values()].sort(([a], [b]) => b.prefixLength - a.prefixLength)
    return this.#blocks
  }

  #place({ name, zone, region }: ClusterNode): Place {
    const known = this.#places.get(name)
    if (known && known.zone === zone && known.region === region) return known
    const place = { node: name, ...(zone !== undefined && { zone }), ...(region !== undefined && { region }) }
    this.#places.set(name, place)
    return place
  }

  /** Its place stays: pods of a node that is gone are still there for a while. */
  #remove(record: NodeRecord): void {
    for (const address of record.addresses) if (this.#byAddress.get(address) === record) this.#byAddress.delete(address)
    this.#areBlocksOld = true
  }
}

function cidrsOf(texts: readonly string[]): Cidr[] {
  return texts.flatMap(text => parseCidr(text) ?? [])
}

function textsOf(cidrs: readonly string[]): string[] {
  return cidrsOf(cidrs).map(textOf)
}

function textOf({ network, prefixLength }: Cidr): string {
  return `${network.join(' ')}/${prefixLength}`
}

function sameList<Value>(a: readonly Value[], b: readonly Value[]): boolean {
  return a.length === b.length && a.every((each, i) => each === b[i])
}

/** A character a byte. */
function networkKey(bytes: Uint8Array, prefixLength: number): string {
  const whole = prefixLength >> 3
  const rest = prefixLength & 7
  let key = ''
  for (let i = 0; i < whole; i++) key += String.fromCharCode(bytes[i]!)
  return rest === 0 ? key : key + String.fromCharCode(bytes[whole]! & (0xff00 >> rest))
}

/** The bits behind the prefix as a number; of long ones, whether they are small is all that is asked. */
function hostPart(bytes: Uint8Array, prefixLength: number): number {
  let value = 0
  for (let bit = prefixLength; bit < bytes.length * 8; bit++)
    value = value * 2 + ((bytes[bit >> 3]! >> (7 - (bit & 7))) & 1)
  return value
}
