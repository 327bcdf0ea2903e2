import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'mocha'
import { AddressHistory } from '../../lib/enrich/address-history.ts'

const ADDRESS = 0x0a000001
const MINUTES_MS = 60_000

describe('address history', () => {
  let history: AddressHistory<{ name: string; isReady: boolean }>

  beforeEach(() => {
    history = new AddressHistory()
  })

  const pod = (name: string, isReady = true) => ({ name, isReady })

  function whoAt(atMs: number): string {
    const found = history.at(ADDRESS, atMs)
    if (found === undefined) return 'nobody'
    if ('name' in found) return found.name
    const names = found.candidates.map(({ name }) => name)
    return [...names, ...(found.areAll ? [] : ['another'])].join(' or ')
  }

  it('gives the address to a pod from its creation on, before we heard of it', () => {
    history.claim(ADDRESS, pod('a'), 100_000, 102_000)
    assert.deepEqual([50_000, 100_000, 101_000, 500_000].map(whoAt), ['nobody', 'a', 'a', 'a'])
    assert.equal(history.at(0x0a000002, 101_000), undefined)
  })

  it('gives late flows to a pod that is gone, and leaves open who has what starts within 5 minutes', () => {
    const a = pod('a')
    history.claim(ADDRESS, a, 100_000, 101_000)
    history.release(ADDRESS, a, 200_000)
    const times = [199_000, 201_000, 200_000 + 5 * MINUTES_MS, 200_001 + 5 * MINUTES_MS]
    assert.deepEqual(times.map(whoAt), ['a', 'a or another', 'a or another', 'nobody'])
  })

  it('trusts an address until its pod is to go, and nobody from then on until another has it', () => {
    const a = pod('a')
    history.claim(ADDRESS, a, 100_000, 101_000)
    history.leave(ADDRESS, a, 190_000)
    assert.deepEqual([189_999, 190_000, 195_000].map(whoAt), ['a', 'a or another', 'a or another'])
    // It had been created, and waited for its address, while the other one was there.
    history.claim(ADDRESS, pod('b'), 150_000, 205_000)
    assert.deepEqual([160_000, 189_999, 195_000, 205_000].map(whoAt), ['a', 'a', 'a or b', 'b'])
    history.release(ADDRESS, a, 200_000)
    assert.deepEqual([160_000, 189_999, 195_000, 200_000, 205_000].map(whoAt), ['a', 'a', 'a or b', 'b', 'b'])
  })

  it('gives flows from then on to the successor, and late ones to who had it', () => {
    const a = pod('a')
    history.claim(ADDRESS, a, 100_000, 101_000)
    history.release(ADDRESS, a, 200_000)
    history.claim(ADDRESS, pod('b'), 200_500, 201_500)
    assert.deepEqual([150_000, 199_999, 200_600, 201_600].map(whoAt), ['a', 'a', 'b', 'b'])
  })

  it('gives flows to the successor before we heard that it has the address, when who had it is known to be over', () => {
    const a = pod('a')
    history.claim(ADDRESS, a, 100_000, 101_000)
    history.release(ADDRESS, a, 200_000)
    // It was created, and waited, before the address became free.
    history.claim(ADDRESS, pod('b'), 180_000, 205_000)
    assert.deepEqual([179_000, 190_000, 200_001].map(whoAt), ['a', 'a or b', 'b'])
  })

  it('gives it to the successor also when the end of who had it is heard later', () => {
    const a = pod('a', false)
    history.claim(ADDRESS, a, 100_000, 101_000)
    history.claim(ADDRESS, pod('b'), 200_000, 201_000)
    assert.deepEqual([199_000, 200_500, 201_000].map(whoAt), ['a', 'a or b', 'b'])
    history.release(ADDRESS, a, 203_000)
    assert.deepEqual([199_000, 200_500, 201_000, 204_000].map(whoAt), ['a', 'a or b', 'b', 'b'])
  })

  it('knows nobody as long as two pods that are ready have one address', () => {
    const a = pod('a')
    history.claim(ADDRESS, a, 100_000, 101_000)
    history.claim(ADDRESS, pod('b'), 200_000, 201_000)
    assert.deepEqual([150_000, 300_000].map(whoAt), ['a', 'a or b'])
    a.isReady = false
    assert.equal(whoAt(300_000), 'b')
  })

  it('follows an address from pod to pod, each from its time on', () => {
    for (let i = 0; i < 10; i++) {
      const each = pod(`p${i}`)
      history.claim(ADDRESS, each, i * 1000, i * 1000)
      history.release(ADDRESS, each, i * 1000 + 900)
    }
    assert.deepEqual([500, 3500, 9500, 9950].map(whoAt), ['p0', 'p3', 'p9', 'p9 or another'])
  })

  it('learns by how much the API server’s clock is ahead of ours', () => {
    history.claim(0x0a000009, pod('other'), 130_000, 100_000)
    const a = pod('a')
    history.claim(ADDRESS, a, 140_000, 115_000)
    history.claim(ADDRESS, pod('b'), 231_000, 205_000)
    history.release(ADDRESS, a, 206_000)
    // By its own clock b was created at 231 s, by ours at 201 s at the latest.
    assert.deepEqual([200_000, 202_000, 205_000].map(whoAt), ['a', 'a or b', 'b'])
  })

  it('forgets what ended long ago, and stays bounded where an address changes hands all the time', () => {
    const a = pod('a')
    history.claim(ADDRESS, a, 100_000, 101_000)
    history.release(ADDRESS, a, 200_000)
    history.forget(200_000 + 5 * MINUTES_MS)
    assert.equal(history.size, 1)
    history.forget(200_001 + 5 * MINUTES_MS)
    assert.equal(history.size, 0)
    for (let i = 0; i < 1000; i++) {
      const each = pod(`p${i}`)
      history.claim(ADDRESS, each, 300_000 + i, 300_000 + i)
      history.release(ADDRESS, each, 300_000 + i)
    }
    assert.equal(whoAt(301_500), 'p999 or another')
    history.forget(302_000 + 5 * MINUTES_MS)
    assert.equal(history.size, 0)
  })
})
