import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, it } from 'mocha'
import { BudgetJudge, type MeasuredPrograms, ProgramBudget } from '../../lib/capture/program-budget.ts'
import { systemClock } from '../../lib/host/clock.ts'
import { capturedLog } from '../support/captured-log.ts'
import { PretendPrograms } from '../support/pretend-programs.ts'

/** One window of 1 s in each 10 s; the times at which detail changed, and to what. */
function changes(shares: readonly number[]): [number, boolean][] {
  const judge = new BudgetJudge(0.01, 60_000)
  return shares.flatMap((share, i): [number, boolean][] => {
    const fromMs = i * 10_000
    return judge.observe(share, fromMs, fromMs + 1000) ? [[i, judge.detail]] : []
  })
}

function times(count: number, share: number): number[] {
  return new Array<number>(count).fill(share)
}

describe('the budget of our programs', () => {
  it('is exceeded when every window of a minute says so', () => {
    assert.deepEqual(changes(times(6, 0.011)), [])
    assert.deepEqual(changes(times(7, 0.011)), [[6, false]])
    assert.deepEqual(changes([...times(6, 0.9), 0.01, ...times(6, 0.9)]), [])
    assert.deepEqual(changes([...times(6, 0.9), 0.01, ...times(7, 0.9)]), [[13, false]])
  })

  it('is kept again when every window of a minute is below half of it', () => {
    const over = times(7, 0.02)
    assert.deepEqual(changes([...over, ...times(100, 0.0051)]), [[6, false]])
    assert.deepEqual(changes([...over, ...times(6, 0.0049), 0.006, ...times(7, 0.0049)]), [
      [6, false],
      [20, true],
    ])
  })
})

describe('the brake', () => {
  let budget: ProgramBudget | undefined
  const { log, messages } = capturedLog()

  afterEach(async () => {
    await budget?.stop()
    messages.length = 0
  })

  function brake(programs: MeasuredPrograms): ProgramBudget {
    const short = { windowMs: 5, periodMs: 10, holdMs: 40 }
    budget = new ProgramBudget({ programs, share: 0.01, clock: systemClock, log, times: short })
    budget.start()
    return budget
  }

  async function until(condition: () => boolean): Promise<void> {
    for (let i = 0; i < 400 && !condition(); i++) await sleep(5)
    assert.ok(condition())
  }

  it('turns TCP detail off, says so once, and back on', async () => {
    const programs = new PretendPrograms(0.034)
    const { brakingSinceMs } = brake(programs)
    assert.equal(brakingSinceMs, undefined)
    await until(() => !programs.detail)
    const { windows } = programs
    await until(() => programs.windows > windows + 3)
    assert.ok(Math.abs(budget!.brakingSinceMs! - systemClock.nowMs()) < 10_000)
    assert.equal(messages.length, 1)
    assert.match(messages[0]!, /^our programs take 3\.\d % of a core, cpu_budget is 1 %: TCP detail is off, packets/)
    programs.share = 0.001
    await until(() => programs.detail)
    await until(() => budget!.brakingSinceMs === undefined)
    assert.match(messages[1]!, /TCP detail is back$/)
  })

  it('measures in windows alone, and leaves statistics off', async () => {
    const programs = new PretendPrograms(0.001)
    brake(programs)
    await until(() => programs.windows > 3)
    await budget!.stop()
    assert.equal(programs.statistics, false)
    const { runs, nanoseconds } = budget!.sampled
    assert.ok(runs > 0 && nanoseconds > 0 && nanoseconds <= (await programs.programTime()).nanoseconds)
    const { windows } = programs
    await sleep(30)
    assert.equal(programs.windows, windows)
  })

  it('says once that it can’t measure, and gives up', async () => {
    const programs = new PretendPrograms(1)
    programs.enableStatistics = async () => {
      programs.windows++
      throw new Error('enable statistics: Operation not permitted')
    }
    brake(programs)
    await until(() => messages.length > 0)
    await sleep(40)
    assert.deepEqual(messages, ['cpu_budget: not watched: enable statistics: Operation not permitted'])
    assert.deepEqual([programs.windows, programs.detail], [1, true])
  })
})
