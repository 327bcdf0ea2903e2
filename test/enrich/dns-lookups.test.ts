import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { LookupTable } from '../../lib/aggregate/lookup-table.ts'
import { DnsLookups, type EndedLookup } from '../../lib/enrich/dns-lookups.ts'
import { DnsNames } from '../../lib/enrich/dns-names.ts'
import {
  answer,
  type DnsRow,
  dnsBatch,
  dnsMessage,
  query,
  type RecordOf,
  WALL_MINUS_MONOTONIC_MS,
  withLength,
} from '../support/dns.ts'

const NAME = 'api.stripe.example'
const A: RecordOf = { type: 'A', data: '203.0.113.7' }
const TCP = 6

function listener() {
  const names = new DnsNames()
  const table = new LookupTable()
  const ended: EndedLookup[] = []
  const lookups = new DnsLookups({ names, table, ended: lookup => ended.push(lookup) })
  let nowMs = 1000
  return {
    names,
    table,
    ended,
    lookups,
    /** Read at the time of the last row. */
    hear: (...rows: DnsRow[]) => {
      nowMs = Math.max(nowMs, ...rows.map(row => row.monotonicMs ?? 1000))
      lookups.apply(dnsBatch(rows), nowMs + WALL_MINUS_MONOTONIC_MS)
    },
    /** Nothing comes any more until then. */
    waitUntil: (monotonicMs: number) => {
      nowMs = monotonicMs
      lookups.apply(dnsBatch([]), nowMs + WALL_MINUS_MONOTONIC_MS)
    },
    nameOf: (address = '203.0.113.7', interfaceSlot = 1, atMs = nowMs + 100) =>
      names.nameOf(interfaceSlot, address, atMs + WALL_MINUS_MONOTONIC_MS),
    counts: () => Object.fromEntries(Object.entries(table.messages).filter(([, count]) => count > 0)),
    errors: () => ended.map(({ error }) => error ?? 'none'),
  }
}

describe('a lookup', () => {
  it('gives the address the name that was asked for', () => {
    const { hear, nameOf, counts, ended } = listener()
    hear(query(), answer({ answers: [A] }, { monotonicMs: 1020 }))
    assert.equal(nameOf(), NAME)
    assert.deepEqual(counts(), { query: 1, answer: 1 })
    const lookup = { interfaceSlot: 1, suffix: 'stripe.example', error: undefined, seconds: 0.02 }
    assert.deepEqual(ended, [{ ...lookup, sinceMs: 1000 + WALL_MINUS_MONOTONIC_MS }])
  })

  it('is one of IPv6, by IPv6, too', () => {
    const { hear, nameOf } = listener()
    const server = { server: 'fd00::a' }
    hear(
      query({ type: 'AAAA' }, server),
      answer({ type: 'AAAA', answers: [{ type: 'AAAA', data: '2001:db8::7' }] }, server),
    )
    assert.equal(nameOf('2001:db8::7'), NAME)
  })

  it('leads along aliases to the name that was asked for', () => {
    const { hear, nameOf } = listener()
    const answers: RecordOf[] = [
      { name: 'edge.cdn.example', type: 'CNAME', data: 'eu.cdn.example' },
      { type: 'CNAME', data: 'edge.cdn.example' },
      { name: 'eu.cdn.example', ...A },
      { name: 'other.example', type: 'A', data: '203.0.113.9' },
    ]
    hear(query(), answer({ answers }))
    assert.equal(nameOf(), NAME)
    assert.equal(nameOf('203.0.113.9'), undefined)
  })

  it('ends when aliases go round in a circle', () => {
    const { hear, counts } = listener()
    const answers: RecordOf[] = [
      { type: 'CNAME', data: 'b.example' },
      { name: 'b.example', type: 'CNAME', data: NAME },
    ]
    hear(query(), answer({ answers }))
    assert.deepEqual(counts(), { query: 1, answer: 1 })
  })

  it('is another pod’s alone that asked', () => {
    const { hear, nameOf } = listener()
    hear(query(), answer({ answers: [A] }))
    assert.equal(nameOf('203.0.113.7', 2), undefined)
  })

  it('by TCP is read from a whole segment, several in one too', () => {
    const { hear, nameOf, counts } = listener()
    const both = [1, 2].map(id => ({ id, name: `${id}.example` }))
    const bytes = (answers?: readonly RecordOf[]) =>
      Buffer.concat(both.map(each => withLength(dnsMessage({ ...each, ...(answers && { answers }) }))))
    hear({ fromPod: true, protocol: TCP, bytes: bytes() }, { protocol: TCP, bytes: bytes([A]) })
    assert.deepEqual(counts(), { query: 2, answer: 2 })
    assert.equal(nameOf(), '2.example')
  })

  it('by TCP that goes on in another segment is not read', () => {
    const { hear, counts } = listener()
    const bytes = withLength(dnsMessage())
    for (const cut of [bytes.subarray(0, 1), bytes.subarray(0, 2), bytes.subarray(0, -1), bytes.subarray(2)])
      hear({ fromPod: true, protocol: TCP, bytes: cut })
    assert.deepEqual(counts(), { not_read: 4 })
  })

  it('is none of what is no DNS, or no query', () => {
    const { hear, counts } = listener()
    hear({ fromPod: true, bytes: Buffer.from('hello') }, { ...answer(), fromPod: true }, { ...query(), fromPod: false })
    assert.deepEqual(counts(), { not_read: 3 })
  })
})

