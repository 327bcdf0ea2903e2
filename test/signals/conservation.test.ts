import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { COUNTS_PER_EDGE, EdgeCount } from '../../lib/aggregate/edge-counts.ts'
import type { EdgeTable } from '../../lib/aggregate/edge-table.ts'
import { db, external } from '../aggregate/small-cluster.ts'
import { flowBatch } from '../support/flow-batch.ts'
import { RandomTraffic, randomFrom } from '../support/random-traffic.ts'
import { observedCluster } from './observed-cluster.ts'
import { partOf, Receiver } from './receiver.ts'

const eventMetrics = {
  'podweir.network.connection.opened': [EdgeCount.opened],
  'podweir.network.tcp.retransmits': [EdgeCount.requestRetransmits, EdgeCount.responseRetransmits],
  'podweir.network.tcp.out_of_order': [EdgeCount.requestOutOfOrder, EdgeCount.responseOutOfOrder],
  'podweir.network.tcp.resets': [EdgeCount.requestResets, EdgeCount.responseResets],
  'podweir.network.tcp.zero_windows': [EdgeCount.requestZeroWindows, EdgeCount.responseZeroWindows],
}
/** What all edges together have of one metric, whose counts are these. */
function inEdges({ values }: EdgeTable, ...counts: number[]): number {
  return values.filter((_, index) => counts.includes(index % COUNTS_PER_EDGE)).reduce((sum, value) => sum + value, 0)
}

describe('conservation', () => {
  for (const [seed, seriesLimit] of [
    [1, 10_000],
    [2, 60],
    [3, 10],
    [4, 0],
  ] as const)
    it(`delivers every drained packet once: seed ${seed}, ${seriesLimit} series, receivers that fail`, async () => {
      const { table, ledger, edges, names, outlet, newOutlet, collect, clock, delivery } = observedCluster({
        seriesLimit,
        detail: 'full',
      })
      const random = randomFrom(seed)
      const traffic = new RandomTraffic(random)
      const outlets = [outlet, newOutlet()]
      const receivers = outlets.map(() => new Receiver())
      for (let sequence = 1; sequence <= 120; sequence++) {
        if (random(10) === 0) {
          names.addresses.set('8.8.8.8', random(2) === 0 ? db : external)
          names.version++
        }
        table.apply(flowBatch(traffic.batch(sequence)))
        assert.equal(ledger.totals.drainedPackets, traffic.packets)
        assert.equal(edges.totals().packets + ledger.totals.otherEndPackets, traffic.packets)
        assert.equal(edges.totals().bytes + ledger.totals.otherEndBytes, traffic.bytes)
        clock.ms += 1000
        for (const [i, each] of outlets.entries()) {
          const metrics = await collect(each)
          if (random(3) === 0) continue
          const part = partOf(metrics, () => random(4) > 0)
          receivers[i]!.take(part)
          if (random(3) > 0) each.acknowledged(part)
        }
      }
      for (const [i, each] of outlets.entries()) {
        const metrics = await collect(each)
        receivers[i]!.take(metrics)
        each.acknowledged(metrics)
        assert.equal(receivers[i]!.sum('podweir.network.flow.packets') + ledger.totals.otherEndPackets, traffic.packets)
        assert.equal(receivers[i]!.sum('podweir.network.flow.bytes') + ledger.totals.otherEndBytes, traffic.bytes)
        const delivered = Object.keys(eventMetrics).map(name => receivers[i]!.sum(name))
        assert.deepEqual(
          delivered,
          Object.values(eventMetrics).map(counts => inEdges(edges, ...counts)),
        )
        const { requestRtt, responseRtt } = edges.pairs
        const samples = [...requestRtt.samples, ...responseRtt.samples].reduce((sum, each) => sum + each, 0)
        assert.equal(receivers[i]!.sum('podweir.network.tcp.rtt.duration'), samples)
        assert.ok(samples > 0 && delivered.every(events => events > 0))
      }
      assert.equal(table.unattributedRows, 0)
      assert.equal(delivery.exported().packets + ledger.totals.otherEndPackets, traffic.packets)
      assert.equal(delivery.exported().bytes + ledger.totals.otherEndBytes, traffic.bytes)
      assert.ok(ledger.totals.otherEndPackets > 0 && delivery.exported().packets > 0)
      const flow = ledger.figures('transmit').packets.flow + ledger.figures('receive').packets.flow
      assert.equal(flow, traffic.packets)
    })
})

describe('flow table at full size', () => {
  it('applies a drain of 65,536 known flows', function () {
    this.timeout(20_000)
    const { table } = observedCluster({ flowLimit: 65_536 })
    const slots = Array.from({ length: 65_536 }, (_, slot) => slot)
    const started = slots.map(slot => ({ slot, localPort: 1024 + (slot % 60_000), remotePort: 1 + (slot % 200) }))
    table.apply(flowBatch({ started, flows: slots.map(slot => ({ slot, fromPodPackets: 1 })) }))
    const batch = flowBatch({
      sequence: 2,
      flows: slots.map(slot => ({ slot, fromPodPackets: 3, fromPodBytes: 200, toPodPackets: 2, toPodBytes: 3000 })),
    })
    const times = []
    for (let round = 0; round < 30; round++) {
      const before = process.hrtime.bigint()
      table.apply(batch)
      times.push(Number(process.hrtime.bigint() - before) / 1e6)
    }
    times.sort((a, b) => a - b)
    console.log(`      65,536 known flows: ${times[0]!.toFixed(1)} ms best, ${times[15]!.toFixed(1)} ms median`)
    assert.equal(table.flows.count, 65_536)
  })
})
