import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { Confidence, Opener } from '../../lib/capture/flow-batch.ts'
import { flowRecord } from '../../lib/signals/flow-records.ts'
import { smallCluster } from '../aggregate/small-cluster.ts'
import { type FlowRow, flowBatch, type StartedRow } from '../support/flow-batch.ts'

function recordOf(started: StartedRow, flow: FlowRow) {
  const { table } = smallCluster()
  table.apply(flowBatch({ readAtMs: 1_700_000_001_250, started: [started], flows: [flow] }))
  return [...table.views(true)].map(flowRecord)[0]!
}

describe('flow record', () => {
  it('has the client as source and names both ends', () => {
    const started = { remote: '10.96.0.1', remotePort: 80, startMs: 1_700_000_000_500 }
    assert.deepEqual(
      recordOf(started, { fromPodPackets: 2, fromPodBytes: 140, toPodPackets: 1, toPodBytes: 74, opened: 1 }),
      {
        time: '2023-11-14T22:13:21.250Z',
        start: '2023-11-14T22:13:20.500Z',
        source: {
          namespace: 'shop',
          workload: 'web',
          kind: 'Deployment',
          pod: 'web-1',
          address: '10.0.0.1',
          port: 40_000,
        },
        destination: {
          namespace: 'shop',
          workload: 'api',
          kind: 'Deployment',
          service: 'api-svc',
          address: '10.96.0.1',
          port: 80,
        },
        transport: 'tcp',
        type: 'ipv4',
        observer: 'client',
        counted: true,
        requestPackets: 2,
        requestBytes: 140,
        responsePackets: 1,
        responseBytes: 74,
        opened: 1,
        state: 'active',
        interface: 'eth0',
        confidence: 'handshake',
      },
    )
  })

  it('has what the remote sent as request when the remote is the client', () => {
    const started = { remote: '8.8.8.8', opener: Opener.remote, localPort: 443, remotePort: 50_000 }
    const record = recordOf(started, { toPodPackets: 5, toPodBytes: 500, ended: true })
    assert.deepEqual(record.source, { name: 'external', address: '8.8.8.8', port: 50_000 })
    assert.equal(record.destination.pod, 'web-1')
    assert.deepEqual([record.observer, record.requestPackets, record.responsePackets], ['server', 5, 0])
    assert.equal(record.state, 'ended')
  })

  it('says when the other end reports it, and how sure the client is', () => {
    const started = { remote: '10.0.0.2', localPort: 80, remotePort: 40_000, confidence: Confidence.resumed }
    const record = recordOf(started, { toPodPackets: 5 })
    assert.equal(record.counted, false)
    assert.equal(record.confidence, 'resumed')
  })

  it('shows no port for ICMP, whose identifier is none', () => {
    const record = recordOf({ protocol: 1, localPort: 77, remotePort: 77 }, { fromPodPackets: 1 })
    assert.deepEqual([record.transport, record.source.port, record.destination.port], ['icmp', 0, 0])
  })
})
