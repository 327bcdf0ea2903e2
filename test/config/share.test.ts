import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { formatShare, shareBetween } from '../../lib/config/share.ts'

describe('a share of a core', () => {
  it('is a percentage between two bounds', () => {
    const read = ['1%', '0.7%', '12.5%', '0.1%', '1000%'].map(text => shareBetween(text, 0.1, 1000))
    assert.deepEqual(read, [0.01, 0.007, 0.125, 0.001, 10])
  })

  it('is nothing else', () => {
    for (const text of ['0.05%', '0%', '1000.1%', '1', '1 %', '-1%', '%', '1.%', 'off', ''])
      assert.equal(shareBetween(text, 0.1, 1000), undefined, text)
  })

  it('is written as it was read', () => {
    assert.deepEqual([0.01, 0.007, 0.125, 10, 0].map(formatShare), ['1%', '0.7%', '12.5%', '1000%', 'off'])
  })
})
