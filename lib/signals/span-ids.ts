// Ids that follow from what a span is about: a span that is sent again is the same one, and observers agree without talking.
import { hash } from 'node:crypto'

/** Of a span on either side; both are of one trace. */
export interface SpanIds {
  /** 32 hex digits. */
  readonly traceId: string
  /** 16 hex digits each. */
  readonly clientSpanId: string
  readonly serverSpanId: string
}

/** The same for the same parts, in that order. */
export function idsOf(...parts: readonly (string | number)[]): SpanIds {
  const digits = hash('sha256', parts.join('\0'), 'hex')
  return { traceId: digits.slice(0, 32), clientSpanId: digits.slice(32, 48), serverSpanId: digits.slice(48) }
}
