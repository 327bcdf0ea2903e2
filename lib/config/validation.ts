// Checks a document's data against a zod schema and says what is wrong where. A schema's error text is what is allowed.
import { z } from 'zod'
import { formatByteSize, parseByteSize } from './byte-size.ts'
import { didYouMean } from './did-you-mean.ts'
import { durationBetween, formatDuration } from './duration.ts'
import { readListenEndpoint } from './listen-endpoint.ts'
import type { Path } from './problems.ts'
import { isSecret, shownEndpoint } from './secret.ts'
import type { YamlDocument } from './yaml-document.ts'

/** The checked value, or undefined when there were problems; they are in `document.problems`. */
export function validate<T>(
  document: YamlDocument,
  schema: z.ZodType<T>,
  value: unknown,
  at: Path = [],
): T | undefined {
  const holder = { value }
  let result = schema.safeParse(holder.value)
  if (!result.success && restoreText(document, holder, result.error.issues, at)) result = schema.safeParse(holder.value)
  if (result.success) return result.data
  for (const issue of result.error.issues) report(document, issue, holder.value, at)
  return undefined
}

/** `${env:CLUSTER}` that became the number 7 is the text `7` where text is wanted. */
function restoreText(
  document: YamlDocument,
  holder: { value: unknown },
  issues: z.core.$ZodIssue[],
  at: Path,
): boolean {
  let restored = false
  for (const issue of issues) {
    if (issue.code !== 'invalid_type' || issue.expected !== 'string') continue
    const text = document.substitutedText([...at, ...issue.path])
    if (text === undefined) continue
    const parent = issue.path.length > 0 ? valueAt(holder.value, issue.path.slice(0, -1)) : holder
    ;(parent as Record<PropertyKey, unknown>)[issue.path.at(-1) ?? 'value'] = text
    restored = true
  }
  return restored
}

function report(document: YamlDocument, issue: z.core.$ZodIssue, value: unknown, at: Path): void {
  const path = [...at, ...issue.path]
  if (issue.code === 'unrecognized_keys') {
    for (const key of issue.keys)
      reportKey(document, [...path, key], valueAt(value, [...issue.path, key]), issue.message)
    return
  }
  if (issue.code === 'invalid_key') {
    const holder = path.slice(0, -1)
    // Who forgets a line break makes a header's value part of its name.
    const [subject, at] = isSecret(holder) ? ['this', holder] : [`'${String(path.at(-1))}'`, path]
    document.problems.add(document.placeOfKey(path), at, `${subject} is no name for it`, issue.issues[0]?.message)
    return
  }
  const wrong = valueAt(value, issue.path)
  const what = wrong === undefined ? 'is missing' : `${shown(document, path, wrong)} is not allowed`
  const suggestion = issue.code === 'invalid_value' ? didYouMean(String(wrong), issue.values.map(String)) : ''
  const place = wrong === undefined ? document.placeOfKey(path) : document.placeOf(path)
  const isNameless = wrong === undefined && isSecret(path.slice(0, -1))
  document.problems.add(place, isNameless ? path.slice(0, -1) : path, what + suggestion, issue.message)
}

/** A secret with a comma in it, and no quotes around it inside { }, ends in a key without a value. */
function reportKey(document: YamlDocument, path: Path, value: unknown, allowed: string): void {
  const known = allowed.split(', ')
  const mayBeSecret = value === undefined && (isSecret(path) || known.some(key => isSecret([key])))
  const what = `unknown key${mayBeSecret ? '' : didYouMean(String(path.at(-1)), known)}`
  document.problems.add(document.placeOfKey(path), mayBeSecret ? path.slice(0, -1) : path, what, allowed)
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce((each, key) => (each as Record<PropertyKey, unknown> | undefined)?.[key], value)
}

/** Without what may be a secret: headers, and what came from the environment. */
function shown(document: YamlDocument, path: Path, value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (value === null) return 'nothing'
  if (typeof value === 'object') return Object.keys(value).length > 0 ? 'a mapping' : 'an empty mapping'
  if (isSecret(path)) return 'this value'
  const substituted = document.substitutedText(path)
  if (substituted !== undefined) return substituted === '' ? 'an empty value' : 'the value from the environment'
  return typeof value === 'string' ? `'${shownEndpoint(value)}'` : String(value)
}

