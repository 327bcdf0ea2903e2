import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { Link, Namespace } from '../../lib/capture/flow-source.ts'
import { parseInventory } from '../../lib/config/inventory.ts'
import { matchDevices, planInterfaces } from '../../lib/enrich/interface-plan.ts'
import { InventoryNames } from '../../lib/enrich/inventory-names.ts'

describe('planInterfaces', () => {
  const inventory = parseInventory(
    `pods:
  - { namespace: a, name: x, node: n1, interfaces: [{ netns: x }, { device: "veth-x*" }] }
  - { namespace: a, name: y, node: n2, interfaces: [{ netns: y }] }
  - { namespace: a, name: z, interfaces: [{ netns: z, device: eth0 }] }
`,
    'inv.yaml',
  )
  const names = new InventoryNames(inventory, [])
  const bare = new InventoryNames(undefined, [])
  const nothing = { namespaces: [], ownLinks: [], own: { namespaceInode: 1, cgroup: '0::/' } }
  const namespace = (path: string, inode: number, more: Partial<Namespace> = {}): Namespace => ({
    ...{ path, inode, id: -1, process: 0, cgroup: '' },
    ...more,
  })
  const UID = '4f0c1a2b-3d4e-5f60-7182-93a4b5c6d7e8'
  const CONTAINER = '0123456789abcdef'.repeat(4)

  it("takes the inventory's interfaces of this node", () => {
    const plan = planInterfaces(inventory, names, { ...nothing, nodeName: 'n1' })
    assert.deepEqual(plan, [
      { identity: names.local('a/x'), netns: '/run/netns/x', subject: 'a/x (inv.yaml:2:53)' },
      { identity: names.local('a/x'), device: 'veth-x*', subject: 'a/x (inv.yaml:2:67)' },
      { identity: names.local('a/z'), netns: '/run/netns/z', device: 'eth0', subject: 'a/z (inv.yaml:4:43)' },
    ])
  })

  it('takes those of every node when the node has no name', () => {
    assert.equal(planInterfaces(inventory, names, nothing).length, 4)
  })

  it('takes every named namespace but its own, once, when there is no inventory', () => {
    const namespaces = [
      namespace('/run/netns/red', 3),
      namespace('/run/netns/blue', 2, { id: 0 }),
      namespace('/run/netns/also-blue', 2, { id: 0 }),
      namespace('/proc/77/ns/net', 4, { id: 1, process: 77, cgroup: '0::/system.slice/rtkit.service' }),
      namespace('/run/netns/own', 1),
    ]
    const plan = planInterfaces(undefined, bare, { ...nothing, namespaces })
    assert.deepEqual(
      plan.map(each => [each.identity, each.netns]),
      [
        [bare.local('also-blue'), '/run/netns/also-blue'],
        [bare.local('red'), '/run/netns/red'],
      ],
    )
  })

  it('takes the namespaces of pods and containers by their ids, with a name or without', () => {
    const namespaces = [
      namespace('/run/netns/cni-1', 2, { id: 7, process: 70, cgroup: `0::/kubepods/pod${UID}/${CONTAINER}\n` }),
      namespace('/proc/80/ns/net', 3, { id: 8, process: 80, cgroup: `0::/system.slice/docker-${CONTAINER}.scope\n` }),
    ]
    const ownLinks = [
      link({ index: 20, kind: 'veth', peerIndex: 2, peerNamespaceId: 7 }),
      link({ index: 21, kind: 'veth', peerIndex: 3, peerNamespaceId: 8 }),
      link({ index: 22, kind: 'veth', peerIndex: 4, peerNamespaceId: 8 }),
    ]
    const plan = planInterfaces(undefined, bare, { ...nothing, namespaces, ownLinks })
    assert.deepEqual(plan, [
      {
        ...{ identity: bare.local('0123456789ab'), netns: '/proc/80/ns/net', uplinks: new Set([3, 4]) },
        subject: '0123456789ab (/proc/80/ns/net)',
      },
      {
        ...{ identity: bare.local(UID), netns: '/run/netns/cni-1', uplinks: new Set([2]) },
        subject: `${UID} (/run/netns/cni-1)`,
      },
    ])
  })

  it('does not call others by the container that the agent itself is in', () => {
    const cgroup = `0::/docker/${CONTAINER}`
    const namespaces = [namespace('/run/netns/red', 2, { cgroup }), namespace('/proc/9/ns/net', 3, { cgroup })]
    const plan = planInterfaces(undefined, bare, { ...nothing, namespaces, own: { namespaceInode: 1, cgroup } })
    assert.deepEqual(
      plan.map(each => each.identity),
      [bare.local('red')],
    )
  })
})

describe('matchDevices', () => {
  const identity = new InventoryNames(undefined, []).local('p')
  const links = [
    link({ name: 'lo', loopback: true }),
    link({ name: 'tun0', ethernet: false }),
    link({ name: 'eth0', kind: 'veth', peerIndex: 9 }),
    link({ name: 'bond0', kind: 'bond' }),
  ]

  it('takes every Ethernet device of a namespace but loopback, as the pod end', () => {
    const found = matchDevices({ identity, netns: '/run/netns/p', subject: 'p' }, links)
    assert.deepEqual(
      found.map(each => [each.link.name, each.place]),
      [
        ['eth0', 'pod'],
        ['bond0', 'pod'],
      ],
    )
  })

  it('takes of a pod only what leads to the node', () => {
    const more = [
      ...links,
      link({ name: 'veth1', kind: 'veth', index: 5, peerIndex: 6 }),
      link({ name: 'docker0', kind: 'bridge' }),
      link({ name: 'vxlan0', kind: 'vxlan' }),
      link({ name: 'mac0', kind: 'macvlan' }),
      link({ name: 'vf0' }),
    ]
    const found = matchDevices({ identity, netns: '/run/netns/p', subject: 'p', uplinks: new Set([1]) }, more)
    assert.deepEqual(
      found.map(each => each.link.name),
      ['eth0', 'mac0', 'vf0'],
    )
  })

  it("takes a pair's end in its own namespace for the host end, and any other device for the pod's own", () => {
    const place = (device: string) => matchDevices({ identity, device, subject: 'p' }, links)[0]?.place
    assert.equal(place('eth*'), 'host')
    assert.equal(place('bond0'), 'pod')
    assert.equal(place('l?'), undefined)
  })
})

function link(parts: Partial<Link>): Link {
  return {
    index: 1,
    name: 'x',
    kind: '',
    ethernet: true,
    loopback: false,
    up: true,
    peerIndex: 0,
    peerNamespaceId: -1,
    address: '',
    ...parts,
  }
}
