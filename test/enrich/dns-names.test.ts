import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { Identity, RemotePoint } from '../../lib/aggregate/identity.ts'
import { parseAddressKey } from '../../lib/capture/address.ts'
import { DnsNamed } from '../../lib/enrich/dns-named.ts'
import { DnsNames } from '../../lib/enrich/dns-names.ts'
import { external, FixedNames, node, web } from '../aggregate/small-cluster.ts'

const NOW = 1_000_000
const ADDRESS = '203.0.113.7'
const address = (i: number) => `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`

function learnt(ttlSeconds = 60): DnsNames {
  const names = new DnsNames()
  names.learn(1, 'api.example', [ADDRESS], ttlSeconds, NOW)
  return names
}

describe('names from DNS', () => {
  it('hold from the answer on, with the clocks’ error', () => {
    const names = learnt()
    assert.equal(names.nameOf(1, ADDRESS, NOW), 'api.example')
    assert.equal(names.nameOf(1, ADDRESS, NOW - 50), 'api.example')
    assert.equal(names.nameOf(1, ADDRESS, NOW - 51), undefined)
  })

  it('hold for their TTL, 30 s to 1 h, and 5 min more', () => {
    for (const [ttlSeconds, holdsMs] of [
      [0, 330_000],
      [60, 360_000],
      [2 ** 31, 3_900_000],
    ] as const) {
      const names = learnt(ttlSeconds)
      assert.equal(names.nameOf(1, ADDRESS, NOW + holdsMs), 'api.example')
      assert.equal(names.nameOf(1, ADDRESS, NOW + holdsMs + 1), undefined)
    }
  })

  it('are still those of a flow that began in their time', () => {
    const names = learnt()
    names.learn(1, 'later.example', [ADDRESS], 60, NOW + 10_000_000)
    assert.equal(names.nameOf(1, ADDRESS, NOW + 1000), 'api.example')
    assert.equal(names.nameOf(1, ADDRESS, NOW + 10_000_001), 'later.example')
  })

  it('are the one that was asked for last before the flow', () => {
    const names = learnt()
    names.learn(1, 'www.example', [ADDRESS], 60, NOW + 1000)
    assert.equal(names.nameOf(1, ADDRESS, NOW + 500), 'api.example')
    assert.equal(names.nameOf(1, ADDRESS, NOW + 1500), 'www.example')
    names.learn(1, 'api.example', [ADDRESS], 60, NOW + 2000)
    assert.equal(names.nameOf(1, ADDRESS, NOW + 2500), 'api.example')
  })

  it('go on when they are learnt again', () => {
    const names = learnt()
    names.learn(1, 'api.example', [ADDRESS], 60, NOW + 300_000)
    assert.equal(names.nameOf(1, ADDRESS, NOW + 650_000), 'api.example')
  })

  it('are gone with their interface', () => {
    const names = learnt()
    names.forget(1)
    assert.deepEqual([names.nameOf(1, ADDRESS, NOW), names.size], [undefined, 0])
  })

  it('are 256 of a pod, and 1,024 addresses: those that were not used for longest go', () => {
    const names = new DnsNames()
    names.learn(2, 'other.example', [ADDRESS], 60, NOW)
    for (let i = 0; i < 300; i++) names.learn(1, `n${i}.example`, [address(i)], 60, NOW)
    assert.equal(names.size, 257)
    assert.equal(names.nameOf(1, address(43), NOW), undefined)
    assert.equal(names.nameOf(1, address(44), NOW), 'n44.example')
    const many = Array.from({ length: 2000 }, (_, i) => address(1000 + i))
    names.learn(1, 'many.example', many, 60, NOW)
    assert.equal(names.size, 1025)
    assert.equal(names.nameOf(1, address(2999), NOW), 'many.example')
    assert.equal(names.nameOf(2, ADDRESS, NOW), 'other.example')
  })

  it('stay of an address that is in use', () => {
    const names = learnt()
    for (let i = 0; i < 10; i++) {
      names.learn(
        1,
        'many.example',
        Array.from({ length: 900 }, (_, j) => address(i * 900 + j)),
        60,
        NOW,
      )
      assert.equal(names.nameOf(1, ADDRESS, NOW), 'api.example')
    }
    assert.equal(names.size, 1024)
  })

  it('are 65,536 addresses of all pods: the one that has learnt nothing for longest gives way', () => {
    const names = new DnsNames()
    for (let pod = 1; pod <= 70; pod++)
      names.learn(
        pod,
        'many.example',
        Array.from({ length: 1000 }, (_, i) => address(i)),
        60,
        NOW,
      )
    assert.ok(names.size <= 65_536 && names.size > 64_000)
    assert.equal(names.nameOf(1, address(1), NOW), undefined)
    assert.equal(names.nameOf(70, address(1), NOW), 'many.example')
  })

  it('keep a bounded memory of one address that has ever new names', () => {
    const names = new DnsNames()
    for (let i = 0; i < 1000; i++) names.learn(1, `n${i % 6}.example`, [ADDRESS], 60, NOW + i)
    assert.equal(names.nameOf(1, ADDRESS, NOW + 999), 'n3.example')
    assert.equal(names.nameOf(1, ADDRESS, NOW + 900), undefined)
  })

  it('have another version only when a flow that was asked for is called otherwise now', () => {
    const names = new DnsNames()
    names.nameOf(1, ADDRESS, NOW)
    names.learn(1, 'api.example', ['203.0.113.8'], 60, NOW)
    names.learn(2, 'api.example', [ADDRESS], 60, NOW)
    names.learn(1, 'api.example', [ADDRESS], 60, NOW + 51)
    assert.equal(names.version, 0)
    names.learn(1, 'api.example', [ADDRESS], 60, NOW + 50)
    assert.equal(names.version, 1)
  })

  it('never say what stands for nobody', () => {
    const names = new DnsNames()
    for (const name of ['external', 'node', 'unknown', '', 'x'.repeat(254)]) names.learn(1, name, [ADDRESS], 60, NOW)
    assert.equal(names.size, 0)
  })
})

