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
  /** The holder's creation: before it, it had no address. */
  fromMs: number
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

type Answer<Holder> = Holder | Doubt<Holder> | undefined

/** `heardUntilMs`: of those that others tell us of we have heard everything that came before. */
export function holderAt<Holder extends AddressHolder>(
  claim: Claim<Holder>,
  atMs: number,
  heardUntilMs: number,
): Answer<Holder> {
  if (!mayHave(claim, atMs)) return undefined
  return mayHaveLost(claim, atMs, heardUntilMs) ? successorUnknown(claim) : claim.holder
}

/**
 * Evidence, from the surest on: who was not to go yet when the flow started had the address, whoever came later; who was
 * over by then had it not, if there is another. What lies between, from a pod's creation to when we heard of its address
 * and from when it was to go to when we heard that it is over, is nobody's unless only one can have it.
 */
export function holderAmong<Holder extends AddressHolder>(
  claims: readonly Claim<Holder>[],
  atMs: number,
  heardUntilMs: number,
): Answer<Holder> {
  const possible = claims.filter(each => mayHave(each, atMs))
  const present = possible.filter(each => each.endedMs === undefined || each.endedMs > atMs)
  if (present.length === 0) return possible.length > 0 ? successorUnknown(possible.at(-1)!) : undefined
  const held = present.filter(each => each.seenMs <= atMs && !mayHaveLost(each, atMs, heardUntilMs))
  if (held.length > 1) return heardLast(held)
  // Who went without a word before may have been gone for as long as words take.
  const [holder] = held
  const mayHaveIt = present.some(
    each => each !== holder && each.fromMs <= atMs && !mayHaveLost(each, atMs, heardUntilMs),
  )
  if (holder && (holder.leavingMs !== undefined || !mayHaveIt)) return holder.holder
  // Beside others the time of creation is taken as it stands: the margin is for who is alone.
  const candidates = present.length === 1 ? present : present.filter(each => each.fromMs <= atMs)
  const [only] = candidates
  if (!only) return undefined
  if (candidates.length > 1)
    return { candidates: holdersOf(candidates), areAll: !candidates.some(each => isUnheard(each, atMs, heardUntilMs)) }
  return mayHaveLost(only, atMs, heardUntilMs) ? successorUnknown(only) : only.holder
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

function mayHave<Holder>({ fromMs, endedMs }: Claim<Holder>, atMs: number): boolean {
  return atMs >= fromMs - CLOCKS_APART_MS && (endedMs === undefined || atMs <= endedMs + KEPT_MS)
}

function mayHaveLost<Holder extends AddressHolder>(
  { holder, leavingMs, endedMs }: Claim<Holder>,
  atMs: number,
  heardUntilMs: number,
): boolean {
  const sinceMs = leavingMs ?? endedMs
  return (sinceMs !== undefined && atMs >= sinceMs) || isUnheard({ holder }, atMs, heardUntilMs)
}

/** Nobody has told us yet what became of it by then. */
function isUnheard<Holder extends AddressHolder>(
  { holder }: Pick<Claim<Holder>, 'holder'>,
  atMs: number,
  heardUntilMs: number,
): boolean {
  return holder.isTold === true && atMs >= heardUntilMs
}
