import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { notReady, type ReadinessParts } from '../../lib/enrich/readiness.ts'

describe('readiness', () => {
  const attached = { state: 'attached', reason: undefined } as const
  const refused = { state: 'failed', reason: 'permission' } as const
  const reasons = (parts: Partial<ReadinessParts>) =>
    notReady({ interfaces: [], minAttached: 0.5, sinceDrainMs: 100, drainIntervalMs: 1_000, ...parts })

  it('is there with the share of interfaces that is asked for, and gone below it', () => {
    assert.deepEqual(reasons({ interfaces: [attached, refused] }), [])
    const queued = { state: 'wanted', reason: 'queued' } as const
    assert.deepEqual(reasons({ interfaces: [attached, refused, queued] }), [
      'attached to 1 of 3 interfaces, less than 50%: 1 failed permission, 1 wanted queued',
    ])
  })

  it('counts degraded interfaces as attached, and leaves out what isn’t there', () => {
    const degraded = { state: 'degraded', reason: 'bypass' } as const
    const absent = { state: 'wanted', reason: 'absent' } as const
    assert.deepEqual(reasons({ interfaces: [degraded, absent, absent], minAttached: 1 }), [])
  })

  it('needs no interface, but a drain of late', () => {
    assert.deepEqual(reasons({}), [])
    assert.deepEqual(reasons({ sinceDrainMs: undefined }), ['nothing has been drained from the kernel yet'])
    assert.deepEqual(reasons({ sinceDrainMs: 4_900 }), [])
    assert.deepEqual(reasons({ sinceDrainMs: 6_100 }), ['nothing was drained from the kernel for 6s'])
    assert.deepEqual(reasons({ sinceDrainMs: 6_100, drainIntervalMs: 2_000 }), [])
  })
})
