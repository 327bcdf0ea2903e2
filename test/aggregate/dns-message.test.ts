import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { type DnsMessage, parseDnsMessage } from '../../lib/aggregate/dns-message.ts'
import { formatAddress } from '../../lib/capture/address.ts'
import { dnsMessage, type MessageOf, nameBytes, type RecordOf, TYPES, type TypeName, words } from '../support/dns.ts'

const HEADER = words(7, 0x8180, 1, 1, 0, 0)

function parse(bytes: Uint8Array): DnsMessage | undefined {
  return parseDnsMessage(bytes, 0, bytes.length)
}

/** The question's name, of a message that has nothing else. */
function nameOf(name: Uint8Array, behind: Uint8Array = words(1, 1)): string | undefined {
  return parse(Buffer.concat([words(7, 0x0100, 1, 0, 0, 0), name, behind]))?.question?.name
}

function shown({ answers }: DnsMessage): unknown[] {
  return answers.map(({ name, ttl, address, target }) => [
    name,
    ttl,
    target ?? formatAddress(address!, 0, address!.length === 4 ? 4 : 6),
  ])
}

describe('a DNS message', () => {
  it('is a query or an answer with an id, a question and a code', () => {
    const message = parse(dnsMessage({ id: 4711, name: 'Api.Stripe.Example', type: 'AAAA' }))
    const question = { name: 'api.stripe.example', type: 28, class: 1 }
    assert.deepEqual(message, { id: 4711, isAnswer: false, operation: 0, code: 0, question, answers: [] })
    const refused = parse(dnsMessage({ code: 3, answers: [] }))!
    assert.deepEqual([refused.isAnswer, refused.code], [true, 3])
  })

  it('has addresses and aliases, and of other records nothing', () => {
    const answers: RecordOf[] = [
      { type: 'CNAME', data: 'edge.cdn.example', ttl: 300 },
      { name: 'edge.cdn.example', type: 'A', data: '203.0.113.7', ttl: 20 },
      { name: 'edge.cdn.example', type: 'AAAA', data: '2001:db8::7' },
      { type: 'TXT', data: Buffer.from('\x03abc') },
    ]
    for (const plain of [false, true])
      assert.deepEqual(shown(parse(dnsMessage({ answers, plain }))!), [
        ['api.stripe.example', 300, 'edge.cdn.example'],
        ['edge.cdn.example', 20, '203.0.113.7'],
        ['edge.cdn.example', 60, '2001:db8::7'],
      ])
  })

  it('is read from the middle of a buffer, up to its end', () => {
    const message = dnsMessage({ answers: [{ type: 'A', data: '203.0.113.7' }] })
    const bytes = Buffer.concat([Buffer.alloc(5, 0xff), message, Buffer.alloc(9, 0xff)])
    assert.deepEqual(parseDnsMessage(bytes, 5, 5 + message.length), parse(message))
  })

  it('has what comes before the cut', () => {
    const answers = ['192.0.2.1', '192.0.2.2', '192.0.2.3'].map(data => ({ type: 'A', data }) as const)
    const bytes = dnsMessage({ answers })
    const cut = parse(bytes.subarray(0, bytes.length - 1))!
    assert.deepEqual(
      cut.answers.map(({ address }) => formatAddress(address!, 0, 4)),
      ['192.0.2.1', '192.0.2.2'],
    )
  })

  it('is none without a whole header and question', () => {
    const bytes = dnsMessage()
    for (let length = 0; length < bytes.length; length++) assert.equal(parse(bytes.subarray(0, length)), undefined)
  })

  it('has no question where there are several', () => {
    const two = Buffer.concat([
      words(7, 0x0100, 2, 0, 0, 0),
      nameBytes('a.b'),
      words(1, 1),
      nameBytes('c.d'),
      words(1, 1),
    ])
    assert.equal(parse(two)?.question, undefined)
  })

  it('takes a TTL with the highest bit for none', () => {
    const bytes = dnsMessage({ answers: [{ type: 'A', data: '192.0.2.1', ttl: 0x80000001 }] })
    assert.equal(parse(bytes)!.answers[0]!.ttl, 0)
  })

  it('has no address of a wrong length', () => {
    const answers = [{ type: 'A', data: Buffer.alloc(16) }] as const
    assert.deepEqual(parse(dnsMessage({ answers }))!.answers, [])
  })
})

