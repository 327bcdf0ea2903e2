import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { MetricBackOff } from '../../lib/export/metric-back-off.ts'

describe('back-off of metrics', () => {
  it('has a window that doubles up to an interval, and begins anew after a success', () => {
    const backOff = new MetricBackOff(10_000, () => 0.5)
    const waits = () => [1, 2, 3, 4, 5, 6].map(() => backOff.next())
    assert.deepEqual(waits(), [500, 1000, 2000, 4000, 5000, 5000])
    backOff.reset()
    assert.equal(backOff.next(), 500)
  })

  it('is spread over the whole window, but for its very beginning', () => {
    const [earliest, latest] = [0, 0.999].map(random => new MetricBackOff(10_000, () => random).next())
    assert.deepEqual([earliest, latest], [10, 999])
  })

  it('waits as long as the receiver says, though that is longer than an interval', () => {
    const backOff = new MetricBackOff(1_000, () => 0.5)
    assert.deepEqual([backOff.next(60_000), backOff.next(1)], [60_000, 500])
  })
})
