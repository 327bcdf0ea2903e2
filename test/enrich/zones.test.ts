import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { EdgeTable } from '../../lib/aggregate/edge-table.ts'
import { Opener } from '../../lib/capture/flow-batch.ts'
import { clusterNode, clusterPod, HEARD_MS, ofDeployment } from '../support/cluster-objects.ts'
import { agent, namesOf, pods, tellAll, twoNodes } from './two-nodes.ts'

const dialled = { opener: Opener.remote, localPort: 50_051, remotePort: 40_000 }

/** `web a > db b`: bytes. */
function crossings({ zones }: EdgeTable): Record<string, number> {
  return Object.fromEntries(
    zones!.crossings.flatMap((crossing, i) => {
      if (!crossing) return []
      const { source, destination, from, to, overflow } = crossing
      const [a, b] = [source, destination].map(end => end.ownerName ?? end.name)
      return [[overflow ? 'overflow' : `${a} ${from.zone} > ${b} ${to.zone}`, zones!.values[i]!]]
    }),
  )
}

describe('bytes from zone to zone', () => {
  it('are counted once, by the interface that knows where both pods are', () => {
    const { first, second } = twoNodes({}, 'on')
    first.see({ remote: '10.2.0.13', remotePort: 50_051 }, { remote: '10.96.0.2', remotePort: 5432, localPort: 40_001 })
    second.see({ remote: '10.1.0.11', ...dialled }, { remote: '10.1.0.11', ...dialled, localPort: 5432 })
    assert.deepEqual(
      [crossings(first.edges), crossings(second.edges)],
      [{}, { 'db b > web a': 200, 'web a > db b': 20 }],
    )
    assert.equal(second.ledger.totals.otherEndBytes, 220)
  })

  it('are counted by the only interface that sees them where the other end is a node', () => {
    const { first } = twoNodes({}, 'on')
    first.see({ remote: '192.168.1.2', remotePort: 10_250 }, { remote: '192.168.1.2', ...dialled, localPort: 80 })
    assert.deepEqual(crossings(first.edges), { 'web a > node b': 200, 'node b > web a': 20 })
  })

  it('are none inside of a zone, to where nobody knows the zone, and of what is left out', () => {
    const { first } = twoNodes({}, 'on')
    first.see({ remote: '192.168.1.1' }, { remote: '198.51.100.8' }, { remote: '10.1.0.12', ...dialled, localPort: 80 })
    assert.deepEqual(crossings(first.edges), {})
    assert.equal(twoNodes().first.edges.zones, undefined)
  })

  it('tell regions apart whose zones have one name', () => {
    const { first } = twoNodes({}, 'on')
    const far = clusterNode({ name: 'n3', addresses: ['192.168.1.3'], zone: 'a', region: 'far' })
    first.names.changed('nodes', far, HEARD_MS)
    first.see({ remote: '192.168.1.3' })
    assert.deepEqual(crossings(first.edges), { 'web a > node a': 100, 'node a > web a': 10 })
  })

  it('go to one overflow where the series budget is spent', () => {
    const edges = new EdgeTable({ seriesLimit: 2, zones: 'on' })
    const names = namesOf()
    for (const [i, zone] of ['a', 'b', 'c', 'd'].entries())
      names.changed('nodes', clusterNode({ name: `n${i}`, addresses: [`192.168.1.${i}`], zone }), HEARD_MS)
    names.changed('pods', { ...pods.web, node: 'n0' }, HEARD_MS)
    const { zones } = edges
    const local = names.pod(pods.web.uid)
    const at = [1, 2, 3].map(i => {
      const remote = names.remote((192 << 24) | (168 << 16) | (1 << 8) | i, HEARD_MS)
      return zones!.crossingFor({ local, remote, clientIsLocal: true })
    })
    for (const crossing of at) zones!.add(crossing, 100, 10)
    assert.deepEqual(at, [0, 2, 2])
    assert.deepEqual(crossings(edges), { 'web a > node b': 100, 'node b > web a': 10, overflow: 220 })
  })

  it('are by owners, and at level `namespace` by namespaces', () => {
    const names = namesOf()
    tellAll(names)
    const local = names.pod(pods.web.uid)
    const remote = names.remote(0xc0a80102 | 0, HEARD_MS)
    const sources = (['namespace', 'workload', 'pod', 'address'] as const).map(level => {
      const { zones } = new EdgeTable({ level, zones: 'on' })
      return zones!.crossings[zones!.crossingFor({ local, remote, clientIsLocal: true })]!.source
    })
    assert.deepEqual(
      sources.map(({ namespace, ownerName, podName }) => [namespace, ownerName, podName]),
      [['shop', undefined, undefined], ...new Array(3).fill(['shop', 'web', undefined])],
    )
  })

  it('follow a node whose zone becomes known later', () => {
    const names = namesOf()
    names.changed('nodes', clusterNode({ name: 'n2', addresses: ['192.168.1.2'], zone: 'b' }), HEARD_MS)
    names.changed('pods', clusterPod({ name: 'web-1', addresses: ['10.1.0.11'], ...ofDeployment('web') }), HEARD_MS)
    const { see, edges } = agent(names, ['uid-web-1'], 'on')
    see({ remote: '192.168.1.2' })
    assert.deepEqual(crossings(edges), {})
    names.changed('nodes', clusterNode({ name: 'n1', zone: 'a' }), HEARD_MS)
    see({ remote: '192.168.1.2' })
    assert.deepEqual(crossings(edges), { 'web a > node b': 100, 'node b > web a': 10 })
  })
})
