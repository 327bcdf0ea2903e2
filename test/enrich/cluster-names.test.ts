import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'mocha'
import { isNamed } from '../../lib/aggregate/edge-end.ts'
import type { Identity } from '../../lib/aggregate/identity.ts'
import { parseInventory } from '../../lib/config/inventory.ts'
import type { ClusterNames } from '../../lib/enrich/cluster-names.ts'
import { DnsNamed } from '../../lib/enrich/dns-named.ts'
import { DnsNames } from '../../lib/enrich/dns-names.ts'
import { addressKeyOf as key } from '../support/address-key.ts'
import {
  clusterNode,
  clusterPod,
  clusterService,
  clusterSlice,
  HEARD_MS,
  ofDeployment,
  owner,
  tcpPort,
} from '../support/cluster-objects.ts'
import { namesOf, pods, tellAll } from './two-nodes.ts'

const NOW_MS = HEARD_MS + 1000

function tcp(port: number) {
  return { protocol: 6, port, interfaceSlot: 1 }
}

/** `pod Deployment/api`, `service api-svc Deployment/api`, `external partner`. */
function said(identity: Identity): string {
  const { class: endClass, service, workload, name } = identity
  const owner = workload && `${workload.kind}/${workload.name}`
  return [endClass, service?.name, owner, name].filter(Boolean).join(' ')
}

