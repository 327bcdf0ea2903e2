// Addresses of which somebody else tells us: what is told is merged with what we know, and nothing is sure beyond what was heard.
import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'mocha'
import { AddressHistory, type KnownClaim } from '../../lib/enrich/address-history.ts'
import { HeardTime } from '../../lib/enrich/heard-time.ts'

const ADDRESS = 0x0a000001
const MINUTES_MS = 60_000

interface TestPod {
  readonly name: string
  readonly isReady: boolean
  readonly isTold: boolean
}

describe('an address history that is told', () => {
  let history: AddressHistory<TestPod>
  let heard: HeardTime
  const pod = (name: string, isTold = true): TestPod => ({ name, isTold, isReady: true })
  const [a, b, c] = ['a', 'b', 'c'].map(name => pod(name)) as [TestPod, TestPod, TestPod]

  beforeEach(() => {
    history = new AddressHistory()
    heard = history.heard = new HeardTime(Number.NEGATIVE_INFINITY)
  })

  const claim = (holder: TestPod, times: Partial<KnownClaim<TestPod>> = {}) => ({
    ...{ holder, createdMs: 100_000, seenMs: 101_000 },
    ...times,
  })

  /** By somebody who has heard of everything since. */
  function tellSince(sinceMs: number, nowMs: number, ...claims: KnownClaim<TestPod>[]): void {
    history.told(ADDRESS, claims, nowMs)
    heard.heard(sinceMs, nowMs, nowMs)
  }

  const tell = (nowMs: number, ...claims: KnownClaim<TestPod>[]) => tellSince(0, nowMs, ...claims)

  function whoAt(atMs: number): string {
    const found = history.at(ADDRESS, atMs)
    if (found === undefined) return 'nobody'
    if ('name' in found) return found.name
    return [...found.candidates.map(({ name }) => name), ...(found.areAll ? [] : ['another'])].join(' or ')
  }

  it('says who it was up to what was heard, and not a moment later', () => {
    tell(200_000, claim(a))
    assert.deepEqual([150_000, 199_999, 200_000, 300_000].map(whoAt), ['a', 'a', 'a or another', 'a or another'])
    heard.heard(0, 250_000, 250_000)
    assert.deepEqual([200_000, 249_999, 250_000].map(whoAt), ['a', 'a', 'a or another'])
  })

  it('does not doubt what we have heard ourselves', () => {
    history.claim(ADDRESS, pod('own', false), 100_000, 101_000)
    assert.equal(whoAt(300_000), 'own')
  })

  it('has the history that the other one has', () => {
    const ended = claim(a, { createdMs: 50_000, seenMs: 51_000, leavingMs: 98_000, endedMs: 99_000 })
    tell(200_000, ended, claim(b))
    assert.deepEqual([97_000, 98_500, 101_000].map(whoAt), ['a', 'a or another', 'b'])
  })

  it('keeps who had it, and the earlier word of what both know', () => {
    tell(200_000, claim(a, { leavingMs: 190_000 }))
    tell(210_000, claim(a, { createdMs: 120_000, seenMs: 205_000, leavingMs: 208_000 }))
    assert.deepEqual(history.of(ADDRESS), [claim(a, { leavingMs: 190_000 })])
    tell(220_000, claim(b, { createdMs: 212_000, seenMs: 212_500 }))
    assert.deepEqual([150_000, 190_000, 212_500].map(whoAt), ['a', 'a or another', 'b'])
  })

  it('takes who is not mentioned any more for gone since it was heard of last', () => {
    tell(200_000, claim(a))
    // Nobody told us anything for a minute; another one knows of b alone.
    tell(260_000, claim(b, { createdMs: 240_000, seenMs: 241_000 }))
    assert.deepEqual([199_999, 200_001, 230_000, 245_000].map(whoAt), ['a', 'a or another', 'a or another', 'b'])
    assert.deepEqual(history.of(ADDRESS)[0], claim(a, { leavingMs: 200_000, endedMs: 260_000 }))
  })

  it('does not know who else may have come and gone while nobody listened', () => {
    tellSince(0, 200_000, claim(a, { leavingMs: 190_000, endedMs: 195_000 }))
    // Who tells us now has just begun: it knows what is there, and nothing of what was.
    tellSince(260_000, 261_000, claim(b, { createdMs: 210_000, seenMs: 260_000 }))
    assert.deepEqual([189_000, 250_000, 260_500].map(whoAt), ['a', 'b or another', 'b'])
  })

  it('believes words of a time at which nobody listened to be late', () => {
    tellSince(0, 200_000, claim(a))
    tellSince(250_000, 260_000, claim(a, { leavingMs: 250_000 }))
    assert.deepEqual([199_999, 230_000, 250_000].map(whoAt), ['a', 'a or another', 'a or another'])
    tellSince(250_000, 300_000, claim(a, { leavingMs: 250_000, endedMs: 290_000 }))
    assert.equal(whoAt(230_000), 'a or another')
  })

  it('had the same pod all along if it has it before and after', () => {
    tell(200_000, claim(a))
    tell(260_000, claim(a, { createdMs: 100_000, seenMs: 255_000 }))
    assert.deepEqual([199_999, 230_000, 259_000].map(whoAt), ['a', 'a', 'a'])
    // Also if it goes later.
    tell(400_000, claim(a, { leavingMs: 350_000 }))
    assert.deepEqual([230_000, 360_000].map(whoAt), ['a', 'a or another'])
  })

  it('has a pod again that was taken for gone', () => {
    tell(200_000, claim(a))
    tell(210_000)
    assert.equal(whoAt(205_000), 'a or another')
    tell(220_000, claim(a))
    assert.deepEqual([150_000, 205_000, 215_000].map(whoAt), ['a', 'a', 'a'])
    history.forget(210_001 + 5 * MINUTES_MS)
    assert.equal(history.size, 1)
  })

  it('tells two times of one pod apart', () => {
    const twice = [
      claim(a, { endedMs: 110_000 }),
      claim(b, { createdMs: 111_000, seenMs: 111_000, endedMs: 119_000 }),
      claim(a, { createdMs: 120_000, seenMs: 120_500 }),
    ]
    tell(200_000, ...twice)
    tell(201_000, ...twice)
    assert.deepEqual(history.of(ADDRESS), twice)
  })

  it('does not know whether there is a third where it has not heard of two', () => {
    history.told(
      ADDRESS,
      [claim(a, { leavingMs: 150_000 }), claim(b, { createdMs: 140_000, seenMs: 160_000 })],
      200_000,
    )
    heard.heard(0, 170_000, 200_000)
    assert.deepEqual([155_000, 165_000, 180_000].map(whoAt), ['a or b', 'b', 'a or b or another'])
  })

  it('forgets what is not asked for any more, and nothing else', () => {
    const own = pod('own', false)
    history.claim(ADDRESS, own, 100_000, 101_000)
    tell(200_000, claim(c, { endedMs: 99_000 }))
    assert.deepEqual(history.holders(), new Set([own, c]))
    history.untell(ADDRESS)
    assert.deepEqual([...history.holders()], [own])
    history.forget(200_000 + 5 * MINUTES_MS)
    assert.equal(whoAt(300_000), 'own')
  })
})
