import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { Rescan, type Settled } from '../../lib/enrich/rescan.ts'
import { systemClock } from '../../lib/host/clock.ts'
import { until } from '../support/until.ts'

const SETTLED = { unsettled: false, young: false, lacking: false }
const times = { settleMs: 20, youngMs: 10, againMs: 20, lackingMs: 60, regularMs: 5_000 }

describe('when to look again', () => {
  let looks: number[]
  let result: Omit<Settled, 'tookMs'>
  let lookMs: number
  let rescan: Rescan

  beforeEach(() => {
    looks = []
    result = SETTLED
    lookMs = 0
    const look = async () => {
      looks.push(performance.now())
      if (lookMs > 0) await sleep(lookMs)
      return { ...result, tookMs: lookMs }
    }
    rescan = new Rescan(systemClock, look, times)
  })
  afterEach(() => rescan.stop())

  it('is once, shortly after a few changes in a row', async () => {
    await rescan.look()
    for (let i = 0; i < 10; i++) rescan.changed()
    await until('a look', () => looks.length > 1)
    await sleep(100)
    assert.equal(looks.length, 2)
  })

  it('is during changes without an end too', async () => {
    const changing = setInterval(() => rescan.changed(), 2)
    await until('three looks', () => looks.length >= 3, { limitMs: 1_000 })
    clearInterval(changing)
  })

  it('is after the look during which something changed', async () => {
    lookMs = 30
    const looking = rescan.look()
    rescan.changed()
    await looking
    await until('a second look', () => looks.length === 2, { limitMs: 1_000 })
  })

  it('leaves four fifths of the time to others', async () => {
    lookMs = 20
    const changing = setInterval(() => rescan.changed(), 2)
    await until('three looks', () => looks.length >= 3, { limitMs: 2_000 })
    clearInterval(changing)
    assert.ok(looks[2]! - looks[1]! >= 95, `${looks[2]! - looks[1]!} ms from look to look`)
  })

  it('is after twice the time, again and again, while something is unsettled', async () => {
    result = { unsettled: true, young: false, lacking: false }
    await rescan.look()
    await until('five looks', () => looks.length >= 5, { limitMs: 3_000 })
    assert.ok(looks[4]! - looks[3]! >= 2 * (looks[2]! - looks[1]!), looks.join(' '))
  })

  it('is again and again while something is young', async () => {
    result = { unsettled: true, young: true, lacking: false }
    await rescan.look()
    await until('ten looks', () => looks.length >= 10, { limitMs: 1_000 })
  })

  it('is regular while something can’t be had', async () => {
    result = { unsettled: false, young: false, lacking: true }
    await rescan.look()
    await until('eight looks', () => looks.length >= 8, { limitMs: 3_000 })
    // Twice the time each would be more than a second by now.
    assert.ok(looks[7]! - looks[6]! < 10 * times.lackingMs)
  })

  it('is over after the stop', async () => {
    rescan.changed()
    rescan.stop()
    await rescan.look()
    await sleep(50)
    assert.deepEqual(looks, [])
  })
})
