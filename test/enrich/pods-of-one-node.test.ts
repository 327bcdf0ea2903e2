import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { addressKeyOf as key } from '../support/address-key.ts'
import { clusterNode, HEARD_MS } from '../support/cluster-objects.ts'
import { namesOf, pods } from './two-nodes.ts'

const NOW_MS = HEARD_MS + 1000

describe('ClusterNames that knows the pods of its node alone', () => {
  const names = namesOf({ peers: 'none', gateways: ['10.2.0.77'] })
  for (const node of [
    clusterNode({ name: 'n1', addresses: ['192.168.1.1'], podCidrs: ['10.1.0.0/24'] }),
    clusterNode({ name: 'n2', addresses: ['192.168.1.2'], podCidrs: ['10.2.0.0/24', 'fd00:2::/64'] }),
  ])
    names.changed('nodes', node, HEARD_MS)
  names.changed('pods', pods.web, HEARD_MS)

  for (const [what, address, expected, foundBy] of [
    ['its own pod by its name', '10.1.0.11', 'pod web', undefined],
    ['an address of another node’s pods for a pod', '10.2.0.13', 'pod unknown', 'guessed'],
    ['the first address of a block for a node', '10.2.0.0', 'node node', 'guessed'],
    ['the second address of a block for a node', '10.2.0.1', 'node node', 'guessed'],
    ['the second address of an IPv6 block for a node', 'fd00:2::1', 'node node', 'guessed'],
    ['an IPv6 address of another node’s pods for a pod', 'fd00:2::1:0', 'pod unknown', 'guessed'],
    ['a next hop of a route for a node', '10.2.0.77', 'node node', 'guessed'],
    ['an address of its own bridge for a node', '10.1.0.1', 'node node', undefined],
    ['a node for a node', '192.168.1.2', 'node node', undefined],
    ['the world for the world', '198.51.100.8', 'external external', undefined],
  ] as const)
    it(`takes ${what}`, () => {
      const identity = names.remote(key(address), NOW_MS, { protocol: 6, port: 443, interfaceSlot: 1 })
      const said = [identity.class, identity.workload?.name ?? identity.name, identity.foundBy]
      assert.deepEqual(said, [...expected.split(' '), foundBy])
    })
})
