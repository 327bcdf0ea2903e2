// What pods have learnt from DNS: which name an address was the answer for, of each pod apart and for how long.
import { isPlainName } from '../aggregate/dns-suffix.ts'

const LEAST_TTL_MS = 30_000
const LONGEST_TTL_MS = 3_600_000
/** Connections begin after their name's time is over: pools and caches keep addresses. */
const GRACE_MS = 300_000
const NAMES_OF_POD = 256
const ADDRESSES_OF_POD = 1024
const ADDRESSES_LIMIT = 65_536
/** Names that one address was the answer for, the newest ones. */
const NAMES_OF_ADDRESS = 4
/** Flows and messages have their wall clock from two readings of it. */
const CLOCK_ERROR_MS = 50
/** Addresses that were asked for in vain. */
const MISSED_LIMIT = 4096

/** What these say must be what they mean. */
const RESERVED = new Set(['external', 'node', 'unknown'])

interface Learnt {
  readonly name: string
  readonly fromMs: number
  untilMs: number
}

class PodNames {
  /** The least recently used first; the newest name last. */
  readonly addresses = new Map<string, Learnt[]>()
  /** Addresses of each name; the least recently learnt name first. */
  readonly names = new Map<string, Set<string>>()

  forgetName(name: string): void {
    for (const address of this.names.get(name) ?? []) {
      const left = (this.addresses.get(address) ?? []).filter(each => each.name !== name)
      if (left.length === 0) this.addresses.delete(address)
      else this.addresses.set(address, left)
    }
    this.names.delete(name)
  }

  forgetAddress(address: string): void {
    for (const { name } of this.addresses.get(address) ?? []) this.#unlink(name, address)
    this.addresses.delete(address)
  }

  /** The address is no longer an answer for the name. */
  unlearn(address: string, { name }: Learnt): void {
    if (!this.addresses.get(address)?.some(each => each.name === name)) this.#unlink(name, address)
  }

  #unlink(name: string, address: string): void {
    const addresses = this.names.get(name)
    addresses?.delete(address)
    if (addresses?.size === 0) this.names.delete(name)
  }
}

/** All times: wall clock, ms since 1970. */
export class DnsNames {
  /** By interface slot; the one that learnt last is the last. */
  readonly #pods = new Map<number, PodNames>()
  /** Newest time that a name was wanted for and not there, by interface slot and address. */
  readonly #missed = new Map<string, number>()
  #addresses = 0
  #version = 0

  /** Raised by 1 when what was learnt names a flow that was asked for before. */
  get version(): number {
    return this.#version
  }

  /** Addresses that have a name now. */
  get size(): number {
    return this.#addresses
  }

  /** The pod at this interface has asked for `name`, and these are its addresses. A name that nobody could print is not learnt. */
  learn(interfaceSlot: number, name: string, addresses: readonly string[], ttlSeconds: number, atMs: number): void {
    if (!isPlainName(name) || RESERVED.has(name)) return
    const ttlMs = Math.min(Math.max(ttlSeconds * 1000, LEAST_TTL_MS), LONGEST_TTL_MS)
    const pod = this.#podOf(interfaceSlot)
    const before = pod.addresses.size
    // Learnt again it is the newest.
    const known = pod.names.get(name)
    pod.names.delete(name)
    pod.names.set(name, known ?? new Set())
    for (const address of addresses) {
      this.#learn(pod, name, address, atMs, atMs + ttlMs + GRACE_MS)
      this.#tellMissed(interfaceSlot, address, atMs)
    }
    if (pod.names.get(name)!.size === 0) pod.names.delete(name)
    trim(pod)
    this.#addresses += pod.addresses.size - before
    this.#trimAll()
  }

  /** What the pod at this interface called the address when it asked last before that time. */
  nameOf(interfaceSlot: number, address: string, atMs: number): string | undefined {
    const pod = this.#pods.get(interfaceSlot)
    const learnt = pod?.addresses.get(address)
    const found = learnt?.findLast(each => each.fromMs <= atMs + CLOCK_ERROR_MS && each.untilMs >= atMs)
    if (!pod || !learnt || !found) {
      this.#miss(interfaceSlot, address, atMs)
      return undefined
    }
    pod.addresses.delete(address)
    pod.addresses.set(address, learnt)
    return found.name
  }

  /** The interface's number may be given to another pod's. */
  forget(interfaceSlot: number): void {
    this.#addresses -= this.#pods.get(interfaceSlot)?.addresses.size ?? 0
    this.#pods.delete(interfaceSlot)
    for (const key of this.#missed.keys()) if (key.startsWith(`${interfaceSlot} `)) this.#missed.delete(key)
  }

  #podOf(interfaceSlot: number): PodNames {
    const pod = this.#pods.get(interfaceSlot) ?? new PodNames()
    this.#pods.delete(interfaceSlot)
    this.#pods.set(interfaceSlot, pod)
    return pod
  }

  #learn(pod: PodNames, name: string, address: string, fromMs: number, untilMs: number): void {
    const learnt = pod.addresses.get(address) ?? []
    pod.addresses.delete(address)
    pod.addresses.set(address, learnt)
    pod.names.get(name)!.add(address)
    const newest = learnt.at(-1)
    if (newest?.name === name && newest.untilMs >= fromMs) {
      newest.untilMs = Math.max(newest.untilMs, untilMs)
      return
    }
    learnt.push({ name, fromMs, untilMs })
    if (learnt.length > NAMES_OF_ADDRESS) pod.unlearn(address, learnt.shift()!)
  }

  #miss(interfaceSlot: number, address: string, atMs: number): void {
    const key = `${interfaceSlot} ${address}`
    this.#missed.delete(key)
    this.#missed.set(key, atMs)
    if (this.#missed.size > MISSED_LIMIT) this.#missed.delete(first(this.#missed))
  }

  #tellMissed(interfaceSlot: number, address: string, fromMs: number): void {
    const key = `${interfaceSlot} ${address}`
    const missedMs = this.#missed.get(key)
    if (missedMs === undefined || fromMs > missedMs + CLOCK_ERROR_MS) return
    this.#missed.delete(key)
    this.#version++
  }

  /** Of all pods together: the one that has not learnt for longest gives way. */
  #trimAll(): void {
    while (this.#addresses > ADDRESSES_LIMIT) this.forget(first(this.#pods))
  }
}

function trim(pod: PodNames): void {
  while (pod.names.size > NAMES_OF_POD) pod.forgetName(first(pod.names))
  while (pod.addresses.size > ADDRESSES_OF_POD) pod.forgetAddress(first(pod.addresses))
}

/** Of a map that is not empty. */
function first<Key>(map: ReadonlyMap<Key, unknown>): Key {
  return map.keys().next().value!
}
