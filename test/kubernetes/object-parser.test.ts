// From objects of the API server to records: real ones, and hostile ones.
import assert from 'node:assert/strict'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, it } from 'mocha'
import type { ClusterObjects, Resource } from '../../lib/kubernetes/cluster-objects.ts'
import { ObjectParser } from '../../lib/kubernetes/object-parser.ts'

const kept = { labels: ['app'], annotations: ['team'] }

function parse<R extends Resource>(resource: R, object: unknown): ClusterObjects[R] | undefined {
  return new ObjectParser(kept).parse(resource, object)
}

const metadata = { name: 'web-1', namespace: 'shop', uid: 'u-1' }

describe('a pod', () => {
  it('keeps what names need', () => {
    const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-5d9', uid: 'u-2' }
    const labels = { app: 'web', 'pod-template-hash': '5d9', other: 'x' }
    const found = parse('pods', {
      metadata: {
        ...metadata,
        ...{ labels, annotations: { team: 'a', more: 'x' }, creationTimestamp: '2026-01-31T12:00:00Z' },
        ownerReferences: [
          { ...owner, uid: 'u-9' },
          { ...owner, controller: true, blockOwnerDeletion: true },
        ],
      },
      spec: {
        nodeName: 'node-1',
        containers: [
          {
            ports: [
              { containerPort: 8080, hostPort: 80 },
              { containerPort: 53, protocol: 'UDP' },
            ],
          },
          { ports: [{ hostPort: 81, hostIP: '0.0.0.0' }, { hostPort: 82, hostIP: 'FD00::1' }, { hostPort: 0 }] },
          { name: 'none' },
        ],
        initContainers: [
          { restartPolicy: 'Always', ports: [{ containerPort: 9000 }] },
          { ports: [{ containerPort: 1 }] },
        ],
      },
      status: {
        phase: 'Running',
        conditions: [{ type: 'Ready', status: 'True' }],
        podIPs: [{ ip: '10.1.0.7' }, { ip: '2001:DB8:0:0::7' }],
      },
    })
    assert.deepEqual(found, {
      ...{ uid: 'u-1', namespace: 'shop', name: 'web-1', node: 'node-1', hostNetwork: false },
      ...{ isRunning: true, isReady: true, createdMs: Date.UTC(2026, 0, 31, 12), owner, templateHash: '5d9' },
      ...{ addresses: ['10.1.0.7', '2001:db8::7'], ports: ['tcp/8080', 'udp/53', 'tcp/9000'] },
      hostPorts: ['tcp/80', 'tcp/81', 'tcp/82 fd00::1'],
      ...{ labels: { app: 'web' }, annotations: { team: 'a' } },
    })
  })

  it('says that it is to go, and which controller gave its template’s hash', () => {
    const labels = { 'rollouts-pod-template-hash': '7c4' }
    const found = parse('pods', { metadata: { ...metadata, labels, deletionTimestamp: '2026-01-31T12:00:00Z' } })!
    assert.deepEqual([found.isTerminating, found.templateHash, found.templateOf], [true, '7c4', 'Rollout'])
    const plain = parse('pods', { metadata })!
    assert.deepEqual([plain.isTerminating, plain.templateHash, plain.templateOf], [undefined, undefined, undefined])
  })

  it('that is over is not running, and one without a phase may be', () => {
    const isRunning = (phase?: string) => parse('pods', { metadata, status: { phase } })!.isRunning
    assert.deepEqual(['Succeeded', 'Failed', 'Running', 'Unknown', undefined].map(isRunning), [
      false,
      false,
      true,
      true,
      true,
    ])
  })

  it('on the node’s network says so, and has its one address where there is no list', () => {
    const found = parse('pods', { metadata, spec: { hostNetwork: true }, status: { podIP: '10.0.0.1' } })!
    assert.deepEqual([found.hostNetwork, found.addresses], [true, ['10.0.0.1']])
  })

  it('of a rollout has a template’s hash too, and shares its owner with its like', () => {
    const parser = new ObjectParser(kept)
    const ownerReferences = [{ apiVersion: 'a/v1', kind: 'K', name: 'n', uid: 'u', controller: true }]
    const objects = ['1', '2'].map(uid => ({
      metadata: { ...metadata, uid, ownerReferences, labels: { 'rollouts-pod-template-hash': 'abc' } },
    }))
    const [first, second] = objects.map(object => parser.parse('pods', object)!)
    assert.equal(first!.templateHash, 'abc')
    assert.equal(first!.owner, second!.owner)
  })
})

