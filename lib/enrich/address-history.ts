// Who had an address at a time. Addresses are given again at once; flows are named by the time at which they started.

import type { AddressKey } from '../capture/address.ts'

/** A pod that is gone keeps its addresses for so long, unless another pod has them: flows are told after they end. */
const KEPT_MS = 300_000
/** Between an object's creation by the API server's clock and the flows of ours, where nobody else claims the address. */
const CLOCKS_APART_MS = 5_000
/** Pods with one address: of more the earliest of those that are over are forgotten first. */
const MOST_CLAIMS = 16
/** No flow is older. */
const LONG_AGO_MS = -(2 ** 30)

export interface AddressHolder {
  readonly isReady: boolean
}

/** Times are relative to `#epochMs`. */
interface Claim<Holder> {
  readonly holder: Holder
  /** The holder's creation: before it, it had no address. */
  readonly fromMs: number
  /** When we heard that the holder has the address: it got it before. */
  readonly seenMs: number
  /** When we heard that the holder is to go: until then the address was nobody else's. */
  leavingMs: number | undefined
  /** When we heard that it has the address no more: it lost it before. */
  endedMs: number | undefined
}

/** Claims of an address in the order of `fromMs`; most addresses have one. */
type Claims<Holder> = Claim<Holder> | Claim<Holder>[]

interface Ended<Holder> {
  readonly address: AddressKey
  readonly claim: Claim<Holder>
}

/** It was a pod's, and which pod's can't be told. */
export interface Doubt<Holder> {
  readonly candidates: readonly Holder[]
  /** One of these it was. false: or one that we have not heard of yet. */
  readonly areAll: boolean
}

export class AddressHistory<Holder extends AddressHolder> {
  readonly #claims = new Map<AddressKey, Claims<Holder>>()
  /** In the order in which they ended. */
  #ended: Ended<Holder>[] = []
  /** The API server's clock is ahead of ours by at least this: objects were seen before they were created. */
  #aheadMs = 0
  /** Near the others, so that each of them takes no more room than a small number does. */
  #epochMs = 0

  /** Addresses that are, or were, somebody's. */
  get size(): number {
    return this.#claims.size
  }