describe('ClusterNames', () => {
  let names: ClusterNames

  beforeEach(() => {
    names = namesOf()
    tellAll(names)
  })

  const at = (address: string, port = 443, atMs = NOW_MS) => said(names.remote(key(address), atMs, tcp(port)))

  for (const [what, address, expected, port] of [
    ['a pod', '10.1.0.12', 'pod Deployment/api'],
    ['a pod by its IPv6 address', 'fd00:1::11', 'pod Deployment/web'],
    ['a Service by its cluster address', '10.96.0.1', 'service api-svc Deployment/api', 80],
    [
      'a Service by an external address, before a configured block',
      '203.0.113.80',
      'service api-svc Deployment/api',
      80,
    ],
    ['a Service whatever the port', '10.96.0.1', 'service api-svc Deployment/api', 9999],
    ['a Service whose endpoints are no pods', '10.96.0.3', 'service outside'],
    ['a Service by a node port', '192.168.1.2', 'service api-svc Deployment/api', 30_080],
    ['a Service by a node port of a bridge', '10.2.0.1', 'service db-svc StatefulSet/db', 30_432],
    ['a node, and not its host-network pod', '192.168.1.2', 'node node'],
    ['an address of a node’s pods that no pod has', '10.2.0.200', 'node node'],
    ['an endpoint that is no pod', '198.51.100.7', 'external outside'],
    ['a configured block', '203.0.113.9', 'external partner'],
    ['where clouds tell a machine about itself', '169.254.169.254', 'external metadata', 80],
    ['the same by IPv6', 'fd00:ec2::254', 'external metadata', 80],
    ['the world', '198.51.100.8', 'external external'],
    ['a private address that nobody has', '172.16.0.1', 'unknown unknown'],
  ] as const) {
    it(`finds ${what}`, () => {
      assert.equal(at(address, port), expected)
    })
  }

  it('tells where both ends are, by their nodes, also when those are known later', () => {
    const late = namesOf()
    late.changed('pods', pods.db, HEARD_MS)
    const before = late.remote(key('10.2.0.13'), NOW_MS)
    assert.deepEqual(before.place, { node: 'n2' })
    const { version } = late
    late.changed('nodes', clusterNode({ name: 'n2', zone: 'b', region: 'r' }), NOW_MS)
    assert.deepEqual(late.remote(key('10.2.0.13'), NOW_MS).place, { node: 'n2', zone: 'b', region: 'r' })
    assert.notEqual(late.version, version)
    assert.equal(names.remote(key('192.168.1.2'), NOW_MS).place?.zone, 'b')
  })

  it('finds an address again that becomes a node’s, an endpoint’s or the inventory’s', () => {
    const address = '198.51.100.9'
    assert.equal(at(address), 'external external')
    names.changed('nodes', clusterNode({ name: 'n9', addresses: [address] }), NOW_MS)
    assert.equal(at(address), 'node node')
    names.deleted('nodes', 'uid-node-n9', NOW_MS)
    const endpoints = [{ addresses: [address], isReady: true }]
    names.changed('endpointslices', clusterSlice({ uid: 'more', service: 'outside', endpoints }), NOW_MS)
    assert.equal(at(address), 'external outside')
    names.deleted('endpointslices', 'more', NOW_MS)
    names.replace(parseInventory(`cidrs: [{ name: office, cidr: ${address}/32, class: external }]`, 'i.yaml'))
    assert.equal(at(address), 'external office')
  })

  it('keeps the object of an end of which nothing changes, and the version with it', () => {
    const before = ['10.1.0.12', '10.96.0.1', '192.168.1.2', '198.51.100.8'].map(each =>
      names.remote(key(each), NOW_MS),
    )
    const { version } = names
    tellAll(names, NOW_MS)
    names.changed('pods', { ...pods.api, isReady: false, labels: { any: 'thing' } }, NOW_MS)
    names.changed('pods', clusterPod({ name: 'pending', node: '' }), NOW_MS)
    assert.equal(names.version, version)
    assert.deepEqual(
      ['10.1.0.12', '10.96.0.1', '192.168.1.2', '198.51.100.8'].map(
        each => names.remote(key(each), NOW_MS) === before.shift(),
      ),
      [true, true, true, true],
    )
  })

  it('raises its version for a pod that comes, for one that goes, and for a Service that leads elsewhere', () => {
    const versions = [names.version]
    names.changed('pods', clusterPod({ name: 'new', addresses: ['10.1.0.99'] }), NOW_MS)
    versions.push(names.version)
    names.deleted('pods', 'uid-new', NOW_MS)
    versions.push(names.version)
    names.changed('endpointslices', clusterSlice({ service: 'api-svc', pods: ['web-1'], ports: ['tcp/8080'] }), NOW_MS)
    versions.push(names.version)
    assert.equal(new Set(versions).size, 4)
    assert.equal(at('10.96.0.1', 80), 'service api-svc Deployment/web')
  })

  it('knows the workload behind a Service only if all that take connections are of one', () => {
    const endpoints = [
      { addresses: ['10.1.0.12'], isReady: true, podUid: pods.api.uid },
      { addresses: ['10.1.0.11'], isReady: true, podUid: pods.web.uid },
    ]
    const slice = clusterSlice({ service: 'api-svc', endpoints })
    names.changed('endpointslices', slice, NOW_MS)
    assert.equal(at('10.96.0.1', 80), 'service api-svc')
    const unready = [endpoints[0]!, { ...endpoints[1]!, isReady: false }]
    names.changed('endpointslices', { ...slice, endpoints: unready }, NOW_MS)
    assert.equal(at('10.96.0.1', 80), 'service api-svc Deployment/api')
    names.changed(
      'endpointslices',
      { ...slice, endpoints: [...unready, { addresses: ['192.0.2.1'], isReady: true }] },
      NOW_MS,
    )
    assert.equal(at('10.96.0.1', 80), 'service api-svc')
  })

  it('learns the workload behind a Service from pods that are known later', () => {
    const late = namesOf()
    late.changed('services', clusterService({ name: 'api-svc', addresses: ['10.96.0.1'] }), HEARD_MS)
    late.changed('endpointslices', clusterSlice({ service: 'api-svc', pods: ['api-1'] }), HEARD_MS)
    assert.equal(said(late.remote(key('10.96.0.1'), NOW_MS, tcp(80))), 'service api-svc')
    late.changed('pods', pods.api, NOW_MS)
    assert.equal(said(late.remote(key('10.96.0.1'), NOW_MS, tcp(80))), 'service api-svc Deployment/api')
  })

  it('takes ports of containers and of EndpointSlices for served, whichever is known first', () => {
    assert.deepEqual(names.remote(key('10.2.0.13'), NOW_MS).ports, new Set(['tcp/50051', 'tcp/5432']))
    names.deleted('endpointslices', 'uid-slice-db-svc', NOW_MS)
    assert.deepEqual(names.remote(key('10.2.0.13'), NOW_MS).ports, new Set(['tcp/50051']))
    assert.equal(names.remote(key('10.1.0.11'), NOW_MS).ports.size, 0)
  })

  it('tells Services with one address apart by their ports, and knows neither where it can’t', () => {
    const shared = { addresses: ['203.0.113.90'] }
    names.changed('services', clusterService({ name: 'mail', ...shared, ports: [tcpPort(25)] }), NOW_MS)
    names.changed('services', clusterService({ name: 'site', ...shared, ports: [tcpPort(443)] }), NOW_MS)
    assert.deepEqual([at('203.0.113.90', 25), at('203.0.113.90', 443)], ['service mail', 'service site'])
    assert.equal(at('203.0.113.90', 80), 'service unknown')
    names.deleted('services', 'uid-service-mail', NOW_MS)
    assert.equal(at('203.0.113.90', 80), 'service site')
  })

  it('gives a node’s address to a Service for the Service’s ports alone', () => {
    names.changed(
      'services',
      clusterService({ name: 'edge', addresses: ['192.168.1.2'], ports: [tcpPort(443)] }),
      NOW_MS,
    )
    assert.deepEqual([at('192.168.1.2', 443), at('192.168.1.2', 10_250)], ['service edge', 'node node'])
  })

  it('leave to what the pod itself has learnt whatever is known by its block alone', () => {
    const dns = new DnsNames()
    const addresses = [
      '203.0.113.9',
      '198.51.100.8',
      '10.1.0.12',
      '10.96.0.1',
      '192.168.1.2',
      '10.2.0.200',
      '198.51.100.7',
    ]
    dns.learn(1, 'api.stripe.com', addresses, 60, NOW_MS)
    const named = new DnsNamed(names, dns)
    const learnt = addresses.filter(address => named.remote(key(address), NOW_MS, tcp(443)).name === 'api.stripe.com')
    assert.deepEqual(learnt, ['203.0.113.9', '198.51.100.8'])
  })

  it('forgets what a new list does not have', () => {
    names.synced('pods', new Set([pods.web.uid]), NOW_MS)
    names.synced('services', new Set(), NOW_MS)
    names.synced('endpointslices', new Set(), NOW_MS)
    names.synced('nodes', new Set(['uid-node-n1']), NOW_MS)
    const laterMs = NOW_MS + 301_000
    assert.equal(at('10.1.0.11', 443, laterMs), 'pod Deployment/web')
    assert.equal(at('10.2.0.13', 443, laterMs), 'unknown unknown')
    assert.equal(at('10.96.0.1', 80, laterMs), 'unknown unknown')
    assert.equal(at('192.168.1.2', 443, laterMs), 'unknown unknown')
    assert.equal(at('198.51.100.7', 443, laterMs), 'external external')
  })

  it('says the same of a pod by its UID as by its address, for 5 minutes after its end', () => {
    assert.equal(names.pod(pods.api.uid), names.remote(key('10.1.0.12'), NOW_MS))
    names.deleted('pods', pods.api.uid, NOW_MS)
    assert.equal(names.pod(pods.api.uid).pod?.name, 'api-1')
    names.changed('pods', pods.web, NOW_MS + 301_000)
    const nobody = { class: 'pod', name: pods.api.uid, ports: new Set(), isProvisional: true }
    assert.deepEqual(names.pod(pods.api.uid), nobody)
  })

  it('calls a pod by its UID until it has heard of it, which is no name', () => {
    const early = namesOf()
    const before = early.pod(pods.web.uid)
    assert.equal(early.pod(pods.web.uid), before)
    assert.deepEqual([before.name, isNamed(before)], [pods.web.uid, false])
    early.changed('pods', pods.web, HEARD_MS)
    assert.equal(isNamed(early.pod(pods.web.uid)), true)
  })

  it('owns no address for a pod that is over or uses its node’s network, and knows whose interface it is', () => {
    names.changed('pods', { ...pods.api, isRunning: false }, NOW_MS)
    assert.equal(at('10.1.0.12', 443, NOW_MS + 301_000), 'node node')
    assert.equal(names.pod(pods.proxy.uid).pod?.name, 'ingress-1')
  })

  it('knows a static pod by the UID that its node has given it', () => {
    const hash = '0123456789abcdef0123456789abcdef'
    const mirror = clusterPod({
      name: 'etcd-n1',
      owner: owner('Node', 'n1', 'v1'),
      annotations: { 'kubernetes.io/config.hash': hash },
    })
    names.changed('pods', mirror, NOW_MS)
    assert.equal(names.pod(hash), names.pod(mirror.uid))
    assert.deepEqual(names.pod(hash).workload, { namespace: 'shop', kind: 'Pod', name: 'etcd-n1' })
  })

  it('lets the API server win over an inventory, which has what nobody else knows', () => {
    const both = namesOf(
      {},
      `pods:
  - { namespace: shop, name: web-1, uid: ${pods.web.uid}, addresses: [10.1.0.11], workload: { kind: Deployment, name: wrong } }
  - { namespace: lab, name: probe, uid: u9, addresses: [10.1.0.77] }
`,
    )
    tellAll(both)
    assert.equal(said(both.remote(key('10.1.0.11'), NOW_MS)), 'pod Deployment/web')
    assert.equal(both.pod(pods.web.uid).workload?.name, 'web')
    assert.equal(both.local('shop/web-1').workload?.name, 'web')
    assert.equal(said(both.remote(key('10.1.0.77'), NOW_MS)), 'pod Pod/probe')
    assert.equal(both.local('lab/probe'), both.remote(key('10.1.0.77'), NOW_MS))
  })

  it('has the labels and annotations that are exported, cut where they are long', () => {
    const some = namesOf({ labels: ['team', 'absent'], annotations: ['note'] })
    const labels = { team: 'blue', other: 'x' }
    some.changed('pods', { ...pods.web, labels, annotations: { note: 'n'.repeat(1000) } }, HEARD_MS)
    const { pod } = some.pod(pods.web.uid)
    assert.deepEqual(pod?.labels, { team: 'blue' })
    assert.equal(pod?.annotations?.note?.length, 256)
    assert.equal(names.pod(pods.web.uid).pod?.labels, undefined)
  })

  it('tells when a pod of its own node is called otherwise', () => {
    let told = 0
    const watching = namesOf({ onOwnPod: () => told++ })
    watching.changed('pods', pods.db, HEARD_MS)
    assert.equal(told, 0)
    watching.changed('pods', pods.web, HEARD_MS)
    watching.changed('pods', pods.web, NOW_MS)
    assert.equal(told, 1)
    assert.deepEqual(
      watching.ownPods().map(({ name, addresses }) => [name, addresses]),
      [['web-1', ['10.1.0.11', 'fd00:1::11']]],
    )
  })

  it('knows the workload, and no pod, where two of one workload may have the address', () => {
    const twin = clusterPod({ name: 'web-2', addresses: ['10.1.0.11'], createdMs: NOW_MS, ...ofDeployment('web') })
    names.changed('pods', twin, NOW_MS + 1000)
    const identity = names.remote(key('10.1.0.11'), NOW_MS + 2000)
    assert.equal(said(identity), 'pod Deployment/web')
    assert.equal(identity.pod, undefined)
    names.changed('pods', { ...twin, ...ofDeployment('other') }, NOW_MS + 1000)
    assert.equal(at('10.1.0.11', 443, NOW_MS + 2000), 'pod unknown')
    names.changed('pods', { ...pods.web, isReady: false }, NOW_MS + 3000)
    assert.equal(at('10.1.0.11', 443, NOW_MS + 2000), 'pod Deployment/other')
  })
})
