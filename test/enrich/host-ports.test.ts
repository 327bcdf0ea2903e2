import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'mocha'
import type { Identity } from '../../lib/aggregate/identity.ts'
import { Opener } from '../../lib/capture/flow-batch.ts'
import type { ClusterNames } from '../../lib/enrich/cluster-names.ts'
import type { ClusterPod } from '../../lib/kubernetes/cluster-objects.ts'
import { addressKeyOf as key } from '../support/address-key.ts'
import { clusterPod, HEARD_MS, ofDeployment } from '../support/cluster-objects.ts'
import { agent, namesOf, pods, tellAll } from './two-nodes.ts'

const NOW_MS = HEARD_MS + 1000
const NODE = '192.168.1.2'

function pod(name: string, parts: Partial<ClusterPod>): ClusterPod {
  return clusterPod({ name: `${name}-1`, node: 'n2', ...ofDeployment(name), ...parts })
}

const exporter = pod('exporter', { hostNetwork: true, hostPorts: ['tcp/9100'], addresses: [NODE] })
const mapped = pod('mapped', { hostPorts: ['tcp/9300', 'udp/9400 192.168.1.2'], addresses: ['10.2.0.40'] })

function said({ class: endClass, workload, name, foundBy }: Identity): string {
  return `${endClass} ${workload?.name ?? name} ${foundBy ?? ''}`.trim()
}

describe('a port of a node that a pod has declared', () => {
  let names: ClusterNames

  beforeEach(() => {
    names = namesOf()
    tellAll(names)
    for (const each of [exporter, mapped]) names.changed('pods', each, HEARD_MS)
  })

  const at = (address: string, port: number, protocol = 6, atMs = NOW_MS) =>
    said(names.remote(key(address), atMs, { protocol, port, interfaceSlot: 1 }))

  it('is the pod’s, on the host’s network and on its own', () => {
    assert.equal(at(NODE, 9100), 'node exporter host_port')
    assert.equal(at(NODE, 9300), 'service mapped host_port')
    assert.equal(at('10.2.0.1', 9300), 'service mapped host_port', 'by the node’s bridge')
  })

  it('is nobody’s at another node, another port, another protocol or another address', () => {
    assert.equal(at('192.168.1.1', 9100), 'node node')
    assert.equal(at(NODE, 9101), 'node node')
    assert.equal(at(NODE, 9100, 17), 'node node')
    assert.equal(at(NODE, 9400, 17), 'service mapped host_port')
    assert.equal(at('10.2.0.1', 9400, 17), 'node node')
  })

  it('is a Service’s before it is a pod’s', () => {
    names.changed('pods', pod('other', { hostNetwork: true, hostPorts: ['tcp/30080'] }), HEARD_MS)
    assert.equal(at(NODE, 30_080), 'service api')
  })

  it('is not that of a host-network pod that is not ready: something else may have it', () => {
    const { version } = names
    names.changed('pods', { ...exporter, isReady: false }, NOW_MS)
    assert.notEqual(names.version, version)
    assert.equal(at(NODE, 9100), 'node node')
    names.changed('pods', { ...mapped, isReady: false }, NOW_MS)
    assert.equal(at(NODE, 9300), 'service mapped host_port')
  })

  it('is whoever had it when the flow began', () => {
    names.changed('pods', { ...exporter, isTerminating: true }, NOW_MS + 100)
    names.deleted('pods', exporter.uid, NOW_MS + 200)
    assert.equal(at(NODE, 9100), 'node exporter host_port')
    assert.equal(at(NODE, 9100, 6, NOW_MS + 150), 'node node', 'the next one may have it by then')
    const next = pod('next', { hostNetwork: true, hostPorts: ['tcp/9100'], createdMs: NOW_MS + 300 })
    names.changed('pods', next, NOW_MS + 400)
    assert.equal(at(NODE, 9100, 6, NOW_MS + 500), 'node next host_port')
    assert.equal(at(NODE, 9100), 'node exporter host_port')
  })

  it('is nobody’s when two pods have it, and none of a pod that is over', () => {
    names.changed('pods', pod('second', { hostNetwork: true, hostPorts: ['tcp/9100'] }), HEARD_MS)
    assert.equal(at(NODE, 9100), 'node node')
    names.changed('pods', { ...mapped, isRunning: false }, NOW_MS)
    assert.equal(at(NODE, 9300, 6, NOW_MS + 1), 'node node')
  })

  it('is the client’s to tell, under the pod; the pod’s own interface leaves it, and counts what goes between zones', () => {
    const here = agent(names, [pods.web.uid], 'on')
    const there = agent(names, [mapped.uid], 'on')
    const dialled = { local: '10.1.0.11', localPort: 40_000, opener: Opener.local }
    const seen = here.see(
      { ...dialled, remote: NODE, remotePort: 9300 },
      { ...dialled, remote: NODE, remotePort: 9100 },
    )
    assert.deepEqual(Object.keys(seen).sort(), ['web>exporter:9100/tcp client', 'web>mapped:9300/tcp client'])
    const arrived = { local: '10.2.0.40', localPort: 8080, remote: '10.1.0.11', remotePort: 40_000 }
    assert.deepEqual(there.see({ ...arrived, opener: Opener.remote }), {})
    assert.equal(there.ledger.totals.otherEndBytes, 110)
    const zones = (on: typeof here) => on.edges.zones!.crossings.map(each => `${each?.source.ownerName}`)
    assert.deepEqual(
      [zones(here), zones(there)],
      [
        ['web', 'exporter'],
        ['mapped', 'web'],
      ],
    )
  })

  it('is the node’s for who is dialled from it', () => {
    const here = agent(names, [pods.web.uid])
    const arrived = { local: '10.1.0.11', localPort: 80, remote: NODE, opener: Opener.remote }
    const seen = here.see({ ...arrived, remotePort: 9100 }, { ...arrived, remotePort: 9300 })
    assert.deepEqual(Object.keys(seen), ['node>web:80/tcp server'])
  })
})
