// Every packet of the corpus, in both directions: no decision, no change, one class, the right flow and counts.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import { packetClasses } from '../../lib/capture/flow-batch.ts'
import { Judge } from './corpus/judge.ts'
import { cases, groups, writtenCases } from './corpus.ts'
import { idleNetwork } from './idle-network.ts'
import { expectedOf } from './packet-model.ts'

const RUNS_A_DRAIN = 5_000

describe('the corpus', function () {
  this.timeout(580_000)
  const network = idleNetwork()
  let judge: Judge

  before(async () => {
    judge = await Judge.open(network.one)
  })
  after(() => judge?.close())

  it('is classed by the model as by hand', () => {
    for (const written of writtenCases())
      assert.equal(expectedOf(written.bytes, written).class, written.class, written.name)
  })

  it('has every class, and no name twice', () => {
    const all = [...cases()]
    assert.deepEqual(
      packetClasses.filter(packetClass => !all.some(each => each.expected.class === packetClass)),
      [],
    )
    assert.equal(new Set(all.map(each => each.name)).size, all.length)
  })

  it('counts as expected, each packet in one class, with all its neighbours', async () => {
    let settled = 0
    for (const { name, members } of groups()) {
      for (const member of members) judge.judge(member)
      if (judge.runs - settled < RUNS_A_DRAIN) continue
      await judge.settle(`up to ${name}`)
      settled = judge.runs
    }
    await judge.settle('all')
    assert.ok(judge.runs > 300_000, `${judge.runs} runs`)
  })
})
