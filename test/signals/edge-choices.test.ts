import assert from 'node:assert/strict'
import type { Attributes } from '@opentelemetry/api'
import { describe, it } from 'mocha'
import { deliveryHolds } from '../../lib/signals/delivery.ts'
import { nodeTotals } from '../../lib/signals/ledger-totals.ts'
import { flowBatch } from '../support/flow-batch.ts'
import { RandomTraffic, randomFrom } from '../support/random-traffic.ts'
import { observedCluster } from './observed-cluster.ts'
import type { Filter, PretendOutlet } from './pretend-outlet.ts'
import { metricsOf, partOf, pointsOf, Receiver } from './receiver.ts'

const PACKETS = 'podweir.network.flow.packets'
const BYTES = 'podweir.network.flow.bytes'

/** What a filter means, said of a point's attributes: of each point the sender is the source. */
interface Choice extends Filter {
  readonly wants: (point: Attributes) => boolean
}

const hasData = (point: Attributes) =>
  point['source.k8s.namespace.name'] === 'data' || point['destination.k8s.namespace.name'] === 'data'
const clientIs = (name: string, point: Attributes) =>
  point[`${point['podweir.flow.direction'] === 'response' ? 'destination' : 'source'}.k8s.owner.name`] === name

const choices: readonly Choice[] = [
  { exclude: ['ns:data'], wants: point => !hasData(point) },
  { include: ['src:web', 'port:53'], wants: point => clientIs('web', point) || point['server.port'] === 53 },
  {
    include: ['proto:tcp'],
    exclude: ['src:web', 'observer:server'],
    wants: point =>
      point['network.transport'] === 'tcp' && !clientIs('web', point) && point['podweir.observer'] === 'client',
  },
]

describe('receivers that are to have some edges', () => {
  for (const [seed, ...filters] of [
    [1, choices[0]!],
    [2, choices[1]!],
    [3, choices[0]!, choices[1]!],
    [4, choices[0]!, choices[1]!, choices[2]!],
    [5],
  ] as [number, ...Choice[]][])
    it(`are told these, and the rest is excluded where nobody is: seed ${seed}, ${filters.length} receivers`, async () => {
      const { table, books, outlet, newOutlet, clock, delivery } = observedCluster({ edgeIdleMs: 5_000 })
      let evicted = 0
      books.edges.onEvicted(() => void evicted++)
      // It sees all, and counts for nothing.
      outlet.leave()
      const told = [outlet, ...filters.map(filter => newOutlet({}, filter))].map(each => ({
        outlet: each,
        receiver: new Receiver(),
      }))
      const random = randomFrom(seed)
      const traffic = new RandomTraffic(random)
      let [excluded, exported] = [0, 0]
      for (let sequence = 1; sequence <= 150; sequence++) {
        table.apply(flowBatch({ ...traffic.batch(sequence), readAtMs: clock.ms }))
        clock.ms += 1000
        for (const each of told) tell(each.outlet, each.receiver, random)
        const figures = nodeTotals(books).delivery
        assert.ok(deliveryHolds(figures.packets) && deliveryHolds(figures.bytes), JSON.stringify(figures))
        assert.ok(figures.packets.excluded >= excluded && figures.packets.exported >= exported)
        ;({ excluded, exported } = figures.packets)
      }
      for (const { outlet: each, receiver } of told) tell(each, receiver)
      const [truth, ...receivers] = told.map(({ receiver }) => receiver)
      for (const [i, receiver] of receivers.entries())
        for (const metric of [PACKETS, BYTES]) assert.equal(receiver.sum(metric), truth!.sum(metric, filters[i]!.wants))
      const isNobodys = (point: Attributes) => !filters.some(({ wants }) => wants(point))
      const { packets, bytes } = nodeTotals(books).delivery
      assert.deepEqual(
        [packets.excluded, bytes.excluded],
        [PACKETS, BYTES].map(metric => truth!.sum(metric, isNobodys)),
      )
      assert.deepEqual([packets.queued, bytes.queued], [0, 0])
      assert.equal(delivery.exported().packets + packets.excluded, truth!.sum(PACKETS))
      assert.ok(evicted > 10, `${evicted} edges were evicted`)
    })

  it('may come and go: what one has had stays exported, what nobody was to have stays excluded', async () => {
    const { table, books, outlet, newOutlet, clock } = observedCluster()
    const random = randomFrom(7)
    const traffic = new RandomTraffic(random)
    let present: PretendOutlet[] = [outlet]
    let last = nodeTotals(books).delivery.packets
    for (let sequence = 1; sequence <= 200; sequence++) {
      table.apply(flowBatch(traffic.batch(sequence)))
      clock.ms += 1000
      for (const each of present) tell(each, new Receiver(), random)
      if (sequence % 20 === 0) {
        const next = Array.from({ length: 1 + random(2) }, () => newOutlet({}, choices[random(4)]))
        for (const each of present) each.leave()
        present = next
      }
      const { packets } = nodeTotals(books).delivery
      assert.ok(deliveryHolds(packets), JSON.stringify(packets))
      assert.ok(packets.excluded >= last.excluded && packets.exported >= last.exported, JSON.stringify([last, packets]))
      last = packets
    }
    for (const each of present) tell(each, new Receiver())
    assert.equal(nodeTotals(books).delivery.packets.queued, 0)
    assert.ok(last.excluded > 0)
  })

  it('have the histograms of a pair when they have one of its edges', async () => {
    const { table, newOutlet } = observedCluster()
    const [some, none] = [newOutlet({}, { include: ['dst.port:80'] }), newOutlet({}, { include: ['dst.port:443'] })]
    const started = [80, 8080].map((remotePort, slot) => ({
      slot,
      remote: '8.8.8.8',
      localPort: 40_000 + slot,
      remotePort,
      interfaceSlot: 1,
    }))
    const flows = [0, 1].map(slot => ({ slot, fromPodPackets: 1, handshakeSeconds: 0.01 }))
    table.apply(flowBatch({ started, flows }))
    const samples = (each: PretendOutlet) =>
      metricsOf(each.collect())
        .filter(({ descriptor }) => descriptor.name === 'podweir.network.tcp.handshake.duration')
        .flatMap(pointsOf).length
    assert.deepEqual([samples(some) > 0, samples(none)], [true, 0])
  })
})

/** Without `random` it takes all, else some of it, and sometimes the acknowledgment is lost. */
function tell(outlet: PretendOutlet, receiver: Receiver, random?: (below: number) => number): void {
  const metrics = outlet.collect()
  const part = random ? partOf(metrics, () => random(4) > 0) : metrics
  if (random && random(3) === 0) return
  receiver.take(part)
  if (!random || random(3) > 0) outlet.acknowledged(part)
}
