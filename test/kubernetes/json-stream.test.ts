// Cutting streams of JSON into objects, however they come in pieces.
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { LineSplitter, ListSplitter } from '../../lib/kubernetes/json-stream.ts'

const items = [{ a: 1, items: [{ b: '}],{"' }] }, {}, { 'ü\\"': [[{}], '\\'] }, { long: 'x'.repeat(300) }]
const listed = { kind: 'List', metadata: { continue: 'a,b', resourceVersion: '7' }, items, after: [1, 2] }

/** The text in pieces of so many bytes. */
function pieces(text: string, bytes: number): Uint8Array[] {
  const whole = Buffer.from(text)
  return Array.from({ length: Math.ceil(whole.length / bytes) }, (_, i) => whole.subarray(i * bytes, (i + 1) * bytes))
}

describe('a list', () => {
  for (const text of [JSON.stringify(listed), JSON.stringify(listed, null, 2)])
    for (const bytes of [1, 2, 3, 7, 100, 10_000])
      it(`of ${text.length} characters in pieces of ${bytes} bytes gives its items and what is around them`, () => {
        const splitter = new ListSplitter()
        const found = pieces(text, bytes).flatMap(piece => [...splitter.push(piece)])
        assert.deepEqual(
          found.map(each => JSON.parse(each) as unknown),
          items,
        )
        assert.ok(splitter.isComplete)
        assert.deepEqual(JSON.parse(splitter.envelope()!), { ...listed, items: [] })
      })

  it('skips items that are too long, and goes on behind them', () => {
    const splitter = new ListSplitter(100)
    const found = pieces(JSON.stringify(listed), 50).flatMap(piece => [...splitter.push(piece)])
    assert.deepEqual(
      found.map(each => JSON.parse(each) as unknown),
      items.slice(0, 3),
    )
    assert.equal(splitter.skipped, 1)
    assert.ok(splitter.isComplete)
  })

  it('is not complete before its own end', () => {
    const text = JSON.stringify(listed)
    for (const length of [0, 1, text.length / 2, text.length - 1]) {
      const splitter = new ListSplitter()
      assert.ok([...splitter.push(Buffer.from(text.slice(0, length)))].length <= items.length)
      assert.ok(!splitter.isComplete, `${length}`)
    }
  })

  it('keeps no more of what is around its items than a bound', () => {
    const splitter = new ListSplitter()
    const megabyte = Buffer.alloc(1024 * 1024, 0x20)
    assert.deepEqual([...splitter.push(Buffer.from('{'))], [])
    for (let i = 0; i < 8; i++) assert.deepEqual([...splitter.push(megabyte)], [])
    assert.deepEqual([...splitter.push(Buffer.from('}'))], [])
    assert.equal(splitter.envelope(), undefined)
  })
})

describe('lines', () => {
  it('come whole, but for those that are too long', () => {
    const text = `one\n\n${'x'.repeat(21)}\n${'y'.repeat(20)}\nzwölf\nhalf`
    for (const bytes of [1, 2, 5, 1_000]) {
      const fresh = new LineSplitter(20)
      const found = pieces(text, bytes).flatMap(piece => [...fresh.push(piece)])
      assert.deepEqual(found, ['one', 'y'.repeat(20), 'zwölf'])
      assert.equal(fresh.skipped, 1)
    }
  })
})
