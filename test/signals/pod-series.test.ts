import assert from 'node:assert/strict'
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { describe, it } from 'mocha'
import { UnattachedDevice } from '../../lib/aggregate/unattached-device.ts'
import { attachment, podIdentity, web } from '../aggregate/small-cluster.ts'
import { flowBatch } from '../support/flow-batch.ts'
import { observedCluster } from './observed-cluster.ts'
import { pointsNamed, valuesNamed } from './receiver.ts'

describe('pod series', () => {
  const io = 'podweir.pod.network.io'
  const packets = 'podweir.pod.network.packets'
  const nobody = { identity: { class: 'unknown', name: 'unknown', ports: new Set<string>() }, device: 'eth0' } as const
  const transmit = { 'network.io.direction': 'transmit' }

  it('tells what each interface carried, as the pod sees it', async () => {
    const { table, collect } = observedCluster()
    const fromPod = { seenPackets: 5, seenBytes: 500, skbs: 3, devicePackets: 7 }
    const toPod = { seenPackets: 9, seenBytes: 900 }
    table.apply(flowBatch({ interfaces: [{ fromPod, toPod }] }))
    const metrics = await collect()
    const pod = { 'k8s.pod.name': 'web-1', ...transmit }
    assert.deepEqual(valuesNamed(metrics, io, pod), [0, 500])
    assert.deepEqual(valuesNamed(metrics, 'podweir.pod.network.packets', pod), [0, 5])
    assert.deepEqual(valuesNamed(metrics, 'podweir.pod.network.unobserved', pod), [0, 4])
    assert.deepEqual(valuesNamed(metrics, io, { 'k8s.pod.name': 'web-1', 'network.io.direction': 'receive' }), [0, 900])
    const [zero] = pointsNamed(metrics, io, pod)
    assert.deepEqual(zero!.startTime, [1000, 0])
    assert.deepEqual(zero!.attributes, {
      'k8s.namespace.name': 'shop',
      'k8s.pod.name': 'web-1',
      'k8s.pod.uid': 'uid-web-1',
      'k8s.deployment.name': 'web',
      'network.io.direction': 'transmit',
      'network.interface.name': 'eth0',
      'podweir.attach.place': 'pod',
    })
  })

  it('waits for an interface’s name, so that the pod has all that it carried', async () => {
    const { owners, ledger, table, collect, clock } = observedCluster()
    owners.set(3, nobody)
    ledger.attached(attachment(3, { attachedAtMs: clock.ms }))
    const carried = (seenPackets: number) => flowBatch({ interfaces: [{ interfaceSlot: 3, fromPod: { seenPackets } }] })
    table.apply(carried(5))
    assert.deepEqual(valuesNamed(await collect(), packets, { 'podweir.pod.name': 'interface-3', ...transmit }), [])
    owners.set(3, { identity: podIdentity('shop', 'late-1', 'late'), device: 'eth0' })
    table.apply(carried(7))
    assert.deepEqual(valuesNamed(await collect(), packets, { 'k8s.pod.name': 'late-1', ...transmit }), [0, 7])
  })

  it('waits for the API server’s word of a pod too, which goes by its UID afterwards', async () => {
    const { owners, ledger, table, collect, clock } = observedCluster()
    const uid = { class: 'pod', name: 'u-1', isProvisional: true, ports: new Set<string>() } as const
    owners.set(3, { identity: uid, device: 'eth0' })
    ledger.attached(attachment(3, { attachedAtMs: clock.ms }))
    table.apply(flowBatch({ interfaces: [{ interfaceSlot: 3, fromPod: { seenPackets: 5 } }] }))
    const plain = { 'podweir.pod.name': 'u-1', ...transmit }
    assert.deepEqual(valuesNamed(await collect(), packets, plain), [])
    clock.ms += 5_000
    assert.deepEqual(valuesNamed(await collect(), packets, plain), [0, 5])
    owners.set(3, { identity: podIdentity('shop', 'late-1', 'late'), device: 'eth0' })
    table.apply(flowBatch({ interfaces: [{ interfaceSlot: 3, fromPod: { seenPackets: 9 } }] }))
    await collect()
    assert.deepEqual(valuesNamed(await collect(), packets, { 'k8s.pod.name': 'late-1', ...transmit }), [0, 0])
  })

  it('lets what went under no name stay there, and goes on under the name from 0', async () => {
    const { owners, ledger, table, collect, clock } = observedCluster()
    clock.ms += 5_000
    const plain = { 'podweir.pod.name': 'interface-3', ...transmit }
    const late = { 'k8s.pod.name': 'late-1', ...transmit }
    const carry = (seenPackets: number) =>
      table.apply(flowBatch({ interfaces: [{ interfaceSlot: 3, fromPod: { seenPackets } }] }))
    owners.set(3, nobody)
    ledger.attached(attachment(3))
    carry(5)
    assert.deepEqual(valuesNamed(await collect(), packets, plain), [0, 5])
    owners.set(3, { identity: podIdentity('shop', 'late-1', 'late'), device: 'eth0' })
    carry(7)
    assert.deepEqual(valuesNamed(await collect(), packets, plain).at(-1), 7)
    carry(10)
    const metrics = await collect()
    assert.deepEqual(valuesNamed(metrics, packets, late), [0, 3])
    assert.equal(valuesNamed(metrics, packets, plain).at(-1), 7)
  })

  it('names an interface that belongs to no Kubernetes pod by its own name, else by its slot', async () => {
    const { owners, ledger, collect } = observedCluster()
    owners.set(3, { identity: { class: 'unknown', name: 'build-box', ports: new Set() }, device: 'eth1' })
    ledger.attached(attachment(3))
    ledger.attached(attachment(4, { place: 'host', device: 'veth4' }))
    const points = pointsNamed(await collect(), io, transmit).filter(point => 'podweir.pod.name' in point.attributes)
    assert.deepEqual(
      points.filter(point => point.endTime[0] > 1000).map(point => point.attributes),
      [
        {
          'podweir.pod.name': 'build-box',
          ...transmit,
          'network.interface.name': 'eth1',
          'podweir.attach.place': 'pod',
        },
        {
          'podweir.pod.name': 'interface-4',
          ...transmit,
          'network.interface.name': 'veth4',
          'podweir.attach.place': 'host',
        },
      ],
    )
  })

  it('sends the last values of an interface that is gone until they are taken, then never again', async () => {
    const { table, collect, outlet, clock } = observedCluster()
    outlet.acknowledged(await collect())
    table.apply(flowBatch({ readAtMs: 1_004_000, interfaces: [{ ended: true, fromPod: { seenBytes: 60 } }] }))
    clock.ms = 1_009_000
    await collect()
    const last = await collect()
    const [point, ...others] = pointsNamed(last, io, { 'k8s.pod.name': 'web-1' })
    assert.deepEqual([point!.value, point!.endTime, others.length], [60, [1004, 0], 0])
    outlet.acknowledged(last)
    clock.ms += 120_000
    assert.deepEqual(valuesNamed(await collect(), io, { 'k8s.pod.name': 'web-1' }), [])
  })

  it('tells of an interface that came and went between two collections, beside the next one of that name', async () => {
    const { table, ledger, collect, owners } = observedCluster()
    await collect()
    owners.set(3, { identity: podIdentity('shop', 'job-1', 'job'), device: 'eth0' })
    ledger.attached(attachment(3, { attachedAtMs: 1_003_000 }))
    table.apply(
      flowBatch({ readAtMs: 1_004_000, interfaces: [{ interfaceSlot: 3, ended: true, fromPod: { seenBytes: 60 } }] }),
    )
    ledger.attached(attachment(3, { attachedAtMs: 1_005_000 }))
    table.apply(flowBatch({ sequence: 2, interfaces: [{ interfaceSlot: 3, fromPod: { seenBytes: 7 } }] }))
    const points = pointsNamed(await collect(), io, { 'k8s.pod.name': 'job-1', ...transmit })
    assert.deepEqual(
      points.map(point => [point.startTime[0], point.value]),
      [
        [1003, 0],
        [1003, 60],
        [1005, 0],
        [1005, 7],
      ],
    )
  })

  it('tells what devices counted that are not attached, until the last of it was taken', async () => {
    const { ledger, collect, outlet, clock } = observedCluster()
    const parts = { owner: { identity: web, device: 'eth0' }, subject: 'shop/web', isNew: false, nowMs: 1_002_000 }
    const device = new UnattachedDevice({ transmit: 7, receive: 0 }, parts)
    device.read({ transmit: 9, receive: 4 })
    await collect()
    ledger.unattached(device)
    const unobserved = 'podweir.pod.network.unobserved'
    const points = (metrics: ResourceMetrics) =>
      pointsNamed(metrics, unobserved, { 'k8s.pod.name': 'web-1' }).filter(each => each.startTime[0] === 1002)
    const first = points(await collect())
    assert.deepEqual(
      first.map(({ value, attributes }) => [attributes['network.io.direction'], value]),
      [
        ['transmit', 0],
        ['transmit', 2],
        ['receive', 0],
        ['receive', 4],
      ],
    )
    assert.deepEqual(
      Object.keys(first[1]!.attributes).filter(key => !key.startsWith('k8s.')),
      ['network.interface.name', 'network.io.direction'],
    )
    device.read({ transmit: 1, receive: 4 })
    device.endedAtMs = 1_004_000
    clock.ms += 5_000
    const last = await collect()
    assert.deepEqual(
      points(last)
        .map(({ value, endTime }) => [value, endTime[0]])
        .filter(([value]) => value !== 0),
      [
        [3, 1004],
        [4, 1004],
      ],
    )
    outlet.acknowledged(last)
    clock.ms += 120_000
    assert.deepEqual(points(await collect()), [])
  })

  it('keeps a bounded number of interfaces that are gone for a receiver that does not answer', async () => {
    const { ledger, table, collect, outlet } = observedCluster()
    outlet.acknowledged(await collect())
    const comeAndGo = async (count: number, acknowledge: boolean) => {
      for (let i = 0; i < count; i++) {
        ledger.attached(attachment(3))
        table.apply(flowBatch({ sequence: i, interfaces: [{ interfaceSlot: 3, ended: true }] }))
        if (i % 1000 > 0) continue
        const metrics = await collect()
        if (acknowledge) outlet.acknowledged(metrics)
      }
      await collect()
      return pointsNamed(await collect(), io, { 'podweir.pod.name': 'interface-3', ...transmit }).length / 2
    }
    outlet.acknowledged(await collect())
    assert.equal(await comeAndGo(10, true), 9)
    assert.equal(await comeAndGo(5000, false), 4096)
  })
})
