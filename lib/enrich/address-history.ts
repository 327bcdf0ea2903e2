// Who had an address at a time. Addresses are given again at once; flows are named by the time at which they started.

import type { AddressKey } from '../capture/address.ts'
import { type AddressHolder, type Claim, type Doubt, holderAmong, holderAt, KEPT_MS } from './address-claims.ts'
import { HeardTime } from './heard-time.ts'

/** Pods with one address: of more the earliest of those that are over are forgotten first. */
export const MOST_CLAIMS = 16
/** No flow is older. */
const LONG_AGO_MS = -(2 ** 30)

/** Claims of an address in the order of creation; most addresses have one. */
type Claims<Holder> = Claim<Holder> | Claim<Holder>[]

interface Ended<Holder> {
  readonly address: AddressKey
  readonly claim: Claim<Holder>
}

/** A claim as others may know it, too. Wall clock, ours. */
export interface KnownClaim<Holder> {
  readonly holder: Holder
  /** By the API server's clock. */
  readonly createdMs: number
  readonly seenMs: number
  readonly leavingMs?: number
  readonly endedMs?: number
}

export class AddressHistory<Holder extends AddressHolder> {
  /** What has been heard of holders that others tell us of. */
  heard = new HeardTime()
  readonly #claims = new Map<AddressKey, Claims<Holder>>()
  /** In the order in which they ended. */
  #ended: Ended<Holder>[] = []
  #endedHolders = new Set<Holder>()
  /** `aheadMs`: by so much objects were seen before they were created. Other times are since `#epochMs`. */
  readonly #times = {
    ...{ aheadMs: 0, heardUntilMs: Number.POSITIVE_INFINITY },
    gapEnd: (sinceMs: number) => {
      const endMs = this.heard.gapEnd(this.#epochMs + sinceMs)
      return endMs === undefined ? undefined : endMs - this.#epochMs
    },
  }
  /** Near the others, so that each of them takes no more room than a small number does. */
  #epochMs = 0

  /** Addresses that are, or were, somebody's. */
  get size(): number {
    return this.#claims.size
  }

  /** `createdMs`: by the API server's clock; `atMs`: when we heard that the holder has the address, by ours. */
  claim(address: AddressKey, holder: Holder, createdMs: number, atMs: number): void {
    this.#beginAt(atMs)
    this.#add(address, this.#claim(holder, createdMs, atMs))
  }

  /** Somebody else claims the address too, or did a short time ago. */
  isShared(address: AddressKey): boolean {
    return Array.isArray(this.#claims.get(address))
  }

  /** The holder is to go, and its address with it. */
  leave(address: AddressKey, holder: Holder, atMs: number): void {
    const open = this.#openClaim(address, holder)
    if (open) open.leavingMs ??= this.#since(atMs)
  }

  /** `sinceMs`: where words come late, when it can have lost it at the earliest. */
  release(address: AddressKey, holder: Holder, atMs: number, sinceMs = atMs): void {
    const open = this.#openClaim(address, holder)
    if (!open) return
    if (sinceMs < atMs) open.leavingMs ??= this.#since(sinceMs)
    this.#end(address, open, this.#since(atMs))
  }

  /** Drops what ended long ago. */
  forget(nowMs: number): void {
    const kept = this.#ended.findIndex(({ claim }) => nowMs - this.#epochMs - claim.endedMs! <= KEPT_MS)
    const over = kept === -1 ? this.#ended : this.#ended.slice(0, kept)
    if (over.length === 0) return
    this.#ended = kept === -1 ? [] : this.#ended.slice(kept)
    this.#endedHolders = new Set(this.#ended.map(({ claim }) => claim.holder))
    for (const { address, claim } of over) this.#keep(address, each => each !== claim)
  }

  /** Who had the address when a flow started at `atMs`; `undefined`: nobody that we know of. */
  at(address: AddressKey, atMs: number): Holder | Doubt<Holder> | undefined {
    const claims = this.#claims.get(address)
    if (claims === undefined) return undefined
    const sinceMs = atMs - this.#epochMs
    this.#times.heardUntilMs = this.heard.untilMs - this.#epochMs
    return Array.isArray(claims) ? holderAmong(claims, sinceMs, this.#times) : holderAt(claims, sinceMs, this.#times)
  }

  /** It is, or was a short time ago, somebody's. */
  has(address: AddressKey): boolean {
    return this.#claims.has(address)
  }

  /** In the order of creation, for others to know it, too. */
  of(address: AddressKey): KnownClaim<Holder>[] {
    const epochMs = this.#epochMs
    return listOf(this.#claims.get(address)).map(({ holder, createdMs, seenMs, leavingMs, endedMs }) => ({
      holder,
      createdMs: epochMs + createdMs,
      seenMs: epochMs + seenMs,
      ...(leavingMs !== undefined && { leavingMs: epochMs + leavingMs }),
      ...(endedMs !== undefined && { endedMs: epochMs + endedMs }),
    }))
  }

