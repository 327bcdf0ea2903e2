import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { FilterProblem, type FilterTerm, formatFlowFilter, parseFlowFilter } from '../../lib/config/flow-filter.ts'
import { FILTER_KEYS, type FilterKey, type FilterKeyName } from '../../lib/config/flow-filter-keys.ts'
import { tried } from '../support/properties.ts'

const names = Object.keys(FILTER_KEYS) as FilterKeyName[]

describe('the flow filter’s language', () => {
  for (const [text, ...terms] of [
    [''],
    ['  \n'],
    ['cart', { key: 'any', values: ['cart'] }],
    ['shop/cart,redis*', { key: 'any', values: ['shop/cart', 'redis*'] }],
    ['dst:payments', { side: 'dst', key: 'any', values: ['payments'] }],
    [
      'src.ns:shop dst.port:80,8000-8100',
      { side: 'src', key: 'ns', values: ['shop'] },
      { side: 'dst', key: 'port', values: ['80', '8000-8100'] },
    ],
    ['-wl:cart', { isNegated: true, key: 'workload', values: ['cart'] }],
    ['!state:no-reply,reset', { isNegated: true, key: 'state', values: ['no-reply', 'reset'] }],
    ['ns!=shop', { key: 'ns', operator: '!=', values: ['shop'] }],
    ['pod~^cart-[0-9a-f]+$', { key: 'pod', operator: '~', values: ['^cart-[0-9a-f]+$'] }],
    [
      'rtt>=1.5ms bytes<64KiB rate>1MB/s',
      { key: 'rtt', operator: '>=', values: ['1.5ms'] },
      { key: 'bytes', operator: '<', values: ['64KiB'] },
      { key: 'rate', operator: '>', values: ['1MB/s'] },
    ],
    ['label:app=web,tier', { key: 'label', values: ['app=web', 'tier'] }],
    [
      '10.0.0.0/8 fd00::1 -ip:fd00::/8',
      { key: 'ip', values: ['10.0.0.0/8'] },
      { key: 'ip', values: ['fd00::1'] },
      { isNegated: true, key: 'ip', values: ['fd00::/8'] },
    ],
    ['name:"a, b\\"c\\\\" "x y"', { key: 'name', values: ['a, b"c\\'] }, { key: 'any', values: ['x y'] }],
  ] as [string, ...Partial<FilterTerm>[]][])
    it(`reads ${JSON.stringify(text)}`, () => {
      assert.deepEqual(
        parseFlowFilter(text),
        terms.map(term => ({ isNegated: false, operator: ':', ...term })),
      )
    })

  for (const [text, column, what, allowed] of [
    ['ns:a prot:tcp', 6, "unknown key 'prot' (did you mean 'port'?)", /^ns, workload, .*, rate$/],
    ['-src.prt:1', 6, "unknown key 'prt' (did you mean 'port'?)", /^ns, .*, port$/],
    ['dst.rtt>1ms', 5, "'rtt' belongs to no end", /^rtt without dst\.$/],
    ['ns:', 4, 'ns: has no value'.replace(':', ''), /^a name/],
    ['ns:a,,b', 6, 'a value is missing', /VALUE/],
    ['port:80x', 6, "'80x' is not allowed", /^a port, or a range/],
    ['port:1-70000x', 6, "'1-70000x' is not allowed", /range/],
    ['port:90-80', 6, "'90-80' is not allowed", /range/],
    ['ip:10.0.0.300', 4, "'10.0.0.300' is not allowed", /10\.0\.0\.0\/8/],
    ['state:reste', 7, "'reste' is not allowed (did you mean 'reset'?)", /^connecting, /],
    ['rtt>20', 5, "'20' is no amount", /20ms/],
    ['ns>a', 4, 'ns has no order', /^: = != ~$/],
    ['rtt~1', 5, 'rtt is no text', />=/],
    ['pod~(', 5, "'(' is no regular expression", /cart/],
    ['a "b c', 7, "'\"' without its '\"'", /pairs/],
    ['ns:a"b"', 4, 'quotes inside a value', /whole/],
    ['-', 1, "'-' negates nothing", /-TERM/],
    ['=x', 1, "unknown key ''", /ns/],
  ] as const)
    it(`says what is wrong with ${text}`, () => {
      assert.throws(
        () => parseFlowFilter(text),
        (problem: FilterProblem) => {
          assert.ok(problem instanceof FilterProblem)
          assert.deepEqual([problem.column, problem.what], [column, what])
          assert.match(problem.allowed, allowed)
          return true
        },
      )
    })

  it('refuses of edges what only one flow has', () => {
    assert.deepEqual(parseFlowFilter('ns:a dst.port:80 proto:tcp', true).length, 3)
    assert.throws(() => parseFlowFilter('ns:a rtt>1ms', true), {
      column: 6,
      what: "'rtt' is of one flow, and edges are many",
      allowed: 'ns, workload, kind, pod, svc, name, ip, port, proto, type, observer',
    })
  })

  it('reads what it has written as the same', () => {
    fc.assert(
      fc.property(fc.array(anyTerm, { maxLength: 4 }), terms => {
        assert.deepEqual(parseFlowFilter(formatFlowFilter(terms)), terms)
      }),
      tried(2000),
    )
  })

  it('reads anything, or says where it can’t', () => {
    const bits = fc.constantFrom(
      ...names,
      'src.',
      'dst.',
      ':',
      '=',
      '!=',
      '~',
      '>',
      '-',
      '!',
      '"',
      '\\',
      ',',
      ' ',
      '/',
      '10.0.0.1',
      '80',
      'ms',
      '*',
      '(',
      'é',
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'grapheme' }),
          fc.array(bits).map(all => all.join('')),
        ),
        text => {
          try {
            parseFlowFilter(formatFlowFilter(parseFlowFilter(text)))
          } catch (problem) {
            assert.ok(problem instanceof FilterProblem, String(problem))
            assert.ok(problem.column >= 1 && problem.column <= text.length + 1, `${problem.column} of ${text}`)
          }
        },
      ),
      tried(5000),
    )
  })
})