const KEY = parseAddressKey(ADDRESS)!
const seenOn = (interfaceSlot: number): RemotePoint => ({ protocol: 6, port: 443, interfaceSlot })

describe('what DNS names', () => {
  const known: Record<string, [identity: Identity, isNamed: boolean]> = {
    'nobody’s address': [external, true],
    'an unknown address': [{ class: 'unknown', name: 'unknown', ports: new Set() }, true],
    'a pod': [web, false],
    'a node': [node, false],
    'a configured block': [{ class: 'external', name: 'office', ports: new Set(), foundBy: 'cidr' }, true],
    'an address that the cluster knows': [{ class: 'external', name: 'mirror', ports: new Set() }, false],
  }
  for (const [what, [identity, isNamed]] of Object.entries(known))
    it(`is ${isNamed ? '' : 'not '}${what}`, () => {
      const names = new FixedNames()
      names.addresses.set(ADDRESS, identity)
      const named = new DnsNamed(names, learnt()).remote(KEY, NOW, seenOn(1))
      assert.equal(named.name, isNamed ? 'api.example' : identity.name)
      assert.equal(named.class, identity.class)
    })

  it('is one end, however often it is asked for, and nobody else’s', () => {
    const named = new DnsNamed(new FixedNames(), learnt())
    assert.equal(named.remote(KEY, NOW, seenOn(1)), named.remote(KEY, NOW + 1, seenOn(1)))
    assert.equal(named.remote(KEY, NOW, seenOn(1)).foundBy, 'dns')
    assert.equal(named.remote(KEY, NOW, seenOn(2)), external)
    assert.equal(named.remote(KEY, NOW), external)
  })
})
