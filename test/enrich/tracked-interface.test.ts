import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { reasonOf } from '../../lib/enrich/attach-reason.ts'
import { BackOff } from '../../lib/enrich/back-off.ts'
import { AttachProgress } from '../../lib/enrich/tracked-interface.ts'
import { Failure } from '../../lib/host/failure.ts'

describe('an interface’s state', () => {
  const shown = ({ state, reason, sinceMs }: AttachProgress) => [state, reason, sinceMs]

  it('says why and since when, and news of the same is none', () => {
    const progress = new AttachProgress('queued', 100)
    assert.equal(progress.become('failed', 'permission', 200), true)
    assert.equal(progress.become('failed', 'permission', 300), false)
    assert.deepEqual(shown(progress), ['failed', 'permission', 200])
    assert.equal(progress.become('failed', 'qdisc', 400), true)
    assert.deepEqual(shown(progress), ['failed', 'qdisc', 400])
  })

  it('goes from wanted to attached, degraded, and back to wanted when somebody removes our programs', () => {
    const progress = new AttachProgress('absent', 1)
    assert.equal(progress.become('attached', undefined, 2), true)
    assert.equal(progress.become('degraded', 'bypass', 3), true)
    assert.equal(progress.become('wanted', 'removed', 4), true)
    assert.equal(progress.become('attached', undefined, 5), true)
    assert.deepEqual(shown(progress), ['attached', undefined, 5])
  })

  it('takes no step that can’t be: what was never attached is not degraded, what is gone is nothing any more', () => {
    const progress = new AttachProgress('queued', 1)
    assert.equal(progress.become('degraded', 'bypass', 2), false)
    progress.end()
    assert.equal(progress.become('attached', undefined, 3), false)
    assert.deepEqual([progress.isGone, ...shown(progress)], [true, 'wanted', 'queued', 1])
  })
})

describe('the reason of a failed attach', () => {
  const failure = (step: string, errno?: number) =>
    new Failure({ step, subject: 'eth0', cause: 'x', remedy: 'y', ...(errno !== undefined && { errno }) })

  for (const [errno, reason] of [
    [1, 'permission'],
    [2, 'absent'],
    [19, 'absent'],
    [116, 'absent'],
    [16, 'qdisc'],
    [95, 'unsupported'],
    [28, 'limit'],
    [5, 'error'],
  ] as const)
    it(`is ${reason} for errno ${errno}`, () => assert.equal(reasonOf(failure('attach', errno)), reason))

  it('is told by the step where no errno is', () => {
    const steps = ['attach a second time', 'find the other end of', 'anything']
    assert.deepEqual(
      steps.map(step => reasonOf(failure(step))),
      ['duplicate', 'unreachable', 'error'],
    )
  })
})

describe('the time between attempts', () => {
  it('doubles from a second to a minute, and begins anew after what went well for long', () => {
    const backOff = new BackOff()
    let nowMs = 0
    const waits = Array.from({ length: 8 }, () => {
      const waitMs = backOff.next(nowMs)
      nowMs += waitMs
      return waitMs / 1000
    })
    assert.deepEqual(waits, [1, 2, 4, 8, 16, 32, 60, 60])
    assert.equal(backOff.next(nowMs + 121_000), 1_000)
  })
})
