import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { DropTable } from '../../lib/aggregate/drop-table.ts'
import { attachment } from '../aggregate/small-cluster.ts'
import { observedCluster } from './observed-cluster.ts'
import { pointsNamed, valuesNamed } from './receiver.ts'

const dropped = 'podweir.network.packet.dropped'
const watch = 7

/** Watch 7 is web's interface, attached at 1,000 s. */
function watchedCluster() {
  const cluster = observedCluster()
  cluster.drops.watched(watch, { attachment: attachment(1), owner: cluster.owners.get(1) })
  return cluster
}

function read(drops: DropTable, packets: number, ended: number[] = [], reason = 'no_socket') {
  drops.apply({ counts: [{ watch, reason, packets }], uncounted: 0 }, 1_004_000, ended)
}

describe('drop series', () => {
  it('tells each reason at each interface, from attaching on and behind a zero', async () => {
    const { drops, collect } = watchedCluster()
    read(drops, 3)
    read(drops, 5)
    read(drops, 2, [], 'tcp_old_data')
    const metrics = await collect()
    const points = pointsNamed(metrics, dropped, { 'podweir.drop.reason': 'no_socket' })
    assert.deepEqual(
      points.map(({ value, startTime, endTime }) => [value, startTime[0], endTime[0]]),
      [
        [0, 1000, 1000],
        [5, 1000, 1003],
      ],
    )
    assert.deepEqual(points[0]!.attributes, {
      'k8s.namespace.name': 'shop',
      'k8s.pod.name': 'web-1',
      'k8s.pod.uid': 'uid-web-1',
      'k8s.deployment.name': 'web',
      'network.interface.name': 'eth0',
      'podweir.attach.place': 'pod',
      'podweir.drop.reason': 'no_socket',
    })
    assert.deepEqual(valuesNamed(metrics, dropped, { 'podweir.drop.reason': 'tcp_old_data' }), [0, 2])
  })

  it('tells what is no pod’s, and what found no counter, from the agent’s start on', async () => {
    const { drops, collect } = watchedCluster()
    const counts = [0, 1].map(watch => ({ watch, reason: 'otherhost', packets: 4 + watch }))
    drops.apply({ counts, uncounted: 9 }, 1_004_000)
    const points = pointsNamed(await collect(), dropped).filter(({ value }) => value > 0)
    assert.deepEqual(
      points.map(({ value, attributes, startTime }) => [value, attributes, startTime[0]]),
      [
        [4, { 'podweir.pod.name': 'node', 'podweir.drop.reason': 'otherhost' }, 900],
        [5, { 'podweir.pod.name': 'unknown', 'podweir.drop.reason': 'otherhost' }, 900],
        [9, { 'otel.metric.overflow': true }, 900],
      ],
    )
  })

  it('is not there when nothing was dropped', async () => {
    const { drops, collect } = watchedCluster()
    drops.apply({ counts: [], uncounted: 0 }, 1_004_000)
    assert.deepEqual(pointsNamed(await collect(), dropped), [])
  })

  it('keeps the name that the interface had when its watch began', async () => {
    const { drops, owners, collect } = watchedCluster()
    owners.set(1, { identity: { class: 'unknown', name: 'renamed', ports: new Set() }, device: 'eth0' })
    read(drops, 1)
    assert.deepEqual(valuesNamed(await collect(), dropped, { 'k8s.pod.name': 'web-1' }), [0, 1])
  })

  it('sends the last value of an interface that is gone until it is taken, then never again', async () => {
    const { drops, collect, outlet, clock } = watchedCluster()
    read(drops, 5)
    outlet.acknowledged(await collect())
    read(drops, 6, [watch])
    read(drops, 100)
    clock.ms = 1_009_000
    await collect()
    const last = await collect()
    assert.deepEqual(
      pointsNamed(last, dropped).map(({ value, endTime }) => [value, endTime]),
      [[6, [1004, 0]]],
    )
    outlet.acknowledged(last)
    clock.ms += 120_000
    assert.deepEqual(pointsNamed(await collect(), dropped), [])
  })

  it('tells a receiver that comes later what was counted before', async () => {
    const { drops, collect, newOutlet } = watchedCluster()
    read(drops, 5)
    assert.deepEqual(valuesNamed(await collect(newOutlet()), dropped), [0, 5])
  })

  it('keeps a bounded number of counters that have ended for a receiver that does not answer', async () => {
    const { drops, collect } = watchedCluster()
    for (let i = 1; i <= 25_000; i++) {
      drops.watched(watch, { attachment: attachment(1), owner: undefined })
      read(drops, i, [watch])
      if (i % 5000 === 0) await collect()
    }
    const values = valuesNamed(await collect(), dropped).filter(value => value > 0)
    assert.deepEqual([values.length, values[0]], [24_576, 25_000 - 24_576 + 1])
  })
})