describe('a Service', () => {
  it('has its addresses and ports', () => {
    const found = parse('services', {
      metadata,
      spec: {
        ...{ clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7', 'fd00::7'], externalIPs: ['192.0.2.1'] },
        ports: [
          { port: 80, targetPort: 'http', nodePort: 30080 },
          { port: 53, protocol: 'UDP', targetPort: 5353 },
          { port: 9 },
        ],
      },
      status: { loadBalancer: { ingress: [{ ip: '198.51.100.1' }, { hostname: 'lb.example' }] } },
    })!
    assert.deepEqual(found.addresses, ['10.96.0.7', 'fd00::7', '192.0.2.1', '198.51.100.1'])
    assert.deepEqual(found.ports, [
      { port: 80, protocol: 'tcp', nodePort: 30080, target: 'http' },
      { port: 53, protocol: 'udp', nodePort: 0, target: 5353 },
      { port: 9, protocol: 'tcp', nodePort: 0, target: 9 },
    ])
  })

  it('without a head has no address', () => {
    assert.deepEqual(parse('services', { metadata, spec: { clusterIP: 'None', clusterIPs: ['None'] } })!.addresses, [])
  })
})

describe('an EndpointSlice', () => {
  it('has its Service, ports and endpoints', () => {
    const found = parse('endpointslices', {
      metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'web' } },
      ports: [{ port: 8080, protocol: 'TCP', name: 'http' }],
      endpoints: [
        { addresses: ['10.1.0.7'], conditions: { ready: true }, targetRef: { kind: 'Pod', uid: 'u-1' }, zone: 'a' },
        { addresses: ['10.1.0.8'], conditions: { ready: false }, targetRef: { kind: 'Node', uid: 'u-3' } },
        { addresses: ['not-an-address.example'] },
      ],
    })!
    assert.deepEqual([found.service, found.ports], ['web', ['tcp/8080']])
    assert.deepEqual(found.endpoints, [
      { addresses: ['10.1.0.7'], isReady: true, podUid: 'u-1', zone: 'a' },
      { addresses: ['10.1.0.8'], isReady: false },
      { addresses: [], isReady: true },
    ])
  })
})

describe('a node', () => {
  it('has its addresses, blocks, zone and region', () => {
    const found = parse('nodes', {
      metadata: {
        name: 'node-1',
        uid: 'u-1',
        labels: { 'topology.kubernetes.io/zone': 'z', 'failure-domain.beta.kubernetes.io/region': 'r' },
      },
      spec: { podCIDR: '10.1.0.0/24', podCIDRs: ['10.1.0.0/24', 'FD00:1::/64'] },
      status: {
        addresses: [
          { type: 'InternalIP', address: '192.0.2.10' },
          { type: 'Hostname', address: 'node-1' },
          { type: 'ExternalIP', address: '::ffff:198.51.100.9' },
        ],
      },
    })
    assert.deepEqual(found, {
      ...{ uid: 'u-1', namespace: '', name: 'node-1', zone: 'z', region: 'r' },
      ...{ addresses: ['192.0.2.10', '198.51.100.9'], podCidrs: ['10.1.0.0/24', 'fd00:1::/64'] },
    })
  })
})

