import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { EdgeCount } from '../../lib/aggregate/edge-counts.ts'
import { Closed, Confidence, ConnectionState, Opener, Retired } from '../../lib/capture/flow-batch.ts'
import { flowBatch, type StartedRow } from '../support/flow-batch.ts'
import { smallCluster } from './small-cluster.ts'

const { established, midstream, closing, connecting, closed } = ConnectionState
const parking = { state: established, ended: Retired.parked }
/** Its last packet was the server's, so that packets alone would say that the server began. */
const resumed: StartedRow = { slot: 9, opener: Opener.remote, confidence: Confidence.resumed }

/** A connection that web opened to api, established and parked. */
function withParked(parts: Parameters<typeof smallCluster>[0] = {}, started: StartedRow = {}) {
  const cluster = smallCluster({ detail: 'full', ...parts })
  cluster.table.apply(flowBatch({ started: [started], flows: [{ opened: 1, state: established, fromPodPackets: 1 }] }))
  cluster.table.apply(flowBatch({ sequence: 2, flows: [parking] }))
  return cluster
}

describe('active connections', () => {
  it('are TCP connections that are open or closing, and requests, as long as they live', () => {
    const { table } = smallCluster({ detail: 'full' })
    const states = [connecting, established, midstream, closing, closed]
    const started: StartedRow[] = states.map((_, slot) => ({ slot, localPort: 40_000 + slot }))
    const flows = states.map((state, slot) => ({ slot, state }))
    const udp = { protocol: 17, confidence: Confidence.firstPacket }
    started.push(
      { slot: 10, ...udp },
      { slot: 11, ...udp, opener: Opener.remote, localPort: 1 },
      { slot: 12, protocol: 1 },
    )
    table.apply(flowBatch({ started, flows: [...flows, { slot: 10 }, { slot: 11 }, { slot: 12 }] }))
    assert.deepEqual([...table.activeByEdge()], [3, 1, 1])
    table.apply(
      flowBatch({
        sequence: 2,
        flows: [
          { slot: 1, ended: true },
          { slot: 2, state: closed },
          { slot: 10, ended: true },
        ],
      }),
    )
    assert.deepEqual([...table.activeByEdge()], [1, 0, 1])
  })

  it('that the other pod opened are in no edge of ours', () => {
    const started = { interfaceSlot: 2, remote: '10.0.0.1', localPort: 8080, remotePort: 1, opener: Opener.remote }
    const { table } = withParked({}, started)
    assert.deepEqual([...table.activeByEdge()], [])
    assert.equal(table.parked.connections, 1)
  })
})

