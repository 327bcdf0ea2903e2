import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { RetryBackOff } from '../../lib/export/retry-back-off.ts'

const config = { initialMs: 1000, maxMs: 30_000, multiplier: 1.5 }

describe('back-off before a request is sent again', () => {
  it('doubles its window up to the longest, and begins anew after a success', () => {
    const backOff = new RetryBackOff({ ...config, multiplier: 2 }, () => 1)
    assert.deepEqual(
      Array.from({ length: 7 }, () => backOff.next()),
      [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000],
    )
    backOff.reset()
    assert.equal(backOff.next(), 1000)
  })

  it('is anywhere in the window, so that many who failed together come back apart', () => {
    const waits = Array.from({ length: 10_000 }, () => new RetryBackOff(config).next())
    const tenths = new Array<number>(10).fill(0)
    for (const wait of waits) tenths[Math.min(9, Math.floor(wait / 100))]!++
    // 1,000 each; a share of 800 to 1,200 is more than six standard deviations wide.
    for (const count of tenths) assert.ok(count > 800 && count < 1200, tenths.join(' '))
  })

  it('is never before the receiver’s time, and spread behind it', () => {
    const waits = Array.from({ length: 1000 }, () => new RetryBackOff(config).next(60_000))
    assert.ok(Math.min(...waits) >= 60_000)
    assert.ok(Math.max(...waits) <= 61_000)
    assert.ok(Math.max(...waits) - Math.min(...waits) > 500)
  })

  it('does not become zero when a receiver names a time that no timer can wait for', () => {
    assert.equal(new RetryBackOff(config).next(1e15), 2 ** 31 - 1)
  })

  it('never spins', () => {
    assert.ok(new RetryBackOff(config, () => 0).next() >= 10)
  })
})