describe('an answer is not learnt', () => {
  const spoofed: Record<string, [query: DnsRow[], answer: DnsRow]> = {
    'without a query': [[], answer({ answers: [A] })],
    'with another id': [[query({ id: 1 })], answer({ id: 2, answers: [A] })],
    'from another server': [[query()], answer({ answers: [A] }, { server: '10.96.0.66' })],
    'to another port': [[query()], answer({ answers: [A] }, { localPort: 40_001 })],
    'to another address': [[query()], answer({ answers: [A] }, { local: '10.0.0.9' })],
    'by another protocol': [[query()], { protocol: TCP, bytes: withLength(dnsMessage({ answers: [A] })) }],
    'at another pod’s interface': [[query()], answer({ answers: [A] }, { interfaceSlot: 2 })],
    'to another question': [[query()], answer({ name: 'evil.example', answers: [A] })],
    'of another type': [[query()], answer({ type: 'AAAA', answers: [A] })],
  }
  for (const [how, [asked, got]] of Object.entries(spoofed))
    it(how, () => {
      const { hear, nameOf, counts, lookups, names } = listener()
      hear(...asked, got)
      assert.deepEqual([nameOf('203.0.113.7', 1), nameOf('203.0.113.7', 2), names.size], [undefined, undefined, 0])
      assert.equal(counts().answer_unsolicited, 1)
      assert.equal(lookups.open, asked.length)
    })

  it('a second time', () => {
    const { hear, nameOf, counts } = listener()
    hear(query(), answer({ answers: [A] }), answer({ answers: [{ type: 'A', data: '203.0.113.66' }] }))
    assert.equal(nameOf('203.0.113.66'), undefined)
    assert.deepEqual(counts(), { query: 1, answer: 1, answer_unsolicited: 1 })
  })

  it('for a name that nobody asked for in it', () => {
    const { hear, nameOf } = listener()
    hear(query(), answer({ answers: [{ name: 'bank.example', ...A }] }))
    assert.equal(nameOf(), undefined)
  })

  it('with an error, as of a search domain', () => {
    const { hear, nameOf, errors } = listener()
    hear(query(), answer({ code: 3, answers: [A] }))
    assert.equal(nameOf(), undefined)
    assert.deepEqual(errors(), ['NXDOMAIN'])
  })

  it('with a name that can’t be printed', () => {
    const { hear, names, counts } = listener()
    for (const name of ['a\nb.example', 'a\u0000.example', 'ä.example']) {
      hear(query({ name }), answer({ name, answers: [A] }))
    }
    assert.equal(names.size, 0)
    assert.deepEqual(counts(), { query: 3, answer: 3 })
  })
})

