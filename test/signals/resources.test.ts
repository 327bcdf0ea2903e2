import assert from 'node:assert/strict'
import type { Attributes } from '@opentelemetry/api'
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { describe, it } from 'mocha'
import { Opener } from '../../lib/capture/flow-batch.ts'
import { attachment as attachmentOf, node, podIdentity } from '../aggregate/small-cluster.ts'
import { flowBatch } from '../support/flow-batch.ts'
import { observedCluster } from './observed-cluster.ts'
import { metricsOf, pointsNamed } from './receiver.ts'

const shared = { 'k8s.cluster.name': 'blue', 'k8s.cluster.uid': 'c-1', 'k8s.node.name': 'node-1' }
const webResource = {
  ...shared,
  'k8s.namespace.name': 'shop',
  'k8s.pod.name': 'web-1',
  'k8s.pod.uid': 'uid-web-1',
  'k8s.deployment.name': 'web',
}

function cluster(parts: Parameters<typeof observedCluster>[0] = {}) {
  return observedCluster({ ...parts, resource: { 'service.name': 'podweir', 'host.name': 'h', ...shared } })
}

function attributesOf({ resource }: ResourceMetrics): Attributes {
  return resource.attributes as Attributes
}

function namesOf(metrics: ResourceMetrics): string[] {
  return metricsOf(metrics).map(({ descriptor }) => descriptor.name)
}

const interfaces = [{ fromPod: { seenBytes: 60 } }, { interfaceSlot: 2, fromPod: { seenBytes: 7 } }]

describe('resources', () => {
  it('are each pod’s for what its interfaces carried, the agent’s for all else, in one request', () => {
    const { table, newOutlet } = cluster()
    table.apply(flowBatch({ started: [{}], flows: [{ fromPodPackets: 1 }], interfaces }))
    const [web, api, agent, ...others] = newOutlet({ resourceMode: 'pod' }).collectAll()
    assert.deepEqual(others, [])
    assert.deepEqual(attributesOf(web!), webResource)
    assert.equal(attributesOf(api!)['k8s.pod.name'], 'api-1')
    assert.deepEqual(namesOf(web!), [
      'podweir.pod.network.io',
      'podweir.pod.network.packets',
      'podweir.pod.network.unobserved',
    ])
    assert.equal(attributesOf(agent!)['service.name'], 'podweir')
    assert.deepEqual(
      namesOf(agent!).filter(name => name.startsWith('podweir.pod.')),
      [],
    )
    assert.ok(namesOf(agent!).includes('podweir.network.flow.bytes'))
    const [point] = pointsNamed(web!, 'podweir.pod.network.io')
    assert.equal(point!.attributes['k8s.pod.name'], 'web-1')
  })

  it('are all the agent’s where the receiver wants it so', () => {
    const { table, newOutlet } = cluster()
    table.apply(flowBatch({ started: [{}], flows: [{ fromPodPackets: 1 }], interfaces }))
    const [agent, ...others] = newOutlet({ resourceMode: 'agent' }).collectAll()
    assert.deepEqual(others, [])
    assert.ok(namesOf(agent!).includes('podweir.pod.network.io'))
  })

  it('of edges at level pod are that of the pod whose interface sees them', () => {
    const { table, newOutlet } = cluster({ level: 'pod' })
    const started = [{}, { slot: 8, remote: '8.8.8.8', opener: Opener.remote, interfaceSlot: 2, localPort: 80 }]
    table.apply(flowBatch({ started, flows: [{ fromPodPackets: 1 }, { slot: 8, fromPodPackets: 2 }], interfaces }))
    const all = newOutlet({ resourceMode: 'pod' }).collectAll()
    const [web, api] = all
    assert.deepEqual(attributesOf(web!), webResource)
    assert.equal(pointsNamed(web!, 'podweir.network.flow.packets').at(-1)!.attributes['podweir.observer'], 'client')
    assert.equal(pointsNamed(api!, 'podweir.network.flow.packets').at(-1)!.attributes['podweir.observer'], 'server')
    assert.equal(all.length, 3)
  })

  it('say where the pod is, and what is asked for of its labels', () => {
    const { table, owners, ledger, newOutlet } = cluster()
    const identity = podIdentity('shop', 'web-2', 'web')
    const labels = { app: 'web' }
    const place = { node: 'node-1', zone: 'eu-1a', region: 'eu-1' }
    owners.set(3, { identity: { ...identity, place, pod: { ...identity.pod!, labels } }, device: 'eth0' })
    ledger.attached(attachmentOf(3))
    table.apply(flowBatch({ interfaces: [{ interfaceSlot: 3, fromPod: { seenBytes: 60 } }] }))
    const all = newOutlet({ resourceMode: 'pod' }).collectAll().map(attributesOf)
    const found = all.find(each => each['k8s.pod.name'] === 'web-2')!
    assert.deepEqual(
      ['cloud.availability_zone', 'cloud.region', 'k8s.pod.label.app'].map(key => found[key]),
      ['eu-1a', 'eu-1', 'web'],
    )
  })

  it('are the agent’s for what is no pod of Kubernetes', () => {
    const { table, owners, ledger, newOutlet } = cluster()
    owners.set(3, { identity: { ...node, name: 'container-1' }, device: 'eth0' })
    ledger.attached(attachmentOf(3))
    table.apply(flowBatch({ interfaces: [{ interfaceSlot: 3, fromPod: { seenBytes: 60 } }] }))
    const agent = newOutlet({ resourceMode: 'pod' }).collectAll().at(-1)!
    const points = pointsNamed(agent, 'podweir.pod.network.io', { 'podweir.pod.name': 'container-1' })
    assert.ok(points.length > 0)
  })

  it('are one object for all of a pod’s series and receivers', () => {
    const { sources, table, newOutlet } = cluster()
    table.apply(flowBatch({ interfaces }))
    for (let i = 0; i < 2; i++) newOutlet({ resourceMode: 'pod' }).collectAll()
    const { pod } = podIdentity('shop', 'web-1', 'web')
    assert.equal(sources.sets.resources.ofKnownPod(pod!), sources.sets.resources.ofPod(pod!, undefined))
  })
})
