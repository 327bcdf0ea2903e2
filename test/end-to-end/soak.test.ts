// The small version of bench/soak.ts, which runs for as long as one likes.
import assert from 'node:assert/strict'
import { before, describe, it } from 'mocha'
import { unaccounted } from '../support/conservation.ts'
import { skip } from '../support/skip.ts'
import { soak } from '../support/soak.ts'

const TARGET = { runs: 800_000, liveSkbs: 200_000 }

describe('a million packets on two CPUs', function () {
  this.timeout('3m')

  before(function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load eBPF and to make network namespaces')
  })

  it('are each in one place, with room in the table, in a storm of retiring flows and without room', async () => {
    const { gaps, sum, ...counts } = await soak(TARGET, 1, () => {})
    assert.deepEqual(gaps, [])
    assert.deepEqual(unaccounted(sum), { packets: 0, bytes: 0 })
    assert.ok(counts.runs >= TARGET.runs && counts.liveSkbs >= TARGET.liveSkbs, JSON.stringify(counts))
    // Nothing is proven of a stage that nothing was in.
    for (const stage of ['flow', 'collapsed', 'other', 'overflow'] as const)
      assert.ok(sum[stage].packets > 1000, `${stage}: ${sum[stage].packets}`)
    assert.ok(counts.flowsEnded > 10_000, `only ${counts.flowsEnded} flows retired`)
    assert.ok(counts.audits > 0)
  })
})
