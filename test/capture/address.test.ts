// Our addresses against Node's own: SocketAddress for text, BlockList for blocks.
import assert from 'node:assert/strict'
import { BlockList, isIPv4, SocketAddress } from 'node:net'
import { describe, it } from 'mocha'
import { cidrContains, formatAddress, parseAddress, parseCidr } from '../../lib/capture/address.ts'

describe('address', () => {
  it('writes IPv6 as RFC 5952 does', () => {
    const examples = {
      '2001:DB8:0:0:1:0:0:1': '2001:db8::1:0:0:1',
      '2001:db8:0:1:1:1:1:1': '2001:db8:0:1:1:1:1:1',
      '2001:db8:0:0:0:0:2:1': '2001:db8::2:1',
      '2001:0db8::0001:0:0:0': '2001:db8:0:0:1::',
      '0:0:0:0:0:0:0:0': '::',
      '::1': '::1',
      'fe80::': 'fe80::',
      '64:ff9b::192.0.2.33': '64:ff9b::c000:221',
    }
    for (const [written, shortest] of Object.entries(examples)) assert.equal(roundTrip(written), shortest)
  })

  it('shows an IPv4-mapped address as IPv4', () => {
    const bytes = Uint8Array.of(...Array(10).fill(0), 0xff, 0xff, 192, 0, 2, 1)
    assert.equal(formatAddress(bytes, 0, 6), '192.0.2.1')
    assert.deepEqual(parseAddress('::ffff:192.0.2.1'), Uint8Array.of(192, 0, 2, 1))
  })

  it('reads a row of a column, IPv4 in its first 4 bytes', () => {
    const column = new Uint8Array(32).fill(0xee)
    column.set([10, 0, 0, 7], 16)
    assert.equal(formatAddress(column, 16, 4), '10.0.0.7')
  })

  it('agrees with SocketAddress on 20,000 random addresses', () => {
    const random = randomBytes(1)
    for (let i = 0; i < 20_000; i++) {
      const bytes = random(16)
      const text = formatAddress(bytes, 0, 6)
      const long = Array.from({ length: 8 }, (_, g) => ((bytes[g * 2]! << 8) | bytes[g * 2 + 1]!).toString(16)).join(
        ':',
      )
      const canonical = new SocketAddress({ address: long, family: 'ipv6' }).address
      // inet_ntop writes ::a.b.c.d in the deprecated mixed form.
      if (!canonical.includes('.')) assert.equal(text, canonical)
      const back = parseAddress(long)
      assert.deepEqual(back && [...back], isIPv4(text) ? [...bytes.subarray(12)] : [...bytes])
      assert.deepEqual(parseAddress(text), back)
    }
  })

  it('refuses what is no address', () => {
    for (const text of [
      '',
      '10.0.0',
      '10.0.0.256',
      '010.0.0.1',
      'fe80::1%eth0',
      '1::2::3',
      '[::1]',
      'host',
      '10.0.0.1/8',
    ]) {
      assert.equal(parseAddress(text), undefined, text)
    }
  })

  it('agrees with BlockList on random addresses and blocks', () => {
    const random = randomBytes(2)
    const seen = { inside: 0, outside: 0 }
    for (let i = 0; i < 10_000; i++) {
      const family = i % 2 === 0 ? 4 : 6
      const network = random(family === 4 ? 4 : 16)
      const prefixLength = (random(1)[0]! * 3 + i) % (family === 4 ? 33 : 129)
      const block = formatAddress(network, 0, family)
      if (family === 6 && isIPv4(block)) continue
      const address = network.slice()
      const flipped = (random(1)[0]! * 7) % (network.length * 8)
      address[flipped >> 3]! ^= 0x80 >> (flipped & 7)
      if (family === 6 && isIPv4(formatAddress(address, 0, 6))) continue
      const list = new BlockList()
      list.addSubnet(block, prefixLength, family === 4 ? 'ipv4' : 'ipv6')
      const inside = list.check(formatAddress(address, 0, family), family === 4 ? 'ipv4' : 'ipv6')
      assert.equal(cidrContains(parseCidr(`${block}/${prefixLength}`)!, address), inside, `${block}/${prefixLength}`)
      seen[inside ? 'inside' : 'outside']++
    }
    assert.ok(seen.inside > 1000 && seen.outside > 1000, JSON.stringify(seen))
  })

  it('keeps the families apart', () => {
    assert.equal(cidrContains(parseCidr('::/0')!, parseAddress('10.0.0.1')!), false)
    assert.equal(cidrContains(parseCidr('::ffff:10.0.0.0/104')!, parseAddress('10.0.0.1')!), true)
    assert.equal(cidrContains(parseCidr('0.0.0.0/0')!, parseAddress('2001:db8::1')!), false)
  })

  it('refuses what is no block', () => {
    for (const text of [
      '10.0.0.0',
      '10.0.0.0/33',
      '::/129',
      '10.0.0.0/',
      '/8',
      '10.0.0.0/8/8',
      '10.0.0.0/-1',
      '::ffff:10.0.0.0/8',
    ]) {
      assert.equal(parseCidr(text), undefined, text)
    }
  })
})

function roundTrip(text: string): string {
  return formatAddress(parseAddress(text)!, 0, 6)
}

/** Repeatable, and rich in zero groups, where the text form is decided. */
function randomBytes(seed: number): (length: number) => Uint8Array {
  let state = seed
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state >>> 24
  }
  return length => {
    const bytes = Uint8Array.from({ length }, next)
    for (let i = 0; i + 1 < length; i += 2) if (next() < 110) bytes.fill(0, i, i + 2)
    if (length === 16 && next() < 16) bytes.fill(0, 0, 10).fill(0xff, 10, 12)
    return bytes
  }
}
