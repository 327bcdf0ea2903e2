import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { deviceGlob } from '../../lib/config/device-glob.ts'

describe('deviceGlob', () => {
  for (const [pattern, yes, no] of [
    ['eth0', ['eth0'], ['eth01', 'xeth0', 'eth']],
    ['veth-shop-*', ['veth-shop-', 'veth-shop-1'], ['veth-shop', 'veth-shoq-1']],
    ['eth?', ['eth0', 'ethx'], ['eth', 'eth10']],
    ['eth[0-3]', ['eth0', 'eth3'], ['eth4']],
    ['cali[!a-c]*', ['calid', 'cali1x'], ['calia', 'cali']],
    ['a.b+c', ['a.b+c'], ['axb+c', 'a.bbc']],
    ['x[^-]', ['x^', 'x-'], ['xa']],
    ['**', ['', 'anything'], []],
  ] as const) {
    it(`understands ${pattern}`, () => {
      const expression = deviceGlob(pattern)!
      for (const name of yes) assert.match(name, expression)
      for (const name of no) assert.doesNotMatch(name, expression)
    })
  }

  it('refuses what is malformed or matches no device', () => {
    for (const pattern of [
      '',
      'eth[',
      'eth]',
      'eth[]',
      'eth[!]',
      'eth[z-a]',
      'a/b',
      'a b',
      'a:1',
      '.',
      '..',
      'sixteen-letters-',
    ]) {
      assert.equal(deviceGlob(pattern), undefined, pattern)
    }
    assert.ok(deviceGlob('fifteen-letters*'))
  })
})
