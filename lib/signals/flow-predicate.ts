// A flow filter as a function: whether something fits. Terms are looked at once, when it is made.
import { type FilterOperator, type FilterTerm, wordOf } from '../config/flow-filter.ts'
import {
  FILTER_KEYS,
  type FilterKey,
  type FilterKeyName,
  parseAmount,
  parseBlock,
  parseRange,
} from '../config/flow-filter-keys.ts'
import type { FilterSide, FilterSubject } from './filter-subject.ts'

export type FlowPredicate = (subject: FilterSubject) => boolean

const sides: readonly FilterSide[] = ['src', 'dst']
/** What an end can be called; behind its namespace and a stroke as well. */
const nameKeys: readonly FilterKeyName[] = ['workload', 'pod', 'svc']
const otherNameKeys: readonly FilterKeyName[] = ['ns', 'name', 'node', 'ip']

/** All terms must hold. */
export function predicateOf(terms: readonly FilterTerm[]): FlowPredicate {
  const tests = terms.map(testOf)
  return subject => tests.every(test => test(subject))
}

/** Of `include`, if there are any, one must fit; `exclude` beats it. */
export function filterOf(
  include: readonly (readonly FilterTerm[])[],
  exclude: readonly (readonly FilterTerm[])[],
): FlowPredicate {
  const [wanted, unwanted] = [include.map(predicateOf), exclude.map(predicateOf)]
  return subject => (wanted.length === 0 || wanted.some(fits => fits(subject))) && !unwanted.some(fits => fits(subject))
}

function testOf(term: FilterTerm): FlowPredicate {
  const positive = positiveTest(term)
  const isNegated = term.isNegated !== (term.operator === '!=')
  return isNegated ? subject => !positive(subject) : positive
}

function positiveTest({ side, key, operator, values }: FilterTerm): FlowPredicate {
  const asked = side ? [side] : sides
  if (key === 'any') {
    const fits = anyOf(values.map(value => textTest('name', operator, value)))
    return subject => asked.some(each => namesOf(subject, each).some(fits))
  }
  const { kind, ofEnd }: FilterKey = FILTER_KEYS[key]
  if (parseAmount(kind, values[0]!) !== undefined || kind === 'port') {
    const fits = anyOf(values.map(value => amountTest(kind, operator, value)))
    const has = (amount: number | undefined) => amount !== undefined && fits(amount)
    return ofEnd ? subject => asked.some(each => has(subject.amount(key, each))) : subject => has(subject.amount(key))
  }
  const fits = anyOf(values.map(value => textTest(kind, operator, value)))
  return ofEnd
    ? subject => asked.some(each => subject.ofEnd(each, key).some(fits))
    : subject => subject.of(key).some(fits)
}

function namesOf(subject: FilterSubject, side: FilterSide): string[] {
  const names = nameKeys.flatMap(key => subject.ofEnd(side, key))
  const behind = subject.ofEnd(side, 'ns').flatMap(namespace => names.map(name => `${namespace}/${name}`))
  return [...names, ...behind, ...otherNameKeys.flatMap(key => subject.ofEnd(side, key))]
}

function anyOf<T>(tests: readonly ((value: T) => boolean)[]): (value: T) => boolean {
  const [only] = tests
  return tests.length === 1 ? only! : value => tests.some(test => test(value))
}

function amountTest(kind: FilterKey['kind'], operator: FilterOperator, text: string): (amount: number) => boolean {
  const range = kind === 'port' ? parseRange(text) : undefined
  if (range) return amount => amount >= range[0] && amount <= range[1]
  const bound = parseAmount(kind, text)!
  switch (operator) {
    case '>':
      return amount => amount > bound
    case '<':
      return amount => amount < bound
    case '>=':
      return amount => amount >= bound
    case '<=':
      return amount => amount <= bound
    default:
      return amount => amount === bound
  }
}

function textTest(kind: FilterKey['kind'], operator: FilterOperator, wanted: string): (value: string) => boolean {
  if (operator === '~') {
    const expression = new RegExp(wanted)
    return value => expression.test(value)
  }
  if (kind === 'address') return parseBlock(wanted)!
  if (kind === 'label' && !wanted.includes('=')) return value => value.startsWith(`${wanted}=`)
  if (kind === 'word') return patternTest(wordOf(wanted), wordOf)
  if (operator !== ':') return value => value === wanted
  return patternTest(wanted.toLowerCase(), value => value.toLowerCase())
}

function patternTest(pattern: string, form: (value: string) => string): (value: string) => boolean {
  if (!/[*?]/.test(pattern)) return value => form(value) === pattern
  const literal = pattern.replace(/[\\^$.|+(){}[\]]/g, '\\$&')
  const expression = new RegExp(`^${literal.replaceAll('?', '.').replace(/\*+/g, '.*')}$`, 's')
  return value => expression.test(form(value))
}
