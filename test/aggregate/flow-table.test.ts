import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { COUNTS_PER_EDGE } from '../../lib/aggregate/edge-counts.ts'
import { Confidence, Opener } from '../../lib/capture/flow-batch.ts'
import { flowBatch } from '../support/flow-batch.ts'
import { api, attachment, edgesOf, podIdentity, smallCluster, web } from './small-cluster.ts'

describe('flow table', () => {
  it('adds up the same flow seen in two batches', () => {
    const { table, edges } = smallCluster()
    const row = { fromPodPackets: 2, fromPodBytes: 140, toPodPackets: 1, toPodBytes: 1514 }
    table.apply(flowBatch({ started: [{}], flows: [{ ...row, opened: 1 }] }))
    table.apply(flowBatch({ sequence: 2, flows: [row] }))
    assert.deepEqual(edgesOf(edges), { 'web>api:8080/tcp client': [280, 4, 3028, 2, 1] })
  })

  it('turns the directions round when the remote is the client', () => {
    const { table, edges } = smallCluster()
    const started = { remote: '8.8.8.8', localPort: 443, remotePort: 50_000, opener: Opener.remote }
    table.apply(
      flowBatch({
        started: [started],
        flows: [{ fromPodPackets: 9, fromPodBytes: 900, toPodBytes: 60, toPodPackets: 1 }],
      }),
    )
    assert.deepEqual(edgesOf(edges), { 'external>web:443/tcp server': [60, 1, 900, 9, 0] })
  })

  it('leaves to the other pod what that pod opened, and counts it as otherEnd of the interface', () => {
    const { table, edges, ledger } = smallCluster()
    const started = { interfaceSlot: 2, local: '10.0.0.2', remote: '10.0.0.1', localPort: 8080, remotePort: 40_000 }
    const flows = [{ fromPodPackets: 1, fromPodBytes: 1514, toPodPackets: 2, toPodBytes: 140, opened: 1 }]
    table.apply(flowBatch({ started: [{ ...started, opener: Opener.remote }], flows }))
    assert.deepEqual(edgesOf(edges), {})
    const { transmit, receive } = ledger.account(2)
    assert.deepEqual([transmit.otherEndPackets, transmit.otherEndBytes], [1, 1514])
    assert.deepEqual([receive.otherEndPackets, receive.otherEndBytes], [2, 140])
    assert.equal(ledger.totals.otherEndPackets, 3)
  })

  it('counts traffic between two pods of this node once, met in the middle too', () => {
    const { table, edges, ledger } = smallCluster()
    const middle = { confidence: Confidence.firstPacket, opener: Opener.remote }
    table.apply(
      flowBatch({
        started: [
          { slot: 1, localPort: 500, ...middle },
          {
            slot: 2,
            interfaceSlot: 2,
            local: '10.0.0.2',
            remote: '10.0.0.1',
            localPort: 8080,
            remotePort: 500,
            ...middle,
          },
        ],
        flows: [
          { slot: 1, fromPodPackets: 5, fromPodBytes: 500 },
          { slot: 2, toPodPackets: 5, toPodBytes: 500 },
        ],
      }),
    )
    assert.deepEqual(edgesOf(edges), { 'web>api:8080/tcp client': [500, 5, 0, 0, 0] })
    assert.equal(ledger.totals.otherEndPackets, 5)
  })

  it('knows a port that has accepted a SYN when it meets a later flow in the middle', () => {
    const { table, edges } = smallCluster()
    const served = { remote: '8.8.8.8', localPort: 40_000 }
    const middle = { ...served, slot: 1, remotePort: 9000, confidence: Confidence.firstPacket }
    const accepted = { ...served, slot: 2, remotePort: 50_000, opener: Opener.remote }
    const flows = [{ slot: 1, toPodPackets: 1 }, { slot: 2 }]
    table.apply(flowBatch({ started: [middle, accepted], flows }))
    assert.deepEqual(edgesOf(edges), { 'external>web:40000/tcp server': [0, 1, 0, 0, 0] })
  })

  it('exports under the node what a source-NATed or host-network client opened', () => {
    const { table, edges } = smallCluster()
    const started = { interfaceSlot: 2, local: '10.0.0.2', remote: '192.168.1.1', localPort: 8080, remotePort: 33_000 }
    table.apply(
      flowBatch({ started: [{ ...started, opener: Opener.remote }], flows: [{ toPodPackets: 1, toPodBytes: 74 }] }),
    )
    assert.deepEqual(edgesOf(edges), { 'node>api:8080/tcp server': [74, 1, 0, 0, 0] })
  })

  it('keeps the port that the client dialled and the Service behind it', () => {
    const { table, edges } = smallCluster()
    table.apply(
      flowBatch({
        started: [{ remote: '10.96.0.1', remotePort: 80 }],
        flows: [{ fromPodPackets: 1, fromPodBytes: 74 }],
      }),
    )
    assert.equal(edges.edges[0]!.serverPort, 80)
    assert.equal(edges.edges[0]!.server.service, 'api-svc')
    assert.equal(edges.edges[0]!.server.ownerName, 'api')
  })

  it('has no server port for ICMP and tells IPv6 by the network type', () => {
    const { table, edges } = smallCluster()
    const started = { local: 'fd00::1', remote: 'fd00::2', protocol: 58, localPort: 77, remotePort: 77 }
    table.apply(flowBatch({ started: [started], flows: [{ fromPodPackets: 1, fromPodBytes: 118 }] }))
    assert.deepEqual(edgesOf(edges), { 'web>api:0/icmp client': [118, 1, 0, 0, 0] })
    assert.equal(edges.edges[0]!.networkType, 'ipv6')
  })

  it('opens a UDP flow whose first packet the client sent, once', () => {
    const { table, edges } = smallCluster()
    const udp = { protocol: 17, remotePort: 5353, confidence: Confidence.firstPacket }
    table.apply(flowBatch({ started: [udp], flows: [{ fromPodPackets: 1, fromPodBytes: 80 }] }))
    table.apply(flowBatch({ sequence: 2, flows: [{ fromPodPackets: 1, fromPodBytes: 80 }] }))
    assert.deepEqual(edgesOf(edges), { 'web>api:5353/udp client': [160, 2, 0, 0, 1] })
  })

  it('does not open a UDP flow met in the middle or resumed', () => {
    const { table, edges } = smallCluster()
    const udp = { protocol: 17, remotePort: 5353 }
    table.apply(
      flowBatch({
        started: [
          { slot: 1, ...udp, confidence: Confidence.firstPacket, opener: Opener.remote },
          { slot: 2, ...udp, confidence: Confidence.resumed, opener: Opener.local, localPort: 40_001 },
        ],
        flows: [
          { slot: 1, toPodPackets: 1 },
          { slot: 2, fromPodPackets: 1 },
        ],
      }),
    )
    assert.deepEqual(edgesOf(edges), { 'web>api:5353/udp client': [0, 1, 0, 1, 0] })
  })

  it('gives a slot that is used again to the new flow', () => {
    const { table, edges } = smallCluster()
    table.apply(flowBatch({ started: [{}], flows: [{ fromPodPackets: 1, fromPodBytes: 60 }] }))
    table.apply(flowBatch({ sequence: 2, flows: [{ fromPodPackets: 1, fromPodBytes: 60, ended: true }] }))
    const next = { generation: 2, remote: '10.0.1.3', remotePort: 50_051 }
    table.apply(
      flowBatch({ sequence: 3, started: [next], flows: [{ generation: 2, fromPodPackets: 5, fromPodBytes: 300 }] }),
    )
    assert.deepEqual(edgesOf(edges), {
      'web>api:8080/tcp client': [120, 2, 0, 0, 0],
      'web>db:50051/tcp client': [300, 5, 0, 0, 0],
    })
  })

  it('tells apart flows that used one slot between two drains', () => {
    const { table, edges } = smallCluster()
    table.apply(flowBatch({ started: [{}], flows: [{ fromPodPackets: 1 }] }))
    const started = [2, 3].map(generation => ({ generation, remote: '10.0.1.3', remotePort: generation }))
    const flows = [3, 1, 2].map(generation => ({ generation, fromPodPackets: generation * 10, ended: generation < 3 }))
    table.apply(flowBatch({ sequence: 2, started, flows }))
    assert.deepEqual(edgesOf(edges), {
      'web>api:8080/tcp client': [0, 11, 0, 0, 0],
      'web>db:2/tcp client': [0, 20, 0, 0, 0],
      'web>db:3/tcp client': [0, 30, 0, 0, 0],
    })
    assert.equal(table.unattributedRows, 0)
  })

  it('counts both rows of a flow that leaves in the batch in which it starts', () => {
    const { table, edges, ledger } = smallCluster()
    const first = { fromPodPackets: 2, fromPodBytes: 140, opened: 1 }
    table.apply(
      flowBatch({ started: [{}], flows: [first, { fromPodPackets: 1, fromPodBytes: 70, closed: 1, ended: true }] }),
    )
    assert.deepEqual(edgesOf(edges), { 'web>api:8080/tcp client': [210, 3, 0, 0, 1] })
    assert.deepEqual([ledger.totals.unattributedPackets, table.liveFlows], [0, 0])
  })

  it('counts rows of a flow that never started as drained and lost', () => {
    const { table, ledger, edges } = smallCluster()
    const flows = [
      { generation: 9, fromPodPackets: 2, toPodPackets: 1, fromPodBytes: 200 },
      { slot: 5_000_000, fromPodPackets: 4 },
    ]
    table.apply(flowBatch({ flows }))
    assert.equal(table.unattributedRows, 2)
    assert.equal(ledger.totals.drainedPackets, 7)
    assert.equal(ledger.totals.unattributedPackets, 7)
    assert.equal(ledger.totals.unattributedBytes, 200)
    assert.equal(edges.totals().packets, 0)
  })

  it('starts an edge at the drain before its first packets, the first ones at the first attach', () => {
    const { table, edges } = smallCluster()
    table.apply(flowBatch({ readAtMs: 1_001_000, started: [{}], flows: [{ fromPodPackets: 1 }] }))
    const next = { slot: 8, remotePort: 81 }
    table.apply(
      flowBatch({ sequence: 2, readAtMs: 1_002_000, started: [next], flows: [{ slot: 8, fromPodPackets: 1 }] }),
    )
    assert.deepEqual([edges.starts[0], edges.starts[COUNTS_PER_EDGE]], [1_000_000, 1_001_000])
  })

  it('counts the last rows of flows whose interface is gone, also when another has its slot', () => {
    const { table, ledger, owners, edges } = smallCluster()
    table.apply(
      flowBatch({ started: [{}], flows: [{ fromPodPackets: 1 }], interfaces: [{ fromPod: { seenPackets: 1 } }] }),
    )
    table.apply(flowBatch({ sequence: 2, interfaces: [{ ended: true, fromPod: { seenPackets: 3 } }] }))
    owners.set(1, { identity: podIdentity('shop', 'new-1', 'new'), device: 'eth0' })
    ledger.attached(attachment(1))
    table.apply(flowBatch({ sequence: 3, flows: [{ fromPodPackets: 2, ended: true }] }))
    assert.deepEqual(edgesOf(edges), { 'web>api:8080/tcp client': [0, 3, 0, 0, 0] })
    assert.equal(ledger.account(1).transmit.figures().packets.flow, 0)
    assert.deepEqual(ledger.figures('transmit').packets, {
      seen: 3,
      flow: 3,
      collapsed: 0,
      other: 0,
      overflow: 0,
      filtered: 0,
    })
  })

  it('shows flows, an ended one until the next batch', () => {
    const { table } = smallCluster()
    table.apply(
      flowBatch({ started: [{}, { slot: 8, localPort: 40_001 }], flows: [{ fromPodPackets: 3 }, { slot: 8 }] }),
    )
    table.apply(
      flowBatch({ sequence: 2, readAtMs: 1_007_000, flows: [{ toPodPackets: 1, toPodBytes: 1514, ended: true }] }),
    )
    const [changed, ...others] = table.views(true)
    assert.equal(others.length, 0)
    assert.deepEqual(
      { ...changed },
      {
        slot: 7,
        generation: 1,
        interfaceSlot: 1,
        device: 'eth0',
        local: web,
        remote: api,
        localAddress: '10.0.0.1',
        remoteAddress: '10.0.0.2',
        localPort: 40_000,
        remotePort: 8080,
        family: 4,
        flags: 0,
        protocol: 6,
        transport: 'tcp',
        client: 'local',
        clientBasis: 'handshake',
        confidence: Confidence.handshake,
        exported: true,
        fromPodPackets: 3,
        fromPodBytes: 0,
        toPodPackets: 1,
        toPodBytes: 1514,
        opened: 0,
        failed: 0,
        collapsed: false,
        startMs: 1_000_500,
        lastMs: 1_007_000,
        life: 'ended',
      },
    )
    assert.equal([...table.views(false)].length, 2)
    table.apply(flowBatch({ sequence: 3 }))
    assert.deepEqual(
      [...table.views(false)].map(view => view.slot),
      [8],
    )
  })
})