describe('a hostile object', () => {
  const resources: Resource[] = ['pods', 'services', 'endpointslices', 'nodes']
  const wrong = [null, 7, 'x', [], {}, [[]], true, { a: null }, -1, '\ud800', [null, 7, { ip: 7 }, { ip: {} }]]
  const fields = {
    metadata: ['namespace', 'labels', 'annotations', 'ownerReferences', 'creationTimestamp'],
    spec: ['nodeName', 'hostNetwork', 'containers', 'initContainers', 'clusterIPs', 'externalIPs', 'ports', 'podCIDRs'],
    status: ['phase', 'podIPs', 'conditions', 'loadBalancer', 'addresses'],
  }

  it('of wrong types anywhere gives a record, and never an exception', () => {
    for (const resource of resources)
      for (const value of wrong) {
        for (const [section, names] of Object.entries(fields))
          for (const name of names) {
            const object = { metadata, [section]: { ...(section === 'metadata' && metadata), [name]: value } }
            assert.equal(parse(resource, object)?.uid, 'u-1', `${resource} ${section}.${name} ${JSON.stringify(value)}`)
          }
        const whole = { metadata, spec: value, status: value, endpoints: value, ports: value }
        assert.equal(parse(resource, whole)?.name, 'web-1')
      }
  })

  it('without a name or UID of its own is none', () => {
    for (const each of [
      undefined,
      null,
      7,
      {},
      { metadata: [] },
      { metadata: { name: 'x' } },
      { metadata: { uid: 'x', name: 7 } },
    ])
      assert.equal(parse('pods', each), undefined)
  })

  it('has control characters and broken surrogates replaced, and names cut', () => {
    const found = parse('pods', {
      metadata: {
        ...metadata,
        name: 'a\u0000b\u001b[31m\ud800c',
        namespace: 'n'.repeat(1_000_000),
        labels: { app: 'x\ny' },
      },
    })!
    assert.equal(found.name, 'a\ufffdb\ufffd[31m\ufffdc')
    assert.equal(found.namespace.length, 253)
    assert.equal(found.labels.app, 'x\ufffdy')
    assert.ok(JSON.stringify(found).isWellFormed())
  })

  it('keeps of 10,000 labels those that were asked for, also when they have names of the language', () => {
    const labels = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`label-${i}`, 'x']))
    const odd = JSON.parse('{"__proto__":"p","constructor":"c","toString":"t"}') as object
    const parser = new ObjectParser({ labels: ['app', 'label-7', 'toString', 'valueOf'], annotations: [] })
    const found = parser.parse('pods', { metadata: { ...metadata, labels: { ...labels, ...odd } } })!
    assert.deepEqual({ ...found.labels }, { 'label-7': 'x', toString: 't' })
  })

  it('has lists of bounded length, each address once', () => {
    const ips = [
      ...Array.from({ length: 60 }, () => ({ ip: '10.1.0.1' })),
      ...Array.from({ length: 100_000 }, (_, i) => ({ ip: `10.2.${(i >> 8) & 255}.${i & 255}` })),
    ]
    const containers = Array.from({ length: 100_000 }, (_, i) => ({ ports: [{ containerPort: (i % 65_535) + 1 }] }))
    const found = parse('pods', { metadata, spec: { containers }, status: { podIPs: ips } })!
    assert.deepEqual(found.addresses, ['10.1.0.1', '10.2.0.0', '10.2.0.1', '10.2.0.2', '10.2.0.3'])
    assert.ok(found.ports.length <= 256)
    const endpoints = Array.from({ length: 100_000 }, () => ({ addresses: ['10.1.0.1', '10.1.0.1'] }))
    const slice = parse('endpointslices', { metadata, endpoints })!
    assert.deepEqual([slice.endpoints.length, slice.endpoints[0]!.addresses], [1000, ['10.1.0.1']])
  })

  it('keeps none of a 10 MB annotation but its beginning', () => {
    const parser = new ObjectParser(kept)
    const records: unknown[] = []
    const before = heapBytes()
    for (let i = 0; i < 20; i++) {
      const text = JSON.stringify({
        metadata: { ...metadata, uid: `u-${i}`, annotations: { team: `${i}${'ä'.repeat(5_000_000)}` } },
      })
      records.push(parser.parse('pods', JSON.parse(text)))
    }
    const grownMb = (heapBytes() - before) / 1e6
    assert.equal((records[7] as ClusterObjects['pods']).annotations.team!.length, 1024)
    assert.ok(grownMb < 50, `${grownMb.toFixed(1)} MB more`)
  })
})

function heapBytes(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  return process.memoryUsage().heapUsed
}