describe('a name', () => {
  it('shows what is not plain in it, so that no two names are one', () => {
    assert.equal(nameOf(Buffer.from('\x03a.b\x01c\0', 'latin1')), 'a\\.b.c')
    assert.equal(nameOf(Buffer.from('\x04\n \xff\\\0', 'latin1')), '\\010\\032\\255\\\\')
    assert.equal(nameOf(Buffer.of(0)), '')
  })

  it('ends where a pointer leads to itself, forward, round in a circle or before the message', () => {
    for (const target of [12, 13, 14, 200, 0, 11]) assert.equal(nameOf(words(0xc000 | target)), undefined)
    const circle = Buffer.concat([HEADER, Buffer.from('\x01a'), words(0xc00e), words(0xc00c), words(1, 1)])
    assert.equal(parse(circle), undefined)
  })

  it('ends at 255 bytes', () => {
    const label = 'x'.repeat(63)
    const longest = `${label}.${label}.${label}.${'x'.repeat(61)}`
    assert.equal(nameOf(nameBytes(longest)), longest)
    assert.equal(nameOf(nameBytes(`${longest}x`)), undefined)
  })

  it('has no label of more than 63 bytes', () => {
    for (const size of [0x40, 0x7f, 0x80, 0xbf])
      assert.equal(nameOf(Buffer.concat([Buffer.of(size), Buffer.alloc(300)])), undefined)
  })
})

/** Numbers that look random and are the same each time (mulberry32). */
function numbersFrom(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

describe('any bytes', () => {
  const next = numbersFrom(53)
  const pick = <T>(of: readonly T[]): T => of[next(of.length)]!
  const label = () => 'abcdefghijklmnopqrstuvwxyz-_0'.slice(next(20), 21 + next(9))
  const randomName = () => Array.from({ length: 1 + next(5) }, label).join('.')
  const types = Object.keys(TYPES) as TypeName[]

  function randomRecord(): RecordOf {
    const type = pick(types)
    const data = { A: '192.0.2.1', AAAA: '2001:db8::1', CNAME: randomName() }[type as string]
    return {
      type,
      ttl: next(2 ** 31),
      data: data ?? Buffer.alloc(next(40), next(256)),
      ...(next(2) && { name: randomName() }),
    }
  }

  function randomMessage(): Uint8Array {
    const message: MessageOf = { id: next(65_536), name: randomName(), type: pick(types), code: next(16) }
    if (next(4) === 0) return dnsMessage(message)
    return dnsMessage({ ...message, answers: Array.from({ length: next(12) }, randomRecord), plain: next(2) === 0 })
  }

  function mutated(bytes: Uint8Array): Uint8Array {
    const changed = Buffer.from(bytes)
    for (let i = 1 + next(6); i > 0; i--) changed[next(changed.length)] = pick([next(256), 0, 0xc0, 0xff, 12, 63])
    return next(4) === 0 ? changed.subarray(0, next(changed.length)) : changed
  }

  /** A megabyte of pointers to the ones before is the most that a name can cost. */
  const longest = Buffer.concat([words(1, 0x8180, 1, 0xffff, 0, 0), nameBytes('a'), words(1, 1)])
  const chained = Buffer.concat([
    longest,
    ...Array.from({ length: 2033 }, (_, i) => words(0xc000 | (i === 0 ? 12 : longest.length + (i - 1) * 2))),
  ])

  it('are read without a fault and in bounded time: 150,000 made, mutated and random messages', function () {
    this.timeout(20_000)
    let slowestMs = 0
    let readable = 0
    const check = (bytes: Uint8Array) => {
      const before = performance.now()
      const message = parse(bytes)
      slowestMs = Math.max(slowestMs, performance.now() - before)
      if (!message) return
      readable++
      assert.ok(message.answers.length <= 256)
      for (const text of [message.question?.name ?? '', ...message.answers.map(({ name, target }) => target ?? name)])
        assert.match(text, /^[!-~]{0,1100}$/)
    }
    for (let i = 0; i < 100_000; i++) check(mutated(randomMessage()))
    for (let i = 0; i < 50_000; i++) check(Buffer.from(Array.from({ length: next(80) }, () => next(256))))
    assert.ok(readable > 50_000, `${readable}`)
    // A pause of the machine's is in it, too.
    assert.ok(slowestMs < 250, `${slowestMs} ms`)
  })

  it('take time by their length alone, whatever their pointers do', () => {
    const before = performance.now()
    for (let i = 0; i < 100; i++) parse(chained)
    assert.ok((performance.now() - before) / 100 < 5)
  })
})
