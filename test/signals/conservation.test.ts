import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { COUNTS_PER_EDGE, EdgeCount } from '../../lib/aggregate/edge-counts.ts'
import type { EdgeTable } from '../../lib/aggregate/edge-table.ts'
import { db, external } from '../aggregate/small-cluster.ts'
import {
  type BatchParts,
  type FlowRow,
  flowBatch,
  type RttRow,
  type StartedRow,
  type TcpRow,
} from '../support/flow-batch.ts'
import { observedCluster } from './observed-cluster.ts'
import { partOf, Receiver } from './receiver.ts'

/** Mulberry32: the same numbers for the same seed. */
function randomFrom(seed: number) {
  let state = seed
  return (below: number): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

const remotes = ['10.0.0.1', '10.0.0.2', '10.0.1.3', '10.96.0.1', '192.168.1.1', '8.8.8.8', 'fd00::1', 'fd00::2']
const SLOTS = 40
const eventMetrics = {
  'podweir.network.connection.opened': [EdgeCount.opened],
  'podweir.network.tcp.retransmits': [EdgeCount.requestRetransmits, EdgeCount.responseRetransmits],
  'podweir.network.tcp.out_of_order': [EdgeCount.requestOutOfOrder, EdgeCount.responseOutOfOrder],
  'podweir.network.tcp.resets': [EdgeCount.requestResets, EdgeCount.responseResets],
  'podweir.network.tcp.zero_windows': [EdgeCount.requestZeroWindows, EdgeCount.responseZeroWindows],
}
const eventColumns = ['retransmits', 'outOfOrder', 'resets', 'zeroWindows'] as const

/** A kernel's flow table: slots that start, move, end and are used again, also twice between two drains. */
class RandomTraffic {
  packets = 0
  bytes = 0
  readonly #random: (below: number) => number
  readonly #generation = new Array<number>(SLOTS).fill(0)
  readonly #live = new Array<boolean>(SLOTS).fill(false)
  readonly #isTcp = new Array<boolean>(SLOTS).fill(false)

  constructor(random: (below: number) => number) {
    this.#random = random
  }

  batch(sequence: number): BatchParts {
    const started: StartedRow[] = []
    const flows: FlowRow[] = []
    for (let slot = 0; slot < SLOTS; slot++)
      for (let turn = 0; turn < 2; turn++) {
        if (!this.#live[slot]) {
          if (this.#random(3) > 0) break
          started.push(this.#start(slot))
        } else if (turn > 0 || this.#random(2) > 0) break
        flows.push(this.#move(slot))
        if (this.#live[slot]) break
      }
    flows.sort(() => this.#random(3) - 1)
    return { sequence, flows, rtt: flows.flatMap(samplesOf), started, interfaces: this.#interfaces(sequence) }
  }

  #start(slot: number): StartedRow {
    this.#generation[slot]!++
    this.#live[slot] = true
    const protocol = [1, 6, 17, 47][this.#random(4)]!
    this.#isTcp[slot] = protocol === 6
    const ports = [53, 80, 500, 8080, 40_000, 50_051]
    return {
      slot,
      generation: this.#generation[slot]!,
      remote: remotes[this.#random(remotes.length)]!,
      localPort: ports[this.#random(ports.length)]!,
      remotePort: ports[this.#random(ports.length)]!,
      protocol,
      interfaceSlot: 1 + this.#random(3),
      opener: this.#random(3),
      confidence: this.#random(3),
    }
  }

  #move(slot: number): FlowRow {
    const [fromPodPackets, toPodPackets] = [this.#random(50), this.#random(50)]
    const [fromPodBytes, toPodBytes] = [fromPodPackets * 66, toPodPackets * 1514]
    const ended = this.#random(3) === 0
    if (ended) this.#live[slot] = false
    this.packets += fromPodPackets + toPodPackets
    this.bytes += fromPodBytes + toPodBytes
    const opened = this.#random(2)
    const isTcp = this.#isTcp[slot]!
    return {
      ...(isTcp && { fromPod: this.#events(), toPod: this.#events() }),
      slot,
      generation: this.#generation[slot]!,
      fromPodPackets,
      fromPodBytes,
      toPodPackets,
      toPodBytes,
      opened,
      ended,
    }
  }

  #events() {
    const side: TcpRow = Object.fromEntries(
      eventColumns.map(name => [name, this.#random(4) === 0 ? this.#random(9) : 0]),
    )
    return { ...side, rttSumSeconds: this.#random(2) / 2 }
  }

  #interfaces(sequence: number) {
    return sequence % 7 === 0 ? [{ interfaceSlot: 1 + this.#random(3), ended: true }] : []
  }
}

/** One in each direction with a sum. */
function samplesOf({ fromPod, toPod }: FlowRow, row: number): RttRow[] {
  const directions = [fromPod, toPod].flatMap((side, direction) => (side?.rttSumSeconds ? [direction] : []))
  return directions.map(direction => ({ row, direction, bucket: 14 }))
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
