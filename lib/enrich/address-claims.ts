// Whose an address was, by what those who claim it are known to have had and when.

/** A pod that is gone keeps its addresses for so long, unless another pod has them: flows are told after they end. */
export const KEPT_MS = 300_000
/** Between an object's creation by the API server's clock and the flows of ours, where nobody else claims the address. */
const CLOCKS_APART_MS = 5_000

export interface AddressHolder {
  readonly isReady: boolean
  /** Words of it come by way of somebody else, up to `heardUntilMs`. */
  readonly isTold?: boolean
}

/** Times are relative to one of the history's choice. */
export interface Claim<Holder> {
  readonly holder: Holder
  /** By the API server's clock: before it, it had no address. */
  createdMs: number
  /** When we heard that the holder has the address: it got it before. */
  seenMs: number
  /** When we heard that the holder is to go: until then the address was nobody else's. */
  leavingMs: number | undefined
  /** When we heard that it has the address no more: it lost it before. */
  endedMs: number | undefined
}

/** It was a pod's, and which pod's can't be told. */
export interface Doubt<Holder> {
  readonly candidates: readonly Holder[]
  /** One of these it was. false: or one that we have not heard of yet. */
  readonly areAll: boolean
}

export interface KnownTimes {
  /** The API server's clock is ahead of ours by at least this. */
  readonly aheadMs: number
  /** Of holders that others tell us of we have heard everything that came before. */
  readonly heardUntilMs: number
  /** When we heard again, of a time at which we did not; it has gone by. */
  gapEnd(atMs: number): number | undefined
}

type Answer<Holder> = Holder | Doubt<Holder> | undefined

export function holderAt<Holder extends AddressHolder>(
  claim: Claim<Holder>,
  atMs: number,
  times: KnownTimes,
): Answer<Holder> {
  if (!mayHave(claim, atMs, times)) return undefined
  return mayHaveLost(claim, atMs, times) || mayBeAnothers(claim, atMs, times) ? successorUnknown(claim) : claim.holder
}

/**
 * Evidence, from the surest on: who was not to go yet when the flow started had the address, whoever came later; who was
 * over by then had it not, if there is another. What lies between, from a pod's creation to when we heard of its address
 * and from when it was to go to when we heard that it is over, is nobody's unless only one can have it.
 */
export function holderAmong<Holder extends AddressHolder>(
  claims: readonly Claim<Holder>[],
  atMs: number,
  times: KnownTimes,
): Answer<Holder> {
  const possible = claims.filter(each => mayHave(each, atMs, times))
  const present = possible.filter(each => each.endedMs === undefined || each.endedMs > atMs)
  if (present.length === 0) return possible.length > 0 ? successorUnknown(possible.at(-1)!) : undefined
  const held = present.filter(each => each.seenMs <= atMs && !mayHaveLost(each, atMs, times))
  if (held.length > 1) return heardLast(held)
  // Who went without a word before may have been gone for as long as words take.
  const [holder] = held
  const mayHaveIt = present.some(
    each => each !== holder && isCreated(each, atMs, times) && !mayHaveLost(each, atMs, times),
  )
  if (holder && (holder.leavingMs !== undefined || !mayHaveIt)) return holder.holder
  // Beside others the time of creation is taken as it stands: the margin is for who is alone.
  const candidates = present.length === 1 ? present : present.filter(each => isCreated(each, atMs, times))
  const [only] = candidates
  if (!only) return undefined
  if (candidates.length > 1)
    return { candidates: holdersOf(candidates), areAll: !candidates.some(each => mayBeAnothers(each, atMs, times)) }
  return mayHaveLost(only, atMs, times) || mayBeAnothers(only, atMs, times) ? successorUnknown(only) : only.holder
}

/** Its node gave the address to the later one. That an earlier one goes on being ready with it contradicts that. */
function heardLast<Holder extends AddressHolder>(held: readonly Claim<Holder>[]): Answer<Holder> {
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

function mayHave<Holder>(claim: Claim<Holder>, atMs: number, times: KnownTimes): boolean {
  const { endedMs } = claim
  return isCreated(claim, atMs + CLOCKS_APART_MS, times) && (endedMs === undefined || atMs <= endedMs + KEPT_MS)
}

function isCreated<Holder>({ createdMs }: Claim<Holder>, atMs: number, { aheadMs }: KnownTimes): boolean {
  return atMs >= createdMs - aheadMs
}

function mayHaveLost<Holder extends AddressHolder>(claim: Claim<Holder>, atMs: number, times: KnownTimes): boolean {
  const sinceMs = claim.leavingMs ?? claim.endedMs
  if (sinceMs !== undefined && atMs >= sinceMs) return true
  if (claim.holder.isTold !== true) return false
  // What was so when we heard again may have been so for as long as we did not hear.
  return atMs >= times.heardUntilMs || (sinceMs !== undefined && sinceMs <= (times.gapEnd(atMs) ?? sinceMs - 1))
}

/** Nobody tells us whether there were others at that time. */
function mayBeAnothers<Holder extends AddressHolder>(
  { holder, seenMs }: Claim<Holder>,
  atMs: number,
  times: KnownTimes,
): boolean {
  if (holder.isTold !== true) return false
  return atMs >= times.heardUntilMs || (seenMs > atMs && times.gapEnd(atMs) !== undefined)
}
