// Which pod a namespace belongs to when its processes can't be seen: the only one that may have its addresses.

export interface AddressedPod {
  /** Names it for good: a later pod of the same name has another. */
  readonly key: string
  readonly addresses: readonly string[]
  /** Wall clock, ms since 1970. */
  readonly createdMs?: number
}

export interface AddressedNamespace {
  /** Names it for good. */
  readonly key: string
  readonly addresses: readonly string[]
  /** Wall clock, ms since 1970; absent: it was there before the agent looked for the first time. */
  readonly appearedMs?: number
}

/**
 * A namespace is bound once, and stays bound as long as it is there. A pod that was listed with the address before
 * the namespace appeared, and was not created after it, had the address before: it may be a pod that is gone and whose
 * record is not. Two that qualify are nobody until one of them is gone.
 */
export class AddressBinding {
  /** When a pod was listed first, by its key and address. */
  readonly #listedMs = new Map<string, number>()
  /** Pod by namespace. */
  readonly #bound = new Map<string, string>()

  isBound(namespaceKey: string): boolean {
    return this.#bound.has(namespaceKey)
  }

  /** The pods that `namespaces` are bound to now, by keys of both. To be called with all that are there. */
  bind(
    namespaces: readonly AddressedNamespace[],
    pods: readonly AddressedPod[],
    nowMs: number,
  ): ReadonlyMap<string, string> {
    this.#forget(namespaces, pods)
    for (const place of placesOf(pods)) if (!this.#listedMs.has(place)) this.#listedMs.set(place, nowMs)
    const taken = new Set(this.#bound.values())
    const free = namespaces.filter(({ key }) => !this.#bound.has(key))
    for (const namespace of free) {
      // Two with one address: whose pod it is can't be told.
      if (free.some(other => other !== namespace && shares(other, namespace))) continue
      const candidates = pods.filter(pod => !taken.has(pod.key) && this.#mayOwn(pod, namespace))
      if (candidates.length === 1) this.#bound.set(namespace.key, candidates[0]!.key)
    }
    return this.#bound
  }

  #mayOwn(pod: AddressedPod, { addresses, appearedMs }: AddressedNamespace): boolean {
    const common = pod.addresses.filter(address => addresses.includes(address))
    if (common.length === 0) return false
    if (appearedMs === undefined || (pod.createdMs ?? Number.NEGATIVE_INFINITY) >= appearedMs) return true
    return common.some(address => this.#listedMs.get(placeOf(pod, address))! >= appearedMs)
  }

  #forget(namespaces: readonly AddressedNamespace[], pods: readonly AddressedPod[]): void {
    const present = new Set(namespaces.map(({ key }) => key))
    for (const key of this.#bound.keys()) if (!present.has(key)) this.#bound.delete(key)
    const listed = new Set(placesOf(pods))
    for (const place of this.#listedMs.keys()) if (!listed.has(place)) this.#listedMs.delete(place)
  }
}

function shares(a: AddressedNamespace, b: AddressedNamespace): boolean {
  return a.addresses.some(address => b.addresses.includes(address))
}

function placeOf({ key }: AddressedPod, address: string): string {
  return `${address} ${key}`
}

function placesOf(pods: readonly AddressedPod[]): string[] {
  return pods.flatMap(pod => pod.addresses.map(address => placeOf(pod, address)))
}