  /** `createdMs`: by the API server's clock; `atMs`: when we heard that the holder has the address, by ours. */
  claim(address: AddressKey, holder: Holder, createdMs: number, atMs: number): void {
    this.#aheadMs = Math.max(this.#aheadMs, createdMs - atMs)
    if (this.#claims.size === 0) this.#epochMs = Math.round(atMs)
    const seenMs = Math.round(atMs - this.#epochMs)
    const fromMs = Math.max(Math.round(Math.min(createdMs - this.#aheadMs, atMs) - this.#epochMs), LONG_AGO_MS)
    const claim: Claim<Holder> = { holder, fromMs, seenMs, leavingMs: undefined, endedMs: undefined }
    const before = this.#claims.get(address)
    this.#claims.set(address, before ? inOrder([...roomIn(listOf(before)), claim]) : claim)
  }

  /** Somebody else claims the address too, or did a short time ago. */
  isShared(address: AddressKey): boolean {
    return Array.isArray(this.#claims.get(address))
  }

  /** The holder is to go, and its address with it. */
  leave(address: AddressKey, holder: Holder, atMs: number): void {
    const open = this.#openClaim(address, holder)
    if (open) open.leavingMs ??= Math.round(atMs - this.#epochMs)
  }

  release(address: AddressKey, holder: Holder, atMs: number): void {
    const open = this.#openClaim(address, holder)
    if (!open) return
    open.endedMs = Math.round(atMs - this.#epochMs)
    this.#ended.push({ address, claim: open })
  }

  /** Drops what ended long ago. */
  forget(nowMs: number): void {
    const kept = this.#ended.findIndex(({ claim }) => nowMs - this.#epochMs - claim.endedMs! <= KEPT_MS)
    const over = kept === -1 ? this.#ended : this.#ended.slice(0, kept)
    if (over.length === 0) return
    this.#ended = kept === -1 ? [] : this.#ended.slice(kept)
    for (const { address, claim } of over) this.#drop(address, claim)
  }

  /** Who had the address when a flow started at `atMs`; `undefined`: nobody that we know of. */
  at(address: AddressKey, atMs: number): Holder | Doubt<Holder> | undefined {
    const claims = this.#claims.get(address)
    if (claims === undefined) return undefined
    const sinceMs = atMs - this.#epochMs
    if (Array.isArray(claims)) return among(claims, sinceMs)
    if (!mayHave(claims, sinceMs)) return undefined
    return mayHaveLost(claims, sinceMs) ? successorUnknown(claims) : claims.holder
  }

  #openClaim(address: AddressKey, holder: Holder): Claim<Holder> | undefined {
    return listOf(this.#claims.get(address)).find(each => each.holder === holder && each.endedMs === undefined)
  }

  #drop(address: AddressKey, claim: Claim<Holder>): void {
    const left = listOf(this.#claims.get(address)).filter(each => each !== claim)
    if (left.length === 0) this.#claims.delete(address)
    else this.#claims.set(address, left.length === 1 ? left[0]! : left)
  }
}

/**
 * Evidence, from the surest on: who was not to go yet when the flow started had the address, whoever came later; who was
 * over by then had it not, if there is another. What lies between, from a pod's creation to when we heard of its address
 * and from when it was to go to when we heard that it is over, is nobody's unless only one can have it.
 */
function among<Holder extends AddressHolder>(
  claims: readonly Claim<Holder>[],
  atMs: number,
): Holder | Doubt<Holder> | undefined {
  const possible = claims.filter(each => mayHave(each, atMs))
  const present = possible.filter(each => each.endedMs === undefined || each.endedMs > atMs)
  if (present.length === 0) return possible.length > 0 ? successorUnknown(possible.at(-1)!) : undefined
  const held = present.filter(each => each.seenMs <= atMs && !mayHaveLost(each, atMs))
  if (held.length > 1) return heardLast(held)
  // Who went without a word before may have been gone for as long as words take.
  const [holder] = held
  const mayHaveIt = present.some(each => each !== holder && each.fromMs <= atMs && !mayHaveLost(each, atMs))
  if (holder && (holder.leavingMs !== undefined || !mayHaveIt)) return holder.holder
  // Beside others the time of creation is taken as it stands: the margin is for who is alone.
  const candidates = present.length === 1 ? present : present.filter(each => each.fromMs <= atMs)
  const [only] = candidates
  if (!only) return undefined
  if (candidates.length > 1) return { candidates: holdersOf(candidates), areAll: true }
  return mayHaveLost(only, atMs) ? successorUnknown(only) : only.holder
}

/** Its node gave the address to the later one. That an earlier one goes on being ready with it contradicts that. */
function heardLast<Holder extends AddressHolder>(held: readonly Claim<Holder>[]): Holder | Doubt<Holder> {
  const last = held.at(-1)!.holder
  const contradicts = held.some(each => each.holder !== last && each.endedMs === undefined && each.holder.isReady)
  return contradicts ? { candidates: holdersOf(held), areAll: true } : last
}

function successorUnknown<Holder>(claim: Claim<Holder>): Doubt<Holder> {
  return { candidates: [claim.holder], areAll: false }
}

function holdersOf<Holder>(claims: readonly Claim<Holder>[]): Holder[] {
  return [...new Set(claims.map(({ holder }) => holder))]
}

function mayHave<Holder>({ fromMs, endedMs }: Claim<Holder>, atMs: number): boolean {
  return atMs >= fromMs - CLOCKS_APART_MS && (endedMs === undefined || atMs <= endedMs + KEPT_MS)
}

function mayHaveLost<Holder>({ leavingMs, endedMs }: Claim<Holder>, atMs: number): boolean {
  const sinceMs = leavingMs ?? endedMs
  return sinceMs !== undefined && atMs >= sinceMs
}

function inOrder<Holder>(claims: Claim<Holder>[]): Claim<Holder>[] {
  return claims.sort((a, b) => a.fromMs - b.fromMs || a.seenMs - b.seenMs)
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
