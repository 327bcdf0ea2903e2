// What a receiver said, as it may be shown: it comes from outside, ends on a terminal, and may quote what it was sent.
import { printable } from '../encode/printable.ts'
import type { HiddenValues } from './hidden-values.ts'

const LONGEST = 500

export function shownMessage(message: string, hidden: HiddenValues): string {
  const safe = printable(hidden.hide(message))
  return safe.length > LONGEST ? `${safe.slice(0, LONGEST)} …` : safe
}
