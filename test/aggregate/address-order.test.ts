import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { compareAddresses } from '../../lib/aggregate/address-order.ts'
import { parseAddress } from '../../lib/capture/address.ts'

function compare(a: string, b: string): number {
  const bytes = new Uint8Array(32)
  bytes.set(parseAddress(a)!, 0)
  bytes.set(parseAddress(b)!, 16)
  return Math.sign(compareAddresses(bytes, 0, bytes, 16))
}

describe('address order', () => {
  it('is the order of unsigned bytes', () => {
    assert.equal(compare('10.0.0.9', '10.0.0.10'), -1)
    assert.equal(compare('200.0.0.1', '100.0.0.1'), 1)
    assert.equal(compare('fd00::1', 'fd00::ff'), -1)
    assert.equal(compare('fe80::1', 'fe80::1'), 0)
  })
})
