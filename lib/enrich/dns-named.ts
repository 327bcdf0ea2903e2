// Names with those learnt from DNS beside them: for what is known as nothing but external or unknown.
import type { FailureCause } from '../aggregate/failure-cause.ts'
import type { Identity, Names, RemotePoint } from '../aggregate/identity.ts'
import { type AddressKey, formatKey } from '../capture/address.ts'
import type { DnsNames } from './dns-names.ts'

/** Identities that are kept, so that the same name is the same object; a new one in its place has the same edges. */
const IDENTITIES_LIMIT = 16_384
const noPorts: ReadonlySet<string> = new Set()

export class DnsNamed implements Names {
  readonly #names: Names
  readonly #dns: DnsNames
  #identities = new Map<string, Identity>()

  constructor(names: Names, dns: DnsNames) {
    this.#names = names
    this.#dns = dns
  }

  get version(): number {
    return this.#names.version + this.#dns.version
  }

  remote(address: AddressKey, atMs: number, point?: RemotePoint): Identity {
    const known = this.#names.remote(address, atMs, point)
    if (!point || !isNameless(known)) return known
    const name = this.#dns.nameOf(point.interfaceSlot, formatKey(address), atMs)
    return name === undefined ? known : this.#identityOf(known, name)
  }

  failureCause(address: AddressKey, sinceMs: number, point: RemotePoint): FailureCause | undefined {
    return this.#names.failureCause?.(address, sinceMs, point)
  }

  #identityOf(known: Identity, name: string): Identity {
    const key = `${known.class} ${name}`
    const given = this.#identities.get(key)
    if (given) return given
    if (this.#identities.size >= IDENTITIES_LIMIT) this.#identities = new Map()
    const identity: Identity = { class: known.class, name, ports: noPorts, foundBy: 'dns' }
    this.#identities.set(key, identity)
    return identity
  }
}

/** Nobody knows more of it than in which block of addresses it is. */
function isNameless(identity: Identity): boolean {
  if (identity.workload || identity.pod || identity.service || identity.outOfScope) return false
  if (identity.class !== 'external' && identity.class !== 'unknown') return false
  return identity.foundBy === 'cidr' || identity.name === undefined || identity.name === identity.class
}
