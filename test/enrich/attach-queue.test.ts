import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, it } from 'mocha'
import { AttachQueue } from '../../lib/enrich/attach-queue.ts'
import { systemClock } from '../../lib/host/clock.ts'

describe('the queue of interfaces that are to be attached', () => {
  let queue: AttachQueue
  let taken: string[] = []

  const open = (paceMs: number) => {
    taken = []
    queue = new AttachQueue({ paceMs, clock: systemClock })
  }
  const take =
    (name: string, ms = 0) =>
    async () => {
      taken.push(name)
      await sleep(ms)
    }
  afterEach(() => queue.stop())

  it('takes what was there at the start in its order, and what comes later first, the newest before all', async () => {
    open(5)
    for (const name of ['a', 'b', 'c']) queue.addToBacklog(name, take(name))
    while (taken.length === 0) await sleep(1)
    for (const name of ['new', 'newer']) queue.addArrival(name, take(name))
    await queue.settled()
    assert.deepEqual(taken, ['a', 'newer', 'new', 'b', 'c'])
  })

  it('begins no turn earlier than the pace after the one before, and takes one at a time', async () => {
    open(40)
    const times: number[] = []
    let running = 0
    for (const name of ['a', 'b', 'c'])
      queue.addToBacklog(name, async () => {
        assert.equal(++running, 1)
        times.push(performance.now())
        await sleep(10)
        running--
      })
    await queue.settled()
    const gaps = times.slice(1).map((time, i) => time - times[i]!)
    assert.ok(gaps.length === 2 && gaps.every(gap => gap >= 39), String(gaps))
  })

  it('lets who comes later wait for nobody but the turn that is being taken', async () => {
    open(1_000)
    queue.addToBacklog('a', take('a'))
    queue.addToBacklog('b', take('b'))
    while (taken.length === 0) await sleep(1)
    const startMs = performance.now()
    await sleep(5)
    for (const name of ['new', 'newer']) queue.addArrival(name, take(name))
    while (taken.length < 3) await sleep(1)
    assert.ok(performance.now() - startMs < 500)
    assert.deepEqual(taken, ['a', 'newer', 'new'])
  })

  it('does not wait where nobody was attached for longer than the pace', async () => {
    open(1_000)
    const startMs = performance.now()
    queue.addArrival('a', take('a'))
    await queue.settled()
    assert.ok(performance.now() - startMs < 500)
  })

  it('forgets who is removed, waiting or put off', async () => {
    open(20)
    for (const name of ['a', 'b', 'c']) queue.addToBacklog(name, take(name))
    queue.addLater('d', take('d'), 10)
    assert.deepEqual([queue.has('b'), queue.has('d')], [true, true])
    queue.remove('b')
    queue.remove('d')
    assert.deepEqual([queue.has('b'), queue.has('d')], [false, false])
    await queue.settled()
    await sleep(20)
    assert.deepEqual(taken, ['a', 'c'])
  })

  it('ends with the turn that is being taken', async () => {
    open(10_000)
    queue.addToBacklog('a', take('a', 20))
    queue.addToBacklog('b', take('b'))
    queue.addLater('c', take('c'), 1)
    while (taken.length === 0) await sleep(1)
    await queue.stop()
    queue.addArrival('d', take('d'))
    await sleep(10)
    assert.deepEqual(taken, ['a'])
  })
})