/** A mapping with these keys only; absent or empty it has every default. */
export function section<S extends z.ZodRawShape>(shape: S) {
  return required(shape).prefault({} as never)
}

/** A mapping with these keys only. */
export function required<S extends z.ZodRawShape>(shape: S) {
  return z.strictObject(shape, { error: Object.keys(shape).join(', ') })
}

export function choice<const T extends readonly [string, ...string[]]>(...values: T) {
  return z.enum(values, { error: values.join(', ') })
}

export function onOrOff() {
  return worded(choice('on', 'off'))
}

/** One of these, or `off`. */
export function choiceOrOff<const T extends readonly [string, ...string[]]>(...values: T) {
  return worded(choice(...values, 'off'))
}

/** What YAML 1.1 made a boolean of, on its way here through a tool that speaks it, is `on` and `off` again. */
export function worded<S extends z.ZodType>(schema: S) {
  const word = (value: unknown) => (value === true ? 'on' : value === false ? 'off' : value)
  return z.preprocess(word, schema)
}

/** Text that `parse` understands, or `off`, which is 0. */
export function parsedOrOff(form: string, parse: (value: string) => number | undefined) {
  return worded(parsed(`${form}, or off`, value => (value === 'off' ? 0 : parse(value))))
}

export function wholeNumber(least: number, most: number) {
  const error = `a whole number from ${least} to ${most}`
  return z.int({ error }).min(least, { error }).max(most, { error })
}

export function numberBetween(least: number, most: number) {
  const error = `a number from ${least} to ${most}`
  return z.number({ error }).min(least, { error }).max(most, { error })
}

export function flag() {
  return z.boolean({ error: 'true, false' })
}

export function text(error: string, holds: (value: string) => boolean = value => value !== '') {
  return z.string({ error }).refine(holds, { error })
}

export function list<T extends z.ZodType>(item: T, error: string) {
  return z.array(item, { error })
}

/** Text that `parse` understands; undefined from it means that it doesn't. */
export function parsed<T>(error: string, parse: (value: string) => T | undefined) {
  return z.string({ error }).transform((value, context) => {
    const result = parse(value)
    if (result !== undefined) return result
    context.issues.push({ code: 'custom', input: value, message: error })
    return z.NEVER
  })
}

/** Milliseconds. */
export function duration(leastMs: number, mostMs: number, example = Math.max(leastMs, 1000)) {
  return parsed(durationForm(leastMs, mostMs, example), value => durationBetween(value, leastMs, mostMs))
}

/** Milliseconds, 0 for `off`. */
export function durationOrOff(leastMs: number, mostMs: number, example = Math.max(leastMs, 1000)) {
  return parsedOrOff(durationForm(leastMs, mostMs, example), value => durationBetween(value, leastMs, mostMs))
}

export function formatDurationOrOff(ms: number): string {
  return ms === 0 ? 'off' : formatDuration(ms)
}

function durationForm(leastMs: number, mostMs: number, example: number): string {
  return `${formatDuration(leastMs)} to ${formatDuration(mostMs)}, such as ${formatDuration(example)}`
}

/** Bytes. YAML takes a plain number for one. */
export function byteSize(least: number, most: number) {
  const error = `${formatByteSize(least)} to ${formatByteSize(most)}, such as ${formatByteSize(Math.min(most, 64 * 2 ** 20))}`
  return z.union([z.string(), z.number()], { error }).transform((value, context) => {
    const bytes = parseByteSize(String(value))
    if (bytes !== undefined && bytes >= least && bytes <= most) return bytes
    context.issues.push({ code: 'custom', input: value, message: error })
    return z.NEVER
  })
}

export function listenEndpoint(example: string) {
  return parsed(`HOST:PORT, such as ${example}`, readListenEndpoint)
}

/** Where `id` is `type` or `type/name`. */
export function typeOf(id: string): string | undefined {
  return /^([a-z_]+)(\/.+)?$/.exec(id)?.[1]
}
