// Reading what an API server sent: any field may be missing, of another type, or far too long.

export type Fields = Readonly<Record<string, unknown>>

const none: Fields = {}
/** The longest name that Kubernetes allows. */
const NAME_LIMIT = 253
const control = /\p{Cc}/gu

/** No field at all when it is no object. */
export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : none
}

/** At most `limit` of its elements; empty when it is no list. */
export function listOf(value: unknown, limit: number): readonly unknown[] {
  if (!Array.isArray(value)) return []
  return value.length > limit ? value.slice(0, limit) : value
}

/** Valid UTF-8 without control characters, at most `limit` characters; empty when it is no text. */
export function textOf(value: unknown, limit = NAME_LIMIT): string {
  if (typeof value !== 'string') return ''
  // A slice alone would keep the whole in memory.
  const text = value.length > limit ? Buffer.from(value.slice(0, limit)).toString() : value
  return (text.isWellFormed() ? text : text.toWellFormed()).replace(control, '\ufffd')
}

export function wholeNumberOf(value: unknown, least: number, most: number): number | undefined {
  return Number.isInteger(value) && Number(value) >= least && Number(value) <= most ? Number(value) : undefined
}

/** Those of `keys` that there are. `fields` may have any number of others. */
export function chosenOf(fields: Fields, keys: readonly string[], limit: number): Record<string, string> | undefined {
  let chosen: Record<string, string> | undefined
  for (const key of keys) {
    if (typeof fields[key] !== 'string') continue
    chosen ??= {}
    chosen[key] = textOf(fields[key], limit)
  }
  return chosen
}
