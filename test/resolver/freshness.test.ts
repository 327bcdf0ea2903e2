// How much of what happened somebody has heard: a resolver of the API server, an agent of a resolver.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, describe, it } from 'mocha'
import { HeardTime } from '../../lib/enrich/heard-time.ts'
import { systemClock } from '../../lib/host/clock.ts'
import type { ClusterListener } from '../../lib/kubernetes/cluster-objects.ts'
import { Freshness } from '../../lib/resolver/freshness.ts'
import { LateWords } from '../../lib/resolver/late-words.ts'
import { OwnWords } from '../../lib/resolver/own-words.ts'
import { behindIn } from '../../lib/resolver/versions.ts'
import { clusterPod, HEARD_MS } from '../support/cluster-objects.ts'
import { TestClock } from './linked.ts'

describe('a resolver’s freshness', () => {
  let asked: number
  let answer: () => Promise<boolean>
  let syncedAtMs: number | undefined
  let freshness: Freshness
  const watched = { versions: { heard: { pods: '7' }, changed: { pods: '5' } }, lacks: {}, old: {} }

  beforeEach(() => {
    asked = 0
    answer = async () => true
    syncedAtMs = 42
    const pods = {
      isCurrent: () => {
        asked++
        return answer()
      },
      get state() {
        return { resource: 'pods', syncedAtMs, requests: 0, bytes: 0, objects: 0, skipped: 0 } as never
      },
    }
    freshness = new Freshness({ pods, watched, clock: systemClock, limitMs: 60 })
  })

  it('is that of now where the API server answers, and one question does for all who ask', async () => {
    const [first, ...more] = await Promise.all(Array.from({ length: 100 }, () => freshness.of()))
    assert.deepEqual([first!.behind, first!.since, first!.heard, first!.changed], [0, 42, { pods: '7' }, { pods: '5' }])
    assert.ok(more.every(({ behind }) => behind === 0))
    // Those who came while the first question was under way have asked after it.
    assert.ok(asked <= 2, `${asked}`)
    assert.ok(systemClock.nowMs() - freshness.surelyAtMs! < 1_000)
  })

  it('is that of the last answer where it does not, and never waits long', async () => {
    await freshness.of()
    await sleep(50)
    for (const silence of [async () => false, () => new Promise<boolean>(() => {})]) {
      answer = silence
      const beginMs = systemClock.monotonicMs()
      const { behind } = await freshness.of()
      assert.ok(behind! >= 45 && behind! < 1_000, `${behind}`)
      assert.ok(systemClock.monotonicMs() - beginMs < 200)
    }
    answer = async () => true
    assert.equal((await freshness.of()).behind, 0)
  })

  it('is none before it was ever sure', async () => {
    answer = async () => false
    assert.equal((await freshness.of()).behind, null)
    answer = () => Promise.reject(new Error('no'))
    assert.equal((await freshness.of()).behind, null)
  })
})

describe('words of the API server that come late', () => {
  it('are told with the time after which they can be, and others without', () => {
    const clock = new TestClock()
    const heard: unknown[] = []
    const listener: ClusterListener = {
      changed: (_, { name }, atMs, sinceMs) => heard.push([name, atMs, sinceMs]),
      deleted: (_, uid, atMs, sinceMs) => heard.push([uid, atMs, sinceMs]),
      synced: (_, uids, atMs, sinceMs) => heard.push([uids.size, atMs, sinceMs]),
    }
    let surelyAtMs: number | undefined
    const words = new LateWords({ listener, surelyAtMs: () => surelyAtMs, clock })
    words.changed('pods', clusterPod({ name: 'first' }), HEARD_MS)
    surelyAtMs = HEARD_MS - 1_500
    words.deleted('pods', 'in-time', HEARD_MS)
    surelyAtMs = HEARD_MS - 2_000
    words.deleted('pods', 'late', HEARD_MS)
    words.synced('pods', new Set(), HEARD_MS)
    assert.deepEqual(heard, [
      ['first', HEARD_MS, undefined],
      ['in-time', HEARD_MS, undefined],
      ['late', HEARD_MS, HEARD_MS - 2_000],
      [0, HEARD_MS, HEARD_MS - 2_000],
    ])
  })
})

describe('what an agent has heard', () => {
  it('ends where it was not told more, and has gaps where nobody knows what was', () => {
    const heard = new HeardTime(Number.NEGATIVE_INFINITY)
    assert.equal(heard.has(0), false)
    heard.heard(50_000, 100_000, 100_000)
    // Somebody who knows of everything that was before tells us now.
    heard.heard(90_000, 110_000, 110_000)
    assert.deepEqual(
      [0, 99_999, 105_000, 110_000].map(ms => heard.has(ms)),
      [true, true, true, false],
    )
    heard.heard(150_000, 160_000, 160_000)
    assert.deepEqual(
      [109_999, 110_000, 149_999, 150_000].map(ms => heard.has(ms)),
      [true, false, false, true],
    )
    assert.deepEqual([heard.gapEnd(120_000), heard.gapEnd(155_000)], [150_000, undefined])
    heard.heard(0, 120_000, 161_000)
    assert.equal(heard.untilMs, 160_000)
    heard.heard(0, 600_000, 600_000)
    assert.equal(heard.has(120_000), true)
  })

  it('is less than a resolver says that has not heard of what the API server has told the agent', () => {
    const words = new OwnWords()
    words.note(undefined, 1_000)
    words.note('100', 2_000)
    words.note('120', 3_000)
    // Words take their time.
    assert.equal(words.heardBy('110', 4_900), Number.POSITIVE_INFINITY)
    assert.equal(words.heardBy('99', 5_100), 1_000)
    assert.equal(words.heardBy('110', 5_100), 2_000)
    assert.equal(words.heardBy('120', 9_000), Number.POSITIVE_INFINITY)
    words.note('130', 5_200)
    assert.equal(words.heardBy('125', 8_000), 3_000)
    assert.equal(words.heardBy('130', 8_000), Number.POSITIVE_INFINITY)
  })

  it('is compared by versions that are numbers, however long', () => {
    assert.equal(behindIn({ pods: '99', nodes: '7' }, { pods: '100' }), 'pods')
    assert.equal(behindIn({ pods: '18446744073709551615' }, { pods: '18446744073709551614' }), undefined)
    assert.equal(behindIn({}, { pods: '1' }), 'pods')
    assert.equal(behindIn({ pods: 'x' }, { pods: '1' }), undefined)
    assert.equal(behindIn({ pods: '1' }, { pods: 'x' }), undefined)
    assert.equal(behindIn({ pods: '1' }, {}), undefined)
  })
})
