import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'mocha'
import { AddressBinding, type AddressedPod } from '../../lib/enrich/address-binding.ts'

const A = '10.1.0.1'
const B = '10.1.0.2'
let binding: AddressBinding

const pod = (key: string, address = A, more: Partial<AddressedPod> = {}) => ({ key, addresses: [address], ...more })
const at = (appearedMs: number | undefined, key = 'n', ...addresses: string[]) => ({
  ...{ key, addresses: addresses.length > 0 ? addresses : [A] },
  ...(appearedMs !== undefined && { appearedMs }),
})

describe('binding by address', () => {
  beforeEach(() => {
    binding = new AddressBinding()
  })

  function bound(namespaces: Parameters<AddressBinding['bind']>[0], pods: readonly AddressedPod[], nowMs: number) {
    return Object.fromEntries(binding.bind(namespaces, pods, nowMs))
  }

  it('takes the pod that is listed with the address after the namespace appeared', () => {
    assert.deepEqual(bound([at(100)], [], 100), {})
    assert.deepEqual(bound([at(100)], [pod('web')], 120), { n: 'web' })
  })

  it('takes the only pod with the address for a namespace that was there before the agent', () => {
    assert.deepEqual(bound([at(undefined)], [pod('web'), pod('db', B)], 100), { n: 'web' })
  })

  it('takes any of several addresses', () => {
    assert.deepEqual(bound([at(100, 'n', 'fd00::1', B)], [pod('web', B)], 120), { n: 'web' })
  })

  it('never takes a pod that had the address before', () => {
    bound([], [pod('old')], 50)
    assert.deepEqual(bound([at(100)], [pod('old')], 100), {})
    assert.deepEqual(bound([at(100)], [pod('old')], 60_000), {})
  })

  it('takes the new one of two pods with the address, of which the other had it before', () => {
    bound([], [pod('old')], 50)
    assert.deepEqual(bound([at(100)], [pod('old'), pod('new')], 130), { n: 'new' })
  })

  it('takes a pod that was created after the namespace appeared, whenever it was listed', () => {
    bound([], [pod('web', A, { createdMs: 150 })], 50)
    assert.deepEqual(bound([at(100)], [pod('web', A, { createdMs: 150 })], 200), { n: 'web' })
    assert.deepEqual(bound([at(151, 'm')], [pod('web', A, { createdMs: 150 })], 200), {})
  })

  it('takes neither of two that qualify, until one is gone', () => {
    assert.deepEqual(bound([at(undefined)], [pod('a'), pod('b')], 100), {})
    assert.deepEqual(bound([at(undefined)], [pod('b')], 200), { n: 'b' })
  })

  it('is for the namespace’s whole life', () => {
    bound([at(100)], [pod('web')], 120)
    assert.deepEqual(bound([at(100)], [], 130), { n: 'web' })
    assert.deepEqual(bound([at(100)], [pod('other')], 140), { n: 'web' })
    assert.equal(binding.isBound('n'), true)
  })

  it('ends with the namespace: the next one with the address begins without a name', () => {
    bound([at(100)], [pod('web')], 120)
    assert.deepEqual(bound([], [pod('web')], 200), {})
    assert.deepEqual(bound([at(210, 'later')], [pod('web')], 210), {})
    assert.deepEqual(bound([at(210, 'later')], [pod('web'), pod('new')], 260), { later: 'new' })
  })

  it('tells neither of two namespaces with the same address', () => {
    assert.deepEqual(bound([at(100, 'n'), at(100, 'm')], [pod('web')], 120), {})
    assert.deepEqual(bound([at(100, 'm')], [pod('web')], 130), { m: 'web' })
  })

  it('gives a pod one namespace', () => {
    bound([at(100)], [pod('web')], 120)
    assert.deepEqual(bound([at(100, 'n', B), at(110, 'm')], [pod('web')], 130), { n: 'web' })
  })

  it('forgets when a pod was listed once it is no longer', () => {
    bound([], [pod('web')], 50)
    bound([], [], 60)
    assert.deepEqual(bound([at(100)], [pod('web')], 120), { n: 'web' })
  })
})
