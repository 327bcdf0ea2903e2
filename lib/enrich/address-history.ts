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
  /** A pod that is on its way out is not. */
  readonly isReady: boolean
}

interface Claim<Holder> {
  readonly holder: Holder
  /** The holder's creation: before it, it had no address. This and the others are relative to `#epochMs`. */
  readonly fromMs: number
  /** When we heard that the holder has the address, our clock: it got it before. */
  readonly seenMs: number
  /** When we heard that it has it no more, our clock: it lost it before. */
  endedMs: number | undefined
}

/** Claims of an address in the order of `fromMs`; most addresses have one. */
type Claims<Holder> = Claim<Holder> | Claim<Holder>[]

interface Ended<Holder> {
  readonly address: AddressKey
  readonly claim: Claim<Holder>
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
    this.#epochMs ||= Math.round(atMs)
    const seenMs = Math.round(atMs - this.#epochMs)
    const fromMs = Math.max(Math.round(Math.min(createdMs - this.#aheadMs, atMs) - this.#epochMs), LONG_AGO_MS)
    const claim: Claim<Holder> = { holder, fromMs, seenMs, endedMs: undefined }
    const before = this.#claims.get(address)
    this.#claims.set(address, before ? inOrder([...roomIn(listOf(before)), claim]) : claim)
  }

  /** Somebody else claims the address too, or did a short time ago. */
  isShared(address: AddressKey): boolean {
    return Array.isArray(this.#claims.get(address))
  }

  release(address: AddressKey, holder: Holder, atMs: number): void {
    const open = listOf(this.#claims.get(address)).find(each => each.holder === holder && each.endedMs === undefined)
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

  /** Who had the address when a flow started at `atMs`. Several: it can't be told which of them. */
  at(address: AddressKey, atMs: number): Holder | readonly Holder[] | undefined {
    const claims = this.#claims.get(address)
    if (claims === undefined) return undefined
    const sinceMs = atMs - this.#epochMs
    if (Array.isArray(claims)) return among(claims, sinceMs)
    return mayHave(claims, sinceMs) ? claims.holder : undefined
  }

  #drop(address: AddressKey, claim: Claim<Holder>): void {
    const left = listOf(this.#claims.get(address)).filter(each => each !== claim)
    if (left.length === 0) this.#claims.delete(address)
    else this.#claims.set(address, left.length === 1 ? left[0]! : left)
  }
}

/**
 * Who is over when the flow starts has it only if nobody else can. Of two that are not over the later one has it from
 * when we heard so: its node gave the address to it. Before that either may have it. A pod that goes on being ready with
 * an address that another one has too contradicts that: then nobody knows.
 */
function among<Holder extends AddressHolder>(
  claims: readonly Claim<Holder>[],
  atMs: number,
): Holder | readonly Holder[] | undefined {
  const possible = claims.filter(each => mayHave(each, atMs))
  const present = possible.filter(each => each.endedMs === undefined || each.endedMs > atMs)
  if (present.length === 0) return possible.at(-1)?.holder
  if (present.length === 1) return present[0]!.holder
  // Beside another one the time of creation is taken as it stands: the margin is for those who are alone.
  const candidates = present.filter(each => each.fromMs <= atMs)
  const newest = candidates.at(-1)
  if (!newest) return present[0]!.holder
  const others = candidates.filter(each => each.holder !== newest.holder)
  if (others.length === 0) return newest.holder
  const isDoubtful = newest.seenMs > atMs || others.some(each => each.endedMs === undefined && each.holder.isReady)
  return isDoubtful ? [...new Set(candidates.map(({ holder }) => holder))] : newest.holder
}

function mayHave<Holder>({ fromMs, endedMs }: Claim<Holder>, atMs: number): boolean {
  return atMs >= fromMs - CLOCKS_APART_MS && (endedMs === undefined || atMs <= endedMs + KEPT_MS)
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
