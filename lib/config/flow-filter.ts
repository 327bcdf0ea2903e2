// The language of flow filters (docs/filter.md): terms, all of which must hold. `src.ns:shop dst.port:80,443 -state:refused`
import { didYouMean } from './did-you-mean.ts'
import {
  FILTER_ALIASES,
  FILTER_FORMS,
  FILTER_KEYS,
  type FilterKey,
  type FilterKeyName,
  parseAmount,
  parseBlock,
  parseRange,
} from './flow-filter-keys.ts'

export type FilterOperator = ':' | '=' | '!=' | '~' | '>' | '<' | '>=' | '<='

export interface FilterTerm {
  readonly isNegated: boolean
  /** Absent: either end. */
  readonly side?: 'src' | 'dst'
  /** `any`: every name that an end has. */
  readonly key: FilterKeyName | 'any'
  readonly operator: FilterOperator
  /** One is enough. */
  readonly values: readonly string[]
}

/** Why a text is no filter. */
export class FilterProblem extends Error {
  override readonly name = 'FilterProblem'
  /** Counted from 1. */
  readonly column: number
  readonly what: string
  readonly allowed: string

  constructor(column: number, what: string, allowed: string) {
    super(`${what} at column ${column}; allowed: ${allowed}`)
    this.column = column
    this.what = what
    this.allowed = allowed
  }
}

interface Piece {
  readonly text: string
  /** Index in the whole text. */
  readonly at: number
}

const prefixed = /^(src|dst)\./
const keyForm = /^((?:src\.|dst\.)?[A-Za-z_]*)(!=|>=|<=|[:=~><])/
const orders: readonly string[] = ['>', '<', '>=', '<=']
const keyNames = Object.keys(FILTER_KEYS)

/** `isOfEdges`: what only a flow of its own has is refused. */
export function parseFlowFilter(text: string, isOfEdges = false): FilterTerm[] {
  return pieces({ text, at: 0 }, /\s/).map(piece => parseTerm(piece, isOfEdges))
}

/** As it would be written; read again it is the same. */
export function formatFlowFilter(terms: readonly FilterTerm[]): string {
  return terms.map(formatTerm).join(' ')
}

function parseTerm({ text, at }: Piece, isOfEdges: boolean): FilterTerm {
  const isNegated = text[0] === '-' || text[0] === '!'
  const body = isNegated ? text.slice(1) : text
  const start = at + (isNegated ? 1 : 0)
  if (body === '') throw new FilterProblem(at + 1, `'${text}' negates nothing`, '-TERM')
  if (parseBlock(body)) return { isNegated, key: 'ip', operator: ':', values: [body] }
  const [, keyText, operator] = keyForm.exec(body) ?? []
  if (keyText === undefined) {
    const values = pieces({ text: body, at: start }, /,/).map(plain)
    return { isNegated, key: 'any', operator: ':', values }
  }
  const { side, key } = parseKey({ text: keyText, at: start }, isOfEdges)
  const before = keyText.length + operator!.length
  const rest = { text: body.slice(before), at: start + before }
  const values = pieces(rest, /,/).map(value => parseValue(key, operator as FilterOperator, value))
  if (values.length === 0) throw new FilterProblem(rest.at + 1, `${keyText} has no value`, formOf(key))
  return { isNegated, ...(side && { side }), key, operator: operator as FilterOperator, values }
}

function parseKey({ text, at }: Piece, isOfEdges: boolean): Pick<FilterTerm, 'side' | 'key'> {
  if (text === 'src' || text === 'dst') return { side: text, key: 'any' }
  const side = prefixed.exec(text)?.[1] as 'src' | 'dst' | undefined
  const name = side ? text.slice(4) : text
  const place = at + (side ? 4 : 0) + 1
  const known = Object.hasOwn(FILTER_ALIASES, name) ? FILTER_ALIASES[name]! : (name as FilterKeyName)
  const allowed = keyNames.filter(each => fits(FILTER_KEYS[each as FilterKeyName], side, isOfEdges)).join(', ')
  if (!Object.hasOwn(FILTER_KEYS, known)) {
    const near = didYouMean(name, [...keyNames, ...Object.keys(FILTER_ALIASES)])
    throw new FilterProblem(place, `unknown key '${name}'${near}`, allowed)
  }
  const key: FilterKey = FILTER_KEYS[known]
  if (side && !key.ofEnd) throw new FilterProblem(place, `'${name}' belongs to no end`, `${name} without ${side}.`)
  if (isOfEdges && !key.ofEdge) throw new FilterProblem(place, `'${name}' is of one flow, and edges are many`, allowed)
  return { ...(side && { side }), key: known }
}

