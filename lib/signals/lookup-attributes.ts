// The attributes of DNS lookups: who asked, for what, and with which outcome.
import type { Attributes } from '@opentelemetry/api'
import type { Lookup } from '../aggregate/lookup-table.ts'
import { attribute } from './attribute-names.ts'
import { initiatorAttributes } from './edge-attributes.ts'

export function lookupAttributes({ end, suffix, error, overflow }: Lookup): Attributes {
  if (overflow) return { [attribute.overflow]: true }
  return {
    ...initiatorAttributes(end),
    [attribute.questionSuffix]: suffix,
    ...(error !== undefined && { [attribute.errorType]: error }),
  }
}
