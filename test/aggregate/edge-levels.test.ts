import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { EdgeEnd, Level } from '../../lib/aggregate/edge-end.ts'
import { Opener } from '../../lib/capture/flow-batch.ts'
import { flowBatch } from '../support/flow-batch.ts'
import { podIdentity, smallCluster } from './small-cluster.ts'

/** web asks api, twice by its Service and once directly, two addresses of the world, and a node; the world asks web. */
function talk(level: Level) {
  const cluster = smallCluster({ level, detail: 'full' })
  cluster.names.addresses.set('10.0.0.3', podIdentity('shop', 'api-2', 'api'))
  const started = [
    { slot: 1, remote: '10.96.0.1', remotePort: 80 },
    { slot: 2, remote: '10.0.0.2', remotePort: 80 },
    { slot: 3, remote: '10.0.0.3', remotePort: 80 },
    { slot: 4, remote: '8.8.8.8', remotePort: 80 },
    { slot: 5, remote: '8.8.4.4', remotePort: 80 },
    { slot: 6, remote: '192.168.1.1', remotePort: 80 },
    { slot: 7, remote: '8.8.8.8', opener: Opener.remote, localPort: 80, remotePort: 40_000 },
  ]
  const flows = started.map(({ slot }) => ({ slot, fromPodPackets: 1, handshakeSeconds: 1 }))
  cluster.table.apply(flowBatch({ started, flows }))
  return cluster
}

function told({ key: _key, ...end }: EdgeEnd): string {
  return Object.values(end).join(' ')
}

function ends(level: Level): string[] {
  return talk(level).edges.edges.map(edge => `${told(edge!.client)} > ${told(edge!.server)}`)
}

describe('level of edges', () => {
  it('`namespace` has neither owners nor Services', () => {
    assert.deepEqual(ends('namespace'), ['shop > shop', 'shop > external', 'shop > node', 'external > shop'])
  })

  it('`workload` has one edge for all pods and all addresses of an end', () => {
    assert.deepEqual(ends('workload'), [
      'shop web Deployment > shop api Deployment api-svc',
      'shop web Deployment > shop api Deployment',
      'shop web Deployment > external',
      'shop web Deployment > node',
      'external > shop web Deployment',
    ])
  })

  it('`pod` has pods where it is known which', () => {
    const web = 'shop web Deployment web-1 uid-web-1'
    assert.deepEqual(ends('pod'), [
      `${web} > shop api Deployment api-svc`,
      `${web} > shop api Deployment api-1 uid-api-1`,
      `${web} > shop api Deployment api-2 uid-api-2`,
      `${web} > external`,
      `${web} > node`,
      `external > ${web}`,
    ])
  })

  it('`address` has the addresses as the interface sees them, of both ends', () => {
    const web = 'shop web Deployment web-1 uid-web-1 10.0.0.1'
    assert.deepEqual(ends('address'), [
      `${web} > shop api Deployment api-svc 10.96.0.1`,
      `${web} > shop api Deployment api-1 uid-api-1 10.0.0.2`,
      `${web} > shop api Deployment api-2 uid-api-2 10.0.0.3`,
      `${web} > external 8.8.8.8`,
      `${web} > external 8.8.4.4`,
      `${web} > node 192.168.1.1`,
      `external 8.8.8.8 > ${web}`,
    ])
  })

  it('tells a pod from the one whose name it has taken', () => {
    const { edges, names, table } = talk('pod')
    const before = edges.edges.length
    const { pod, ...rest } = podIdentity('shop', 'api-2', 'api')
    names.addresses.set('10.0.0.3', { ...rest, pod: { ...pod!, uid: 'another' } })
    const started = [{ slot: 9, remote: '10.0.0.3', remotePort: 80 }]
    table.apply(flowBatch({ sequence: 2, started, flows: [{ slot: 9 }] }))
    assert.equal(edges.edges.length, before + 1)
    assert.equal(edges.edges.at(-1)!.server.podUid, 'another')
  })

  it('is that of pairs too: histograms lie between what edges lie between, the Service aside', () => {
    const pairs = (level: Level) =>
      talk(level).edges.pairs.pairs.map(pair => `${told(pair!.client)} > ${told(pair!.server)}`)
    assert.deepEqual(pairs('namespace'), ends('namespace'))
    assert.deepEqual(pairs('workload'), [
      'shop web Deployment > shop api Deployment',
      'shop web Deployment > external',
      'shop web Deployment > node',
      'external > shop web Deployment',
    ])
    assert.equal(pairs('pod').length, 6)
    assert.equal(pairs('address').length, 7)
  })

  it('does not change what is counted', () => {
    for (const level of ['namespace', 'workload', 'pod', 'address'] as const)
      assert.equal(talk(level).edges.totals().packets, 7)
  })
})
