import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { parseInventory } from '../../lib/config/inventory.ts'
import { InventoryNames } from '../../lib/enrich/inventory-names.ts'
import { nodeAddresses } from '../../lib/host/node-addresses.ts'
import { addressKeyOf as key } from '../support/address-key.ts'

const base = `pods:
  - { namespace: shop, name: web-1, uid: u1, node: n1, addresses: [10.20.0.11, "fd00:20::11"], ports: [9090], workload: { kind: Deployment, name: web } }
  - { namespace: shop, name: host-1, addresses: [192.168.10.5], workload: { kind: DaemonSet, name: host } }
services:
  - { namespace: shop, name: web, addresses: [10.96.0.80, 192.168.10.6], ports: [{ port: 80, target: 8080 }], workload: { kind: Deployment, name: web } }
  - { namespace: shop, name: bare, addresses: [10.96.0.81] }
cidrs:
  - { name: pods, cidr: 10.20.0.0/16, class: pod }
  - { name: vips, cidr: 10.20.9.0/24, class: external }
  - { name: nodes, cidr: 192.168.10.0/24, class: node }
  - { name: office, cidr: 203.0.113.0/24, class: external }
  - { name: company, cidr: 0.0.0.0/1, class: external }
  - { name: metadata, cidr: 169.254.169.254/32, class: external }
  - { name: wide, cidr: 160.0.0.0/4, class: external }
`

describe('InventoryNames', () => {
  const names = namesOf(base)

  it('knows a pod by its addresses and by its name, as one object', () => {
    const pod = names.local('shop/web-1')
    const workload = { namespace: 'shop', kind: 'Deployment', name: 'web' }
    assert.deepEqual(pod, {
      class: 'pod',
      workload,
      pod: { namespace: 'shop', name: 'web-1', uid: 'u1', node: 'n1', workload },
      ports: new Set(['tcp/9090', 'tcp/8080']),
    })
    assert.equal(names.remote(key('10.20.0.11'), 0), pod)
    assert.equal(names.remote(key('fd00:20::11'), 0), pod)
  })

  it('knows a Service and the workload behind it', () => {
    assert.deepEqual(names.remote(key('10.96.0.80'), 0), {
      class: 'service',
      workload: { namespace: 'shop', kind: 'Deployment', name: 'web' },
      service: { namespace: 'shop', name: 'web' },
      ports: new Set(['tcp/80']),
    })
    assert.equal(names.remote(key('10.96.0.81'), 0).workload, undefined)
  })

  for (const [what, address, endClass, name] of [
    ["the node's own address", '192.168.10.5', 'node', 'node'],
    ['a link-local IPv4 address', '169.254.42.1', 'node', 'node'],
    ['an address of a pod block that no pod owns', '10.20.0.1', 'node', 'node'],
    ['a node block', '192.168.10.77', 'node', 'nodes'],
    ['the longer of two blocks', '10.20.9.1', 'external', 'vips'],
    ['a configured block', '203.0.113.9', 'external', 'office'],
    ['a configured block that holds private ones', '10.99.0.1', 'external', 'company'],
    ['a configured block inside link-local', '169.254.169.254', 'external', 'metadata'],
    ['link-local inside a wider configured block', '169.254.1.1', 'node', 'node'],
    ['multicast', '224.0.0.251', 'external', 'multicast'],
    ['multicast of IPv6', 'ff02::fb', 'external', 'multicast'],
    ['broadcast', '255.255.255.255', 'external', 'broadcast'],
    ['a private address that nobody has', '172.16.0.1', 'unknown', 'unknown', 'pods: []'],
    ['a shared address that nobody has', '100.64.0.1', 'unknown', 'unknown', 'pods: []'],
    ['loopback', '127.0.0.1', 'unknown', 'unknown', 'pods: []'],
    ['a link-local IPv6 address', 'fe80::1', 'unknown', 'unknown'],
    ['a unique local address', 'fd99::1', 'unknown', 'unknown'],
    ['an address of the Internet', '198.51.100.1', 'external', 'external'],
    ['an IPv6 address of the Internet', '2001:db8::1', 'external', 'external'],
  ] as const) {
    it(`takes ${what} for ${endClass} ${name}`, () => {
      const plain = endClass === 'unknown' && !address.includes(':')
      const identity = (plain ? namesOf('pods: []') : names).remote(key(address), 0)
      assert.deepEqual([identity.class, identity.name], [endClass, name])
    })
  }

  it("takes a Service address that is bound to the node for the Service's", () => {
    assert.equal(names.remote(key('192.168.10.6'), 0).class, 'service')
  })

  it('gives one object for one end', () => {
    assert.equal(names.remote(key('198.51.100.1'), 0), names.remote(key('2001:db8::9'), 0))
    assert.equal(names.remote(key('192.168.10.5'), 0), names.remote(key('10.20.0.1'), 0))
  })

  it('calls a pod as its namespace without an inventory', () => {
    const bare = new InventoryNames(undefined, [])
    assert.deepEqual(bare.local('blue'), { class: 'pod', name: 'blue', ports: new Set() })
    assert.equal(bare.local('blue'), bare.local('blue'))
    assert.equal(bare.remote(key('10.0.0.1'), 0).class, 'unknown')
  })

  it('keeps the objects of ends that stay as they are', () => {
    const changing = namesOf(base)
    const pod = changing.local('shop/web-1')
    const external = changing.remote(key('198.51.100.1'), 0)
    const version = changing.version
    changing.replace(parseInventory(base.replace('name: host-1', 'name: host-2'), 'i'))
    assert.equal(changing.version, version + 1)
    assert.equal(changing.local('shop/web-1'), pod)
    assert.equal(changing.remote(key('10.20.0.11'), 0), pod)
    assert.equal(changing.remote(key('198.51.100.1'), 0), external)
    changing.replace(parseInventory(base.replace('uid: u1', 'uid: u2'), 'i'))
    assert.notEqual(changing.remote(key('10.20.0.11'), 0), pod)
    assert.equal(changing.remote(key('10.20.0.11'), 0).pod?.uid, 'u2')
  })

  it('follows an address to its new pod and forgets a pod that is gone', () => {
    const changing = namesOf(base)
    changing.replace(parseInventory('pods: [{ namespace: shop, name: new, addresses: [10.20.0.11] }]', 'i'))
    assert.equal(changing.remote(key('10.20.0.11'), 0).pod?.name, 'new')
    assert.equal(changing.remote(key('fd00:20::11'), 0).class, 'unknown')
  })
})

describe('nodeAddresses', () => {
  it('lists no loopback address and no zone', () => {
    for (const address of nodeAddresses()) assert.doesNotMatch(address, /^127\.|^::1$|%/)
  })
})

function namesOf(text: string): InventoryNames {
  return new InventoryNames(parseInventory(text, 'i.yaml'), ['192.168.10.5', '192.168.10.6', 'fe80::5'])
}
