// Attributes and times for people, on a terminal.
import type { AttributeSet } from '../signals/attribute-set.ts'
import { printable } from './printable.ts'

/** `basic`: a line per request. `normal`: a line per point, span or record. `detailed`: everything. */
export type Verbosity = 'basic' | 'normal' | 'detailed'

export function attributesText(...sets: readonly (AttributeSet | undefined)[]): string {
  const pairs = sets.flatMap(set => Object.entries(set?.attributes ?? {}))
  return `{${pairs.map(([key, value]) => `${printable(key)}=${printable(String(value))}`).join(', ')}}`
}

export function timeText(ms: number): string {
  return new Date(ms).toISOString()
}

/** Ends with a line end, so that requests can follow each other. */
export function textBody(lines: readonly string[]): Uint8Array {
  return Buffer.from(`${lines.join('\n')}\n`)
}
