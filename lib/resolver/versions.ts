// Which of two knows more, by the versions that the API server gives: decimal numbers that only grow.
import type { Versions } from './messages.ts'

const form = /^\d{1,20}$/

/** The first resource of which less than `after` is known. */
export function behindIn(known: Versions, after: Versions): string | undefined {
  return Object.keys(after).find(resource => isLess(known[resource], after[resource]))
}

/** Versions that are no numbers can't be compared, and count as enough. */
export function isLess(a: string | undefined, b: string | undefined): boolean {
  if (b === undefined || !form.test(b)) return false
  if (a === undefined) return true
  return form.test(a) && BigInt(a) < BigInt(b)
}
