// Values and times as OTLP JSON writes them: 64-bit integers as strings, and nothing where a field holds its type's zero.
import type { AttributeSet } from '../signals/attribute-set.ts'
import { isInt64 } from './attribute-bytes.ts'
import { kept } from './kept-forms.ts'

export type Json = Record<string, unknown>

/** The attributes as elements of a JSON array, without its brackets; made once for each set. */
export function attributeElements(set: AttributeSet): string {
  const found = set.encoded[kept.json] as string | undefined
  if (found !== undefined) return found
  const made = JSON.stringify(attributesJson(set) ?? []).slice(1, -1)
  set.encoded[kept.json] = made
  return made
}

function attributesJson({ attributes, doubles }: AttributeSet): Json[] | undefined {
  const list: Json[] = []
  for (const [key, value] of Object.entries(attributes))
    list.push({ key: key.toWellFormed(), value: valueJson(value, doubles.has(key)) })
  return nonEmpty(list)
}

function valueJson(value: unknown, isDouble = false): Json {
  if (typeof value === 'string') return { stringValue: value.toWellFormed() }
  if (typeof value === 'boolean') return { boolValue: value }
  if (typeof value === 'number') {
    return !isDouble && isInt64(value) ? { intValue: integerJson(value) } : { doubleValue: doubleJson(value) }
  }
  if (Array.isArray(value)) return { arrayValue: { values: nonEmpty(value.map(each => valueJson(each))) } }
  return {}
}

/** A number's own text is cut to the digits that tell it from its neighbours: 2^60 would end in zeros. */
export function integerJson(value: number): string {
  return Number.isSafeInteger(value) ? String(value) : BigInt(Math.trunc(value)).toString()
}

export function doubleJson(value: number): number | string {
  return Number.isFinite(value) ? value : String(value)
}

export function nonEmpty<T>(list: T[]): T[] | undefined {
  return list.length === 0 ? undefined : list
}

/** Text in quotes. */
export function textJson(text: string): string {
  return JSON.stringify(text.toWellFormed())
}

/** Nanoseconds in quotes. `ms`: since 1970, with fractions. */
export function timeJson(ms: number): string {
  const whole = Math.floor(ms)
  const nanos = Math.floor((ms - whole) * 1e6)
  return `"${whole}${String(nanos).padStart(6, '0')}"`
}