  /** Of those who were there by then, the last one that claims the address. */
  lastBy(address: AddressKey, atMs: number): KnownClaim<Holder> | undefined {
    return this.of(address).findLast(({ createdMs }) => createdMs - this.#times.aheadMs <= atMs)
  }

  /** Who has, or had, one of the addresses. */
  holders(): ReadonlySet<Holder> {
    return new Set([...this.#claims.values()].flatMap(claims => listOf(claims).map(({ holder }) => holder)))
  }

  /** Addresses that the holder had a short time ago. */
  lastOf(holder: Holder): AddressKey[] {
    if (!this.#endedHolders.has(holder)) return []
    return this.#ended.filter(({ claim }) => claim.holder === holder).map(({ address }) => address)
  }

  /**
   * Everything that others know of the address. Who they do not know any more went after what was heard last;
   * what we heard ourselves stays.
   */
  told(address: AddressKey, told: readonly KnownClaim<Holder>[], nowMs: number): void {
    this.#beginAt(nowMs)
    const before = listOf(this.#claims.get(address)).filter(({ holder }) => holder.isTold)
    const kept = new Set<Claim<Holder>>()
    for (const each of told) {
      const known = before.filter(claim => claim.holder === each.holder && !kept.has(claim))
      const same = each.endedMs === undefined ? (known.find(isOpen) ?? known.at(-1)) : known[0]
      kept.add(this.#merge(address, same, each))
    }
    const goneMs = this.#since(nowMs)
    for (const claim of before) {
      if (kept.has(claim) || claim.endedMs !== undefined) continue
      claim.leavingMs ??= Math.min(goneMs, this.#since(this.heard.untilMs))
      this.#end(address, claim, goneMs)
    }
  }

  /** Whatever others have told of it. */
  untell(address: AddressKey): void {
    this.#keep(address, ({ holder }) => !holder.isTold)
  }

  /** The earlier of two words is the surer one, of what somebody has as of what it may have lost. */
  #merge(address: AddressKey, known: Claim<Holder> | undefined, told: KnownClaim<Holder>): Claim<Holder> {
    const leavingMs = told.leavingMs === undefined ? undefined : this.#since(told.leavingMs)
    const endedMs = told.endedMs === undefined ? undefined : this.#since(told.endedMs)
    const claim = known ?? this.#claim(told.holder, told.createdMs, told.seenMs)
    if (!known) this.#add(address, claim)
    claim.seenMs = Math.min(claim.seenMs, this.#since(told.seenMs))
    // That it was to go was what we made of its end, and that was none.
    const isBack = endedMs === undefined && claim.endedMs !== undefined
    claim.leavingMs = isBack ? leavingMs : earlier(claim.leavingMs, leavingMs)
    if (isBack) this.#reopen(claim)
    else if (endedMs !== undefined && claim.endedMs === undefined) this.#end(address, claim, endedMs)
    return claim
  }

  /** It was taken for gone because somebody had not heard of it yet. */
  #reopen(claim: Claim<Holder>): void {
    claim.endedMs = undefined
    this.#ended = this.#ended.filter(each => each.claim !== claim)
  }

  #end(address: AddressKey, claim: Claim<Holder>, endedMs: number): void {
    claim.endedMs = endedMs
    this.#ended.push({ address, claim })
    this.#endedHolders.add(claim.holder)
  }

  #add(address: AddressKey, claim: Claim<Holder>): void {
    const before = this.#claims.get(address)
    this.#claims.set(address, before ? inOrder([...roomIn(listOf(before)), claim]) : claim)
  }

  #openClaim(address: AddressKey, holder: Holder): Claim<Holder> | undefined {
    return listOf(this.#claims.get(address)).find(each => each.holder === holder && isOpen(each))
  }

  #keep(address: AddressKey, isKept: (claim: Claim<Holder>) => boolean): void {
    const left = listOf(this.#claims.get(address)).filter(isKept)
    if (left.length === 0) this.#claims.delete(address)
    else this.#claims.set(address, left.length === 1 ? left[0]! : left)
  }

  #claim(holder: Holder, createdMs: number, seenMs: number): Claim<Holder> {
    this.#times.aheadMs = Math.max(this.#times.aheadMs, createdMs - seenMs)
    const sinceMs = Math.max(this.#since(createdMs), LONG_AGO_MS)
    return { holder, createdMs: sinceMs, seenMs: this.#since(seenMs), leavingMs: undefined, endedMs: undefined }
  }

  #beginAt(atMs: number): void {
    if (this.#claims.size === 0) this.#epochMs = Math.round(atMs)
  }

  #since(atMs: number): number {
    return Math.round(atMs - this.#epochMs)
  }
}

function isOpen<Holder>({ endedMs }: Claim<Holder>): boolean {
  return endedMs === undefined
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b)
}

function inOrder<Holder>(claims: Claim<Holder>[]): Claim<Holder>[] {
  return claims.sort((a, b) => a.createdMs - b.createdMs || a.seenMs - b.seenMs)
}

function roomIn<Holder>(claims: readonly Claim<Holder>[]): readonly Claim<Holder>[] {
  if (claims.length < MOST_CLAIMS) return claims
  const over = claims.find(({ endedMs }) => endedMs !== undefined) ?? claims[0]
  return claims.filter(each => each !== over)
}

function listOf<Holder>(claims: Claims<Holder> | undefined): readonly Claim<Holder>[] {
  if (claims === undefined) return []
  return Array.isArray(claims) ? claims : [claims]
}