describe('a lookup without an answer', () => {
  it('has timed out after 5 s, and is open before', () => {
    const { hear, waitUntil, ended, lookups } = listener()
    hear(query())
    waitUntil(6000)
    assert.deepEqual([lookups.open, ended.length], [1, 0])
    waitUntil(6101)
    assert.deepEqual([lookups.open, ended.map(({ error, seconds }) => [error, seconds])], [0, [['timeout', 5]]])
  })

  it('is told once when its answer comes late, and learnt up to 10 s', () => {
    const { hear, nameOf, waitUntil, counts, errors } = listener()
    hear(query())
    waitUntil(7000)
    hear(answer({ answers: [A] }, { monotonicMs: 9000 }))
    assert.equal(nameOf(), NAME)
    assert.deepEqual([counts(), errors()], [{ query: 1, answer_late: 1 }, ['timeout']])
  })

  it('has timed out also where a late answer is read before anybody looked', () => {
    const { hear, counts, errors } = listener()
    hear(query(), answer({ answers: [A] }, { monotonicMs: 6500 }))
    assert.deepEqual([counts(), errors()], [{ query: 1, answer_late: 1 }, ['timeout']])
  })

  it('is over after 10 s', () => {
    const { hear, nameOf, counts } = listener()
    hear(query(), answer({ answers: [A] }, { monotonicMs: 11_001 }))
    assert.equal(nameOf(), undefined)
    assert.deepEqual(counts(), { query: 1, answer_unsolicited: 1 })
  })

  it('is the same one when the query is sent again, and counts from the first', () => {
    const { hear, counts, ended } = listener()
    hear(query(), query({}, { monotonicMs: 3000 }), answer({ answers: [A] }, { monotonicMs: 3500 }))
    assert.deepEqual(counts(), { query: 1, query_repeated: 1, answer: 1 })
    assert.equal(ended[0]!.seconds, 2.5)
  })

  it('is unfinished when its pod goes', () => {
    const { hear, lookups, table, nameOf } = listener()
    hear(query(), query({ id: 2 }), query({ id: 3 }, { interfaceSlot: 2 }), answer({ answers: [A] }))
    lookups.forget(1)
    assert.deepEqual([table.unfinished, lookups.open, nameOf()], [1, 1, undefined])
  })

  it('is not waited for when its pod has 1,024 of them; another’s is', () => {
    const { hear, counts, lookups } = listener()
    hear(...Array.from({ length: 1100 }, (_, id) => query({ id })), query({}, { interfaceSlot: 2 }))
    assert.deepEqual([counts(), lookups.open], [{ query: 1025, query_untracked: 76 }, 1025])
  })
})

describe('lookups', () => {
  it('are as many as ended, are open and unfinished, whatever comes', () => {
    const { hear, waitUntil, table, ended, lookups } = listener()
    let state = 1
    const next = (below: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
      return (state >> 8) % below
    }
    let monotonicMs = 1000
    for (let i = 0; i < 3000; i++) {
      monotonicMs += next(400)
      const at = { monotonicMs, interfaceSlot: 1 + next(3) }
      const message = { id: next(8), name: `n${next(4)}.example` }
      if (next(200) === 0) lookups.forget(1 + next(3))
      else if (next(30) === 0) waitUntil(monotonicMs)
      else hear(next(2) ? query(message, at) : answer({ ...message, answers: [A], code: next(6) }, at))
      assert.equal(table.messages.query, ended.length + lookups.open + table.unfinished)
    }
    assert.ok(table.messages.answer > 100 && table.messages.answer_late > 5 && table.unfinished > 5)
    const timeouts = ended.filter(({ error }) => error === 'timeout').length
    assert.equal(ended.length, table.messages.answer + timeouts)
  })

  it('tell the codes by their names', () => {
    const { hear, errors } = listener()
    for (const code of [0, 1, 2, 5, 11]) hear(query(), answer({ code }))
    assert.deepEqual(errors(), ['none', 'FORMERR', 'SERVFAIL', 'REFUSED', 'RCODE_11'])
  })
})
