import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { Link } from '../../lib/capture/flow-source.ts'
import { parseInventory } from '../../lib/config/inventory.ts'
import { listedInterfaces, matchDevices } from '../../lib/enrich/interface-plan.ts'
import { InventoryNames } from '../../lib/enrich/inventory-names.ts'

describe('listedInterfaces', () => {
  const inventory = parseInventory(
    `pods:
  - { namespace: a, name: x, node: n1, interfaces: [{ netns: x }, { device: "veth-x*" }] }
  - { namespace: a, name: y, node: n2, interfaces: [{ netns: y }] }
  - { namespace: a, name: z, interfaces: [{ netns: z, device: eth0 }] }
`,
    'inv.yaml',
  )
  const names = new InventoryNames(inventory, [])
  const inodeOf = (path: string) => (path === '/run/netns/x' ? 7 : undefined)

  it("takes the inventory's interfaces of this node", () => {
    const plan = listedInterfaces(inventory, names, inodeOf, 'n1')
    assert.deepEqual(plan, [
      { identity: names.local('a/x'), netns: '/run/netns/x', inode: 7, subject: 'a/x (inv.yaml:2:53)' },
      { identity: names.local('a/x'), device: 'veth-x*', subject: 'a/x (inv.yaml:2:67)' },
      { identity: names.local('a/z'), netns: '/run/netns/z', device: 'eth0', subject: 'a/z (inv.yaml:4:43)' },
    ])
  })

  it('takes those of every node when the node has no name', () => {
    assert.equal(listedInterfaces(inventory, names, inodeOf, undefined).length, 4)
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
