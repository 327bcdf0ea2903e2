// What user space leaves out of the edges: flows of pods that are out of scope, and our own.
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { Confidence, Opener, Retired } from '../../lib/capture/flow-batch.ts'
import { Delivery } from '../../lib/signals/delivery.ts'
import { nodeTotals } from '../../lib/signals/ledger-totals.ts'
import { flowBatch } from '../support/flow-batch.ts'
import { api, edgesOf, smallCluster, web } from './small-cluster.ts'

const quietWeb = { ...web, outOfScope: true } as const
const quietApi = { ...api, outOfScope: true } as const
const row = { fromPodPackets: 2, fromPodBytes: 200, toPodPackets: 1, toPodBytes: 60, opened: 1 }
const toApi = { localPort: 40_000, remotePort: 8080 }

describe('a pod out of scope', () => {
  it('has its flows excluded from then on, and what they had stays where it is', () => {
    const { table, edges, ledger, owners } = smallCluster()
    table.apply(flowBatch({ started: [toApi], flows: [row] }))
    owners.set(1, { identity: quietWeb, device: 'eth0' })
    table.apply(flowBatch({ sequence: 2, flows: [row] }))
    assert.deepEqual(edgesOf(edges), { 'web>api:8080/tcp client': [200, 2, 60, 1, 1] })
    assert.deepEqual([ledger.totals.excludedPackets, ledger.totals.excludedBytes], [3, 260])
    assert.equal([...table.views(false)][0]!.exported, false)
    const { delivery } = nodeTotals({ edges, ledger, delivery: new Delivery() })
    assert.deepEqual([delivery.packets.excluded, delivery.bytes.excluded], [3, 260])
    assert.equal(delivery.packets.drained, delivery.packets.excluded + delivery.packets.queued)
    owners.set(1, { identity: web, device: 'eth0' })
    table.apply(flowBatch({ sequence: 3, flows: [row] }))
    assert.deepEqual(edgesOf(edges), { 'web>api:8080/tcp client': [400, 4, 120, 2, 2] })
  })

  it('has what it opens told by the other pod, which nobody else would', () => {
    const { table, edges, ledger, names } = smallCluster()
    names.addresses.set('10.0.0.1', quietWeb)
    const started = { interfaceSlot: 2, local: '10.0.0.2', remote: '10.0.0.1', localPort: 8080, remotePort: 40_000 }
    table.apply(flowBatch({ started: [{ ...started, opener: Opener.remote }], flows: [row] }))
    assert.deepEqual(edgesOf(edges), { 'web>api:8080/tcp server': [60, 1, 200, 2, 1] })
    assert.equal(ledger.totals.otherEndPackets, 0)
  })

  it('is the other end of an edge all the same', () => {
    const { table, edges, names } = smallCluster()
    names.addresses.set('10.0.0.2', quietApi)
    table.apply(flowBatch({ started: [toApi], flows: [row] }))
    assert.deepEqual(Object.keys(edgesOf(edges)), ['web>api:8080/tcp client'])
  })
})

describe('our own connections', () => {
  /** From 192.168.1.1, port 40,000, to port 4317; until the flow's start at the latest. */
  const ownTraffic = {
    addresses: (port: number, dialledPort: number) => (port === 40_000 && dialledPort === 4317 ? ['192.168.1.1'] : []),
  }
  const fromNode = { local: '10.0.0.1', localPort: 4317, remote: '192.168.1.1', remotePort: 40_000 }

  it('are excluded with all that they count, from the node and from a pod of ours', () => {
    const { table, edges, ledger } = smallCluster({ ownTraffic })
    const fromPod = { local: '192.168.1.1', localPort: 40_000, remote: '10.0.0.9', remotePort: 4317 }
    const started = [
      { slot: 1, ...fromNode, opener: Opener.remote },
      { slot: 2, ...fromPod },
    ]
    const flows = [
      { slot: 1, ...row, handshakeSeconds: 0.001, fromPod: { retransmits: 1 } },
      { slot: 2, ...row, ended: Retired.yes },
    ]
    table.apply(flowBatch({ started, flows }))
    table.apply(flowBatch({ sequence: 2, flows: [{ slot: 1, ...row, ended: Retired.yes }] }))
    assert.deepEqual(edgesOf(edges), {})
    assert.deepEqual([ledger.totals.drainedPackets, ledger.totals.excludedPackets], [9, 9])
    assert.deepEqual(edges.restarts, [])
  })

  for (const [what, other] of [
    ['another address', { remote: '192.168.1.2' }],
    ['another port', { remotePort: 40_001 }],
    ['another port that was dialled', { localPort: 4318 }],
    ['another protocol', { protocol: 17 }],
  ] as const)
    it(`are not those of ${what}`, () => {
      const { table, ledger } = smallCluster({ ownTraffic })
      table.apply(flowBatch({ started: [{ ...fromNode, ...other, opener: Opener.remote }], flows: [row] }))
      assert.equal(ledger.totals.excludedPackets, 0)
    })

  it('stay excluded when names change, and are none of the next flow in the slot', () => {
    const { table, ledger, names } = smallCluster({ ownTraffic })
    table.apply(flowBatch({ started: [{ ...fromNode, opener: Opener.remote }], flows: [row] }))
    names.addresses.set('192.168.1.1', api)
    names.version++
    table.apply(flowBatch({ sequence: 2, flows: [{ ...row, ended: Retired.yes }] }))
    assert.equal(ledger.totals.excludedPackets, 6)
    const next = { generation: 2, confidence: Confidence.firstPacket }
    table.apply(flowBatch({ sequence: 3, started: [next], flows: [{ generation: 2, fromPodPackets: 1 }] }))
    assert.equal(ledger.totals.excludedPackets, 6)
  })
})