/** Also what looks like something else. */
const word = fc.oneof(
  fc.stringMatching(/^[a-z*?"\\, .-]{1,8}$/),
  fc.constantFrom('-a', '!a', 'ns:a', 'src:a', '10.0.0.1', 'a~b', '=', '"'),
)
const values: Record<FilterKey['kind'], fc.Arbitrary<string>> = {
  name: word,
  word,
  label: fc.tuple(fc.stringMatching(/^[a-z./-]{1,5}$/), word).map(([key, value]) => `${key}=${value}`),
  address: fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.ipV4().map(address => `${address}/8`),
  ),
  port: fc.oneof(fc.nat(65_535).map(String), fc.constant('1-65535')),
  duration: fc.tuple(fc.nat(), fc.constantFrom('us', 'ms', 's', 'm', 'h')).map(parts => parts.join('')),
  bytes: fc.tuple(fc.nat(1_000_000), fc.constantFrom('B', 'KB', 'MiB', '')).map(parts => parts.join('')),
  count: fc.nat().map(String),
  rate: fc.nat(1_000_000).map(amount => `${amount}KB/s`),
}
const amounts = ['port', 'duration', 'bytes', 'count', 'rate']

const anyTerm: fc.Arbitrary<FilterTerm> = fc
  .record({
    key: fc.oneof(fc.constantFrom(...names), fc.constant('any' as const)),
    isNegated: fc.boolean(),
    side: fc.constantFrom('src', 'dst', undefined),
  })
  .chain(({ key, isNegated, side }) => {
    const { kind, words, ofEnd }: FilterKey = key === 'any' ? { kind: 'name', ofEnd: true } : FILTER_KEYS[key]
    const isAmount = amounts.includes(kind)
    const value = words ? fc.constantFrom(...words) : values[kind]
    const operators = isAmount ? [':', '=', '!=', '>', '<='] : [':', '=', '!=']
    return fc.record(
      {
        isNegated: fc.constant(isNegated),
        ...(side && ofEnd && { side: fc.constant(side) }),
        key: fc.constant(key),
        operator: fc.constantFrom(...(key === 'any' && !side ? [':'] : operators)),
        values: fc.array(value, { minLength: 1, maxLength: 3 }),
      },
      { noNullPrototype: true },
    ) as fc.Arbitrary<FilterTerm>
  })
  // A range has no order.
  .filter(({ operator, values: all }) => !['>', '<='].includes(operator) || !all.includes('1-65535'))