describe('parked connections', () => {
  it('stay active without a slot, and are shown as parked until the next batch', () => {
    const { table } = withParked()
    assert.deepEqual([...table.activeByEdge()], [1])
    assert.deepEqual(
      [...table.views(false)].map(({ life }) => life),
      ['parked'],
    )
    table.apply(flowBatch({ sequence: 3 }))
    assert.deepEqual([...table.views(false)], [])
    assert.deepEqual([...table.activeByEdge()], [1])
  })

  it('come back with their client, not opened again and not twice active', () => {
    const { table, edges } = withParked()
    table.apply(
      flowBatch({ sequence: 3, started: [resumed], flows: [{ slot: 9, state: established, toPodPackets: 5 }] }),
    )
    assert.equal(edges.edges.length, 1)
    const { requestPackets, responsePackets, opened } = EdgeCount
    assert.deepEqual(
      [requestPackets, responsePackets, opened].map(count => edges.values[count]),
      [1, 5, 1],
    )
    assert.deepEqual([...table.activeByEdge()], [1])
    assert.equal(table.parked.connections, 0)
    const [view] = table.views(true)
    assert.deepEqual([view!.client, view!.clientBasis, view!.opened], ['local', 'handshake', 1])
  })

  it('come back with their client also when it was guessed, and the guess would be another now', () => {
    const guessed = { localPort: 9000, remotePort: 8080, remote: '8.8.8.8', confidence: Confidence.firstPacket }
    const { table } = withParked({}, guessed)
    const accepted = { slot: 3, localPort: 9000, remotePort: 5, opener: Opener.remote }
    const back = { ...guessed, slot: 9, confidence: Confidence.resumed }
    table.apply(flowBatch({ sequence: 3, started: [accepted, back], flows: [{ slot: 3 }, { slot: 9 }] }))
    const view = [...table.views(true)].find(({ slot }) => slot === 9)
    assert.deepEqual([view!.client, view!.clientBasis], ['local', 'lower_port'])
  })

  it('last from their beginning, however often they were parked', () => {
    const { table, edges } = withParked({}, { startMs: 1_000_500 })
    table.apply(flowBatch({ sequence: 3, started: [{ ...resumed, startMs: 1_050_000 }], flows: [{ slot: 9 }] }))
    const end = { slot: 9, state: closed, closed: Closed.fin, endedAtMs: 1_100_500 }
    table.apply(flowBatch({ sequence: 4, flows: [end] }))
    assert.equal(edges.pairs.duration.sums[0], 100)
  })

  it('are over when a new connection uses their ports', () => {
    const { table, edges } = withParked()
    const row = { slot: 9, state: established, opened: 1 }
    table.apply(flowBatch({ sequence: 3, started: [{ slot: 9 }], flows: [row] }))
    assert.deepEqual([...table.activeByEdge()], [1])
    assert.equal(edges.values[EdgeCount.opened], 2)
    assert.equal([...table.views(true)][0]!.opened, 1)
    assert.equal(table.parked.connections, 0)
  })

  it('are told apart by interface, protocol, address and port', () => {
    for (const other of [
      { interfaceSlot: 2 },
      { protocol: 17 },
      { remote: '10.0.0.3' },
      { localPort: 40_256 },
      { remotePort: 80 },
    ]) {
      const { table } = withParked()
      table.apply(flowBatch({ sequence: 3, started: [{ ...resumed, ...other }], flows: [{ slot: 9 }] }))
      assert.equal(table.parked.connections, 1, JSON.stringify(other))
    }
  })

  it('are over after two hours, and with their interface', () => {
    const { table } = withParked()
    table.apply(flowBatch({ sequence: 3, readAtMs: 1_002_000 + 7_199_999 }))
    assert.equal(table.parked.connections, 1)
    table.apply(flowBatch({ sequence: 4, readAtMs: 1_002_000 + 7_200_000 }))
    assert.deepEqual([table.parked.connections, ...table.activeByEdge()], [0, 0])
    const other = withParked()
    other.table.apply(flowBatch({ sequence: 3, interfaces: [{ interfaceSlot: 2, ended: true }] }))
    assert.equal(other.table.parked.connections, 1)
    other.table.apply(flowBatch({ sequence: 4, interfaces: [{ ended: true }] }))
    assert.equal(other.table.parked.connections, 0)
  })

  it('are no more than the flow limit: the oldest goes, and is counted', () => {
    const { table } = smallCluster({ flowLimit: 16 })
    const slots = Array.from({ length: 20 }, (_, i) => i)
    const started = slots.map(slot => ({ slot, localPort: 1000 + slot }))
    table.apply(flowBatch({ started, flows: slots.map(slot => ({ slot, state: established })) }))
    table.apply(flowBatch({ sequence: 2, flows: slots.map(slot => ({ slot, ...parking })) }))
    assert.deepEqual(table.parked, { connections: 16, dropped: 4 })
    table.apply(flowBatch({ sequence: 3, started: [{ ...resumed, localPort: 1003 }], flows: [{ slot: 9 }] }))
    assert.equal(table.parked.connections, 16)
    table.apply(flowBatch({ sequence: 4, started: [{ ...resumed, localPort: 1004 }], flows: [{ slot: 9 }] }))
    assert.equal(table.parked.connections, 15)
  })
})