function fits(key: FilterKey, side: string | undefined, isOfEdges: boolean): boolean {
  return (!side || key.ofEnd === true) && (!isOfEdges || key.ofEdge === true)
}

function parseValue(key: FilterTerm['key'], operator: FilterOperator, piece: Piece): string {
  const value = plain(piece)
  const column = piece.at + 1
  const kind = key === 'any' ? 'name' : FILTER_KEYS[key].kind
  if (operator === '~') {
    if (kind in amountKinds) throw new FilterProblem(column, `${key} is no text`, ': = != > < >= <=')
    if (isExpression(value)) return value
    throw new FilterProblem(column, `'${value}' is no regular expression`, 'such as ^cart-')
  }
  const isAmount = parseAmount(kind, value) !== undefined
  if (orders.includes(operator)) {
    if (isAmount) return value
    const what = kind in amountKinds ? `'${value}' is no amount` : `${key} has no order`
    throw new FilterProblem(column, what, kind in amountKinds ? FILTER_FORMS[kind] : ': = != ~')
  }
  if (isValueOf(key, value, isAmount)) return value
  throw new FilterProblem(column, `'${value}' is not allowed${nearWord(key, value)}`, formOf(key))
}

const amountKinds = { port: true, duration: true, bytes: true, count: true, rate: true }

function isValueOf(key: FilterTerm['key'], value: string, isAmount: boolean): boolean {
  if (key === 'any') return true
  const { kind, words }: FilterKey = FILTER_KEYS[key]
  if (words) return /[*?]/.test(value) || words.includes(wordOf(value))
  if (kind === 'address') return parseBlock(value) !== undefined
  if (kind === 'port') return (isAmount && Number(value) <= 65_535) || parseRange(value) !== undefined
  return kind in amountKinds ? isAmount : true
}

/** `no_reply` and `No reply` are `no-reply`. */
export function wordOf(value: string): string {
  return value.toLowerCase().replaceAll(/[ _]/g, '-')
}

function nearWord(key: FilterTerm['key'], value: string): string {
  const words = key === 'any' ? undefined : (FILTER_KEYS[key] as FilterKey).words
  return words ? didYouMean(value, words) : ''
}

function formOf(key: FilterTerm['key']): string {
  if (key === 'any') return FILTER_FORMS.name
  const { kind, words }: FilterKey = FILTER_KEYS[key]
  return words?.join(', ') ?? FILTER_FORMS[kind]
}

function isExpression(value: string): boolean {
  try {
    new RegExp(value)
    return true
  } catch {
    return false
  }
}

/** Parts between separators; what is in double quotes is one part, with `\"` and `\\`. */
function pieces({ text, at }: Piece, separator: RegExp): Piece[] {
  const found: Piece[] = []
  let [start, isQuoted] = [0, false]
  for (let i = 0; i <= text.length; i++) {
    const character = text[i]
    if (isQuoted && character === '\\') i++
    else if (character === '"') isQuoted = !isQuoted
    else if (character === undefined || (!isQuoted && separator.test(character))) {
      if (i > start) found.push({ text: text.slice(start, i), at: at + start })
      else if (separator.test(',') && text !== '')
        throw new FilterProblem(at + start + 1, 'a value is missing', 'VALUE,VALUE')
      start = i + 1
    }
  }
  if (isQuoted) throw new FilterProblem(at + text.length + 1, "'\"' without its '\"'", 'quotes in pairs')
  return found
}

/** Without its quotes. */
function plain({ text, at }: Piece): string {
  if (!text.includes('"')) return text
  const [, quoted] = /^"((?:[^"\\]|\\.)*)"$/s.exec(text) ?? []
  if (quoted === undefined) throw new FilterProblem(at + 1, 'quotes inside a value', '"the whole value"')
  return quoted.replaceAll(/\\(.)/gs, '$1')
}

function formatTerm({ isNegated, side, key, operator, values }: FilterTerm): string {
  const sign = isNegated ? '-' : ''
  const written = values.map(value => (/[\s",\\]|^$/.test(value) ? quoted(value) : value)).join()
  if (key !== 'any') return `${sign}${side ? `${side}.` : ''}${key}${operator}${written}`
  if (side) return `${sign}${side}${operator}${written}`
  const isPlain = !/^[-!"]/.test(written) && !keyForm.test(written) && !parseBlock(written)
  return sign + (isPlain ? written : values.map(quoted).join())
}

function quoted(value: string): string {
  return `"${value.replaceAll(/["\\]/g, '\\$&')}"`
}
