import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { ConsistentSampling } from '../../lib/signals/consistent-sampling.ts'
import { idsOf } from '../../lib/signals/span-ids.ts'

const traceOf = (randomness: string) => `0123456789abcdef01${randomness}`

describe('sampling by the id of the trace', () => {
  for (const [ratio, state] of [
    [1, 'ot=th:0'],
    [0.5, 'ot=th:8'],
    [0.25, 'ot=th:c'],
    [0.75, 'ot=th:4'],
    [0.0625, 'ot=th:f'],
  ] as const)
    it(`at ${ratio} is written as ${state}`, () => {
      assert.equal(new ConsistentSampling(ratio).traceState, state)
    })

  it('takes what is at its threshold and above', () => {
    const half = new ConsistentSampling(0.5)
    assert.equal(half.takes(traceOf('80000000000000')), true)
    assert.equal(half.takes(traceOf('7fffffffffffff')), false)
    assert.equal(half.takes(traceOf('ffffffffffffff')), true)
  })

  it('takes everything at 1 and nothing at 0', () => {
    assert.equal(new ConsistentSampling(1).takes(traceOf('00000000000000')), true)
    assert.equal(new ConsistentSampling(0).takes(traceOf('ffffffffffffff')), false)
    assert.equal(new ConsistentSampling(1e-30).takes(traceOf('ffffffffffffff')), false)
  })

  it('takes its share of the ids that spans have, and of a smaller share only what a larger one takes', () => {
    const [some, few] = [new ConsistentSampling(0.2), new ConsistentSampling(0.05)]
    const ids = Array.from({ length: 20_000 }, (_, i) => idsOf('tcp', i, i * 7).traceId)
    const taken = ids.filter(id => some.takes(id))
    assert.ok(Math.abs(taken.length - 4000) < 300, String(taken.length))
    const rare = ids.filter(id => few.takes(id))
    assert.ok(rare.length > 800 && rare.every(id => some.takes(id)), String(rare.length))
  })
})

describe('ids of spans', () => {
  it('are as long as they have to be, and the same for the same parts alone', () => {
    const ids = idsOf('a', 1, 'b')
    assert.match(ids.traceId, /^[0-9a-f]{32}$/)
    assert.match(ids.clientSpanId, /^[0-9a-f]{16}$/)
    assert.match(ids.serverSpanId, /^[0-9a-f]{16}$/)
    assert.deepEqual(idsOf('a', 1, 'b'), ids)
    assert.notDeepEqual(idsOf('a', 1, 'c'), ids)
    assert.notDeepEqual(idsOf('a1', 'b'), ids)
    assert.equal(new Set(Object.values(ids)).size, 3)
  })
})
