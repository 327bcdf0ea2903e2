import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'mocha'
import { Confidence, ConnectionState, Failed, Opener } from '../../lib/capture/flow-batch.ts'
import type { ClusterNames } from '../../lib/enrich/cluster-names.ts'
import { DnsNamed } from '../../lib/enrich/dns-named.ts'
import { DnsNames } from '../../lib/enrich/dns-names.ts'
import { flowRecord } from '../../lib/signals/flow-records.ts'
import { addressKeyOf as key } from '../support/address-key.ts'
import { clusterService, clusterSlice, HEARD_MS, tcpPort } from '../support/cluster-objects.ts'
import { flowBatch, type StartedRow } from '../support/flow-batch.ts'
import { agent, namesOf, pods, tellAll } from './two-nodes.ts'

const NOW_MS = HEARD_MS + 10_000

describe('causes of failure', () => {
  let names: ClusterNames
  const at = (address: string, port: number, sinceMs = NOW_MS) =>
    names.failureCause(key(address), sinceMs, { protocol: 6, port, interfaceSlot: 1 })

  beforeEach(() => {
    names = namesOf()
    tellAll(names)
  })

  const apiEndpoints = (isReady: boolean) =>
    clusterSlice({
      service: 'api-svc',
      ports: ['tcp/8080'],
      endpoints: [{ addresses: [], isReady, podUid: pods.api.uid }],
    })

  it('are none where everything is as it should be, and of whom nothing is known', () => {
    for (const [address, port] of [
      ['10.96.0.1', 80],
      ['10.1.0.12', 8080],
      ['192.168.1.2', 30_080],
      ['198.51.100.8', 443],
      ['198.51.100.8', 30_080],
      ['172.16.0.1', 80],
    ] as const)
      assert.equal(at(address, port), undefined, address)
    // Of what was there when we heard of it first nobody says that it was not so before.
    assert.equal(at('10.1.0.12', 8080, HEARD_MS - 500), undefined)
  })

  it('are that a Service has no ready endpoints: none that is ready, none at all, by whichever of its addresses', () => {
    for (const change of [
      () => names.changed('endpointslices', apiEndpoints(false), NOW_MS),
      () => names.deleted('endpointslices', 'uid-slice-api-svc', NOW_MS),
    ]) {
      change()
      for (const [address, port] of [
        ['10.96.0.1', 80],
        ['203.0.113.80', 80],
        ['192.168.1.2', 30_080],
        ['10.2.0.1', 30_080],
      ] as const)
        assert.equal(at(address, port), 'no_ready_endpoints', address)
    }
  })

  it('are not that, where endpoints that are no pods are ready', () => {
    assert.equal(at('10.96.0.3', 443), undefined)
  })

  it('are that a Service has not the port', () => {
    assert.equal(at('10.96.0.1', 81), 'no_such_port')
    assert.equal(at('192.168.1.2', 30_081), undefined)
    const onNode = clusterService({ name: 'on-node', addresses: ['192.168.1.2'], ports: [tcpPort(81)] })
    names.changed('services', onNode, NOW_MS)
    assert.deepEqual([at('192.168.1.2', 30_080), at('192.168.1.2', 82)], [undefined, undefined])
    assert.equal(at('192.168.1.2', 81), 'no_ready_endpoints')
  })

  it('are what was so since the attempt began, also when it has been mended since', () => {
    names.changed('endpointslices', apiEndpoints(false), NOW_MS)
    names.changed('endpointslices', apiEndpoints(true), NOW_MS + 2000)
    assert.equal(at('10.96.0.1', 80, NOW_MS + 1000), 'no_ready_endpoints')
    assert.equal(at('10.96.0.1', 80, NOW_MS + 3000), undefined)
    names.changed('pods', { ...pods.api, isReady: false }, NOW_MS)
    names.changed('pods', pods.api, NOW_MS + 2000)
    assert.equal(at('10.1.0.12', 8080, NOW_MS + 1000), 'pod_not_ready')
    assert.equal(at('10.1.0.12', 8080, NOW_MS + 3000), undefined)
  })

  it('are that a pod is not ready, then that it is to go, then that it is gone', () => {
    names.changed('pods', { ...pods.api, isReady: false }, NOW_MS)
    assert.equal(at('10.1.0.12', 8080), 'pod_not_ready')
    names.changed('pods', { ...pods.api, isReady: false, isTerminating: true }, NOW_MS)
    assert.equal(at('10.1.0.12', 8080), 'pod_terminating')
    names.deleted('pods', pods.api.uid, NOW_MS)
    assert.equal(at('10.1.0.12', 8080), 'pod_gone')
  })

  it('are that a pod is gone when it is over', () => {
    names.changed('pods', { ...pods.api, isRunning: false, isReady: false }, NOW_MS)
    assert.equal(at('10.1.0.12', 8080), 'pod_gone')
  })

  it('are of who had the address when the attempt began, not of who has it now', () => {
    names.deleted('pods', pods.api.uid, NOW_MS)
    const later = { ...pods.api, uid: 'later', name: 'later', isReady: false, createdMs: NOW_MS + 1000 }
    names.changed('pods', later, NOW_MS + 1500)
    assert.equal(at('10.1.0.12', 8080, NOW_MS + 500), 'pod_gone')
    assert.equal(at('10.1.0.12', 8080, NOW_MS + 2000), 'pod_not_ready')
  })

  it('are none while what is known may be old, or is not whole yet', () => {
    const since: Record<string, number | undefined> = { pods: HEARD_MS, services: HEARD_MS, endpointslices: NOW_MS }
    names = namesOf({}, undefined, resource => since[resource])
    tellAll(names)
    names.changed('endpointslices', apiEndpoints(false), NOW_MS - 2)
    names.changed('endpointslices', apiEndpoints(true), NOW_MS - 1)
    assert.equal(at('10.96.0.1', 80, NOW_MS - 5000), undefined)
    names.changed('endpointslices', apiEndpoints(false), NOW_MS + 1)
    assert.equal(at('10.96.0.1', 80), 'no_ready_endpoints')
    for (const resource of ['services', 'endpointslices']) {
      const was = since[resource]
      since[resource] = undefined
      assert.equal(at('10.96.0.1', 80), undefined, resource)
      since[resource] = was
    }
    names.changed('pods', { ...pods.api, isReady: false }, NOW_MS - 2)
    names.changed('pods', pods.api, NOW_MS - 1)
    assert.equal(at('10.1.0.12', 8080, NOW_MS - 5000), 'pod_not_ready')
    since.pods = NOW_MS
    assert.equal(at('10.1.0.12', 8080, NOW_MS - 5000), undefined)
    names.changed('pods', { ...pods.api, isReady: false }, NOW_MS)
    assert.equal(at('10.1.0.12', 8080), 'pod_not_ready')
    since.pods = undefined
    assert.equal(at('10.1.0.12', 8080), undefined)
  })

  it('stand beside the failed flow, from the client’s side and from the server’s', () => {
    names.changed('pods', { ...pods.web, isReady: false }, NOW_MS)
    names.changed('services', clusterService({ name: 'empty', addresses: ['10.96.0.9'], ports: [tcpPort(80)] }), NOW_MS)
    for (const remotes of [names, new DnsNamed(names, new DnsNames())]) {
      const { table } = agent(names, [pods.web.uid], 'off', remotes)
      const started: StartedRow[] = [
        { slot: 1, remote: '10.96.0.9', remotePort: 80 },
        {
          slot: 2,
          remote: '198.51.100.8',
          remotePort: 40_000,
          local: '10.1.0.11',
          localPort: 8080,
          opener: Opener.remote,
        },
        { slot: 3, remote: '198.51.100.8', remotePort: 443 },
        { slot: 4, remote: '10.96.0.9', remotePort: 80 },
      ].map(row => ({ ...row, confidence: Confidence.handshake, startMs: NOW_MS }))
      const failed = { failed: Failed.refused, state: ConnectionState.refused }
      const flows = [1, 2, 3].map(slot => ({ slot, ...failed }))
      table.apply(flowBatch({ started, flows: [...flows, { slot: 4 }], readAtMs: NOW_MS + 1000 }))
      const records = [...table.views(false)].map(flowRecord)
      assert.deepEqual(
        records.map(({ cause, problems }) => [cause, ...problems]),
        [
          ['no_ready_endpoints', 'refused', 'no ready endpoints'],
          ['pod_not_ready', 'refused', 'pod not ready'],
          [undefined, 'refused'],
          [undefined],
        ],
      )
      const again = { slot: 1, generation: 2, remote: '198.51.100.9', remotePort: 443, startMs: NOW_MS }
      table.apply(flowBatch({ sequence: 2, flows: [{ slot: 1, ended: true }], readAtMs: NOW_MS + 2000 }))
      table.apply(flowBatch({ sequence: 3, started: [again], flows: [{ slot: 1, generation: 2 }] }))
      assert.equal([...table.views(false)].find(({ slot }) => slot === 1)!.cause, undefined)
    }
  })
})
