// What a parser lets through must cost no wrong name, no crash, and no more memory than the objects themselves.
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { ClusterPod, ClusterService } from '../../lib/kubernetes/cluster-objects.ts'
import { addressKeyOf as key } from '../support/address-key.ts'
import {
  clusterNode,
  clusterPod,
  clusterService,
  clusterSlice,
  HEARD_MS,
  owner,
  tcpPort,
} from '../support/cluster-objects.ts'
import { namesOf } from './two-nodes.ts'

const NOW_MS = HEARD_MS + 60_000

function nameAt(names: ReturnType<typeof namesOf>, address: string, port = 80): string {
  const {
    class: endClass,
    workload,
    service,
    name,
  } = names.remote(key(address), NOW_MS, { protocol: 6, port, interfaceSlot: 1 })
  return [endClass, workload?.name ?? service?.name ?? name].join(' ')
}

describe('hostile objects', () => {
  it('a thousand pods with one address have it together, which is nobody', () => {
    const names = namesOf()
    for (let i = 0; i < 1000; i++)
      names.changed('pods', clusterPod({ name: `p${i}`, addresses: ['10.1.0.5', '10.1.0.5'] }), HEARD_MS + i)
    assert.equal(nameAt(names, '10.1.0.5'), 'pod unknown')
    for (let i = 0; i < 999; i++) names.deleted('pods', `uid-p${i}`, HEARD_MS + 2000)
    assert.equal(nameAt(names, '10.1.0.5'), 'pod p999')
  })

  it('a pod that goes on being ready does not lose its address to one that says it has it', () => {
    const names = namesOf()
    names.changed('pods', clusterPod({ name: 'honest', addresses: ['10.1.0.5'] }), HEARD_MS)
    names.changed('pods', clusterPod({ name: 'thief', addresses: ['10.1.0.5'], createdMs: HEARD_MS }), HEARD_MS + 1000)
    assert.equal(nameAt(names, '10.1.0.5'), 'pod unknown')
    names.deleted('pods', 'uid-thief', HEARD_MS + 2000)
    assert.equal(nameAt(names, '10.1.0.5'), 'pod honest')
  })

  it('a Service or an endpoint takes no pod’s and no node’s address', () => {
    const names = namesOf()
    names.changed('nodes', clusterNode({ name: 'n1', addresses: ['192.168.1.1'] }), HEARD_MS)
    names.changed('pods', clusterPod({ name: 'honest', addresses: ['10.1.0.5'] }), HEARD_MS)
    const addresses = ['10.1.0.5', '192.168.1.1']
    names.changed('services', clusterService({ name: 'thief', addresses, ports: [tcpPort(443)] }), HEARD_MS)
    names.changed(
      'endpointslices',
      clusterSlice({ service: 'thief', endpoints: [{ addresses, isReady: true }] }),
      HEARD_MS,
    )
    assert.deepEqual([nameAt(names, '10.1.0.5'), nameAt(names, '192.168.1.1')], ['pod honest', 'node node'])
  })

  it('texts that are no addresses, blocks or protocols are nobody’s', () => {
    const names = namesOf()
    const addresses = ['', 'nonsense', '10.1.0.5/32', '::ffff:10.1.0.6', 'fe80::1%eth0', '999.1.1.1']
    names.changed('nodes', clusterNode({ name: 'n1', addresses, podCidrs: ['nonsense', '10.0.0.0/99', '/'] }), HEARD_MS)
    names.changed('pods', clusterPod({ name: 'odd', addresses, owner: owner('', '', '') }), HEARD_MS)
    const ports = [{ ...tcpPort(80, 30_080), protocol: 'carrier-pigeon' }] as unknown as ClusterService['ports']
    names.changed('services', clusterService({ name: 'odd', addresses, ports }), HEARD_MS)
    names.changed(
      'endpointslices',
      clusterSlice({ service: 'odd', endpoints: [{ addresses, isReady: true }], ports: ['?'] }),
      HEARD_MS,
    )
    assert.equal(names.remote(key('10.1.0.6'), NOW_MS).pod?.name, 'odd')
    assert.equal(nameAt(names, '10.1.0.5'), 'unknown unknown')
  })

  it('an EndpointSlice may mention pods that never come, and is forgotten with them', () => {
    const names = namesOf()
    names.changed('services', clusterService({ name: 'web', addresses: ['10.96.0.1'] }), HEARD_MS)
    const endpoints = Array.from({ length: 10_000 }, (_, i) => ({
      addresses: [],
      isReady: i % 2 === 0,
      podUid: `ghost-${i}`,
    }))
    names.changed('endpointslices', clusterSlice({ service: 'web', endpoints }), HEARD_MS)
    assert.equal(nameAt(names, '10.96.0.1'), 'service web')
    assert.equal(names.kept.pods, 10_000)
    names.deleted('endpointslices', 'uid-slice-web', NOW_MS)
    assert.equal(names.kept.pods, 0)
  })

  it('pods that come and go for ever leave nothing behind', () => {
    const names = namesOf()
    const kept: number[] = []
    for (let i = 0; i < 20_000; i++) {
      const atMs = HEARD_MS + i * 1000
      const job = owner('Job', `job-${i}`, 'batch/v1')
      const pod: ClusterPod = clusterPod({
        name: `p${i}`,
        addresses: [`10.1.${i % 200}.5`],
        owner: job,
        ports: [`tcp/${i}`],
        createdMs: atMs,
      })
      names.changed('pods', pod, atMs)
      names.deleted('pods', pod.uid, atMs + 500)
      if (i % 5000 === 4999) kept.push(names.kept.pods + names.kept.addresses + names.kept.workloads)
    }
    assert.ok(Math.max(...kept) < 4000, `${kept}`)
  })

  it('deleting what was never there, and changing what was deleted, is nothing special', () => {
    const names = namesOf()
    for (const resource of ['pods', 'services', 'endpointslices', 'nodes'] as const)
      names.deleted(resource, 'nobody', HEARD_MS)
    const pod = clusterPod({ name: 'back', addresses: ['10.1.0.5'] })
    for (let i = 0; i < 3; i++) {
      names.changed('pods', pod, HEARD_MS + i * 1000)
      names.deleted('pods', pod.uid, HEARD_MS + i * 1000 + 500)
    }
    names.changed('pods', pod, HEARD_MS + 5000)
    assert.equal(nameAt(names, '10.1.0.5'), 'pod back')
    names.changed('pods', { ...pod, addresses: ['10.1.0.6'] }, HEARD_MS + 6000)
    assert.deepEqual([nameAt(names, '10.1.0.5'), nameAt(names, '10.1.0.6')], ['pod unknown', 'pod back'])
  })
})
