// The parsers of kernel programs and addon, fed with what nobody would send: sanitizers and harnesses find nothing.
import assert from 'node:assert/strict'
import { before, describe, it } from 'mocha'
import { build, fuzz, missingTool, type Outcome, replay, type Target, targets } from '../../fuzz/fuzzer.ts'
import { skip } from '../support/skip.ts'

const SECONDS = 20
const AT_ONCE = 2
const SEED = 1
const FEWEST_SEEDS = 5

/** Less than these: the fuzzer ran nothing, or not what it is for. A busy machine has a tenth of the usual executions; the edges are those of the kept inputs. */
const floors: Record<Target, { executions: number; edges: number }> = {
  parse: { executions: 100_000, edges: 180 },
  observe: { executions: 5_000, edges: 450 },
  netlink: { executions: 20_000, edges: 450 },
  proc: { executions: 1_000, edges: 270 },
  drain: { executions: 100, edges: 1500 },
}

/** Each target's run, begun when one before it ended. */
function runAll(): Map<Target, Promise<Outcome>> {
  const runs = new Map<Target, Promise<Outcome>>()
  const begun: Promise<unknown>[] = []
  for (const target of targets) {
    const turn = begun.at(-AT_ONCE) ?? Promise.resolve()
    const run = turn.then(() => fuzz(target, { seconds: SECONDS, seed: SEED, fresh: true }))
    runs.set(target, run)
    begun.push(run.catch(() => {}))
  }
  return runs
}

function assertNothingFound({ exitCode, findings, output }: Outcome): void {
  assert.equal(exitCode, 0, output)
  assert.deepEqual(findings, [])
}

describe('a fuzzer', function () {
  this.timeout(600_000)
  let runs: Map<Target, Promise<Outcome>>

  before(async function () {
    const missing = missingTool()
    if (missing) skip(this, missing)
    await build()
  })

  for (const target of targets)
    it(`of ${target} finds nothing any more in what once was found, nor in the kept inputs`, async () => {
      const outcome = await replay(target)
      assertNothingFound(outcome)
      assert.ok(outcome.executions >= FEWEST_SEEDS, `${outcome.executions} executions`)
    })

  for (const target of targets)
    it(`of ${target} finds nothing in ${SECONDS} s`, async () => {
      runs ??= runAll()
      const outcome = await runs.get(target)!
      assertNothingFound(outcome)
      const { executions, edges } = floors[target]
      assert.ok(outcome.executions >= executions, `${outcome.executions} executions`)
      assert.ok(outcome.edges >= edges, `${outcome.edges} edges`)
    })
})
