import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { Confidence, ConnectionState, Failed, FlowFlag, Opener, Retired } from '../../lib/capture/flow-batch.ts'
import { flowRecord } from '../../lib/signals/flow-records.ts'
import { smallCluster } from '../aggregate/small-cluster.ts'
import { type FlowRow, flowBatch, type RttRow, type StartedRow } from '../support/flow-batch.ts'

function recordOf(started: StartedRow, flow: FlowRow, rtt: RttRow[] = []) {
  const { table } = smallCluster()
  table.apply(flowBatch({ readAtMs: 1_700_000_001_250, started: [started], flows: [flow], rtt }))
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
        problems: [],
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

  it('has what TCP’s senders did by source and destination, in seconds and packets', () => {
    const fromPod = { retransmits: 1, outOfOrder: 2, duplicateAcks: 3, zeroWindows: 4, resets: 5, rttSumSeconds: 0.003 }
    const times = { handshakeSeconds: 0.25, acceptedSeconds: 0.125 }
    const row = { state: ConnectionState.established, fromPodPackets: 100, toPodPackets: 100, fromPod, ...times }
    const record = recordOf({}, row, [{ count: 2 }])
    const none = { retransmitPackets: 0, outOfOrderPackets: 0, duplicateAckPackets: 0, zeroWindowEvents: 0 }
    assert.deepEqual(record.tcp, {
      ...{ state: 'established', ...times, rttSeconds: 0.0015 },
      request: {
        ...{ retransmitPackets: 1, outOfOrderPackets: 2, duplicateAckPackets: 3, zeroWindowEvents: 4, resetPackets: 5 },
        ...{ rttSamples: 2, rttMeanSeconds: 0.0015 },
      },
      response: { ...none, resetPackets: 0, rttSamples: 0 },
    })
    assert.deepEqual(record.problems, ['zero window', 'retransmits 1.0%', 'out of order'])
    const turned = recordOf({ remote: '8.8.8.8', opener: Opener.remote }, row, [{ count: 2 }])
    assert.deepEqual([turned.tcp!.response.resetPackets, turned.tcp!.rttSeconds], [5, 0.0015])
  })

  it('has the round trip through the network: of our own data, else the part of the handshake that went there', () => {
    const times = { handshakeSeconds: 0.25, acceptedSeconds: 0.125 }
    const row = { state: ConnectionState.established, toPod: { rttSumSeconds: 9 }, ...times }
    const samples = [{ direction: 1 }]
    assert.equal(recordOf({}, row, samples).tcp!.rttSeconds, 0.25)
    assert.equal(recordOf({ remote: '8.8.8.8', opener: Opener.remote }, row, samples).tcp!.rttSeconds, 0.125)
    assert.equal(recordOf({}, { state: ConnectionState.midstream }).tcp!.rttSeconds, undefined)
  })

  it('says who reset a connection, and why an attempt failed', () => {
    const outside = { remote: '8.8.8.8', opener: Opener.remote }
    const stateOf = (started: StartedRow, state: number) => recordOf(started, { state }).tcp!.state
    const { resetByLocal, resetByRemote, ...others } = ConnectionState
    assert.deepEqual([stateOf({}, resetByLocal), stateOf({}, resetByRemote)], ['reset_by_client', 'reset_by_server'])
    assert.deepEqual(
      [stateOf(outside, resetByLocal), stateOf(outside, resetByRemote)],
      ['reset_by_server', 'reset_by_client'],
    )
    const { none, resetEarly, ...named } = others
    for (const [name, state] of Object.entries(named)) assert.equal(stateOf({}, state), name)
    assert.equal(stateOf({}, resetEarly), 'reset')
    const failures = Object.entries(Failed).map(([name, failed]) => [name, recordOf({}, { failed }).failed ?? 'none'])
    for (const [name, failed] of failures) assert.equal(failed, name)
  })

  it('says that it is parked, or may be many flows', () => {
    assert.equal(recordOf({}, { ended: Retired.parked }).state, 'parked')
    assert.equal(recordOf({ localPort: 0, flags: FlowFlag.collapsed }, {}).collapsed, true)
  })

  it('shows no port for ICMP, whose identifier is none', () => {
    const record = recordOf({ protocol: 1, localPort: 77, remotePort: 77 }, { fromPodPackets: 1 })
    assert.deepEqual([record.transport, record.source.port, record.destination.port], ['icmp', 0, 0])
  })
})
