// Batches read as objects: what a row says, and who it is about.
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { Closed, ConnectionState, Failed, Opener } from '../../lib/capture/flow-batch.ts'
import { type FlowChange, FlowReader } from '../../lib/library/flow-change.ts'
import { type BatchParts, flowBatch } from '../support/flow-batch.ts'

const started = {
  ...{ slot: 7, generation: 3, local: '10.0.0.1', remote: '10.0.0.2', localPort: 40_000, remotePort: 80 },
  ...{ protocol: 6, opener: Opener.local, startMs: 500 },
}
const row = { slot: 7, generation: 3 }

function read(reader: FlowReader, parts: BatchParts): FlowChange[] {
  return [...reader.read(flowBatch(parts))]
}

describe('flows as objects', () => {
  it('say who a flow is between in every batch, and what it did since the one before', () => {
    const reader = new FlowReader()
    const first = { ...row, fromPodPackets: 2, fromPodBytes: 120, toPodPackets: 1, toPodBytes: 60, opened: 1 }
    const [begun] = read(reader, { started: [started], flows: [{ ...first, state: ConnectionState.established }] })
    assert.deepEqual(begun!.local, { address: '10.0.0.1', port: 40_000 })
    assert.deepEqual(begun!.remote, { address: '10.0.0.2', port: 80 })
    assert.deepEqual(
      [begun!.sent, begun!.received],
      [
        { packets: 2, bytes: 120 },
        { packets: 1, bytes: 60 },
      ],
    )
    const { transport, opener, opened, state, ended } = begun!
    assert.deepEqual(
      { transport, opener, opened, state, ended },
      { transport: 'tcp', opener: 'local', opened: true, state: 'established', ended: false },
    )
    const [later] = read(reader, { flows: [{ ...row, fromPodBytes: 5 }] })
    assert.equal(later!.id, begun!.id)
    assert.deepEqual(later!.remote, begun!.remote)
    assert.equal(later!.sent.bytes, 5)
    assert.equal(later!.opened, false)
  })

  it('say how a flow ended', () => {
    const reader = new FlowReader()
    const end = { ...row, ended: true, closed: Closed.resetByRemote, state: ConnectionState.resetByRemote }
    const [last] = read(reader, { started: [started], flows: [end] })
    assert.deepEqual([last!.ended, last!.closed, last!.state], [true, 'reset_by_remote', 'reset_by_remote'])
  })

  it('never take a row of another flow in the same slot for theirs', () => {
    const reader = new FlowReader()
    assert.equal(read(reader, { started: [started], flows: [row] }).length, 1)
    assert.deepEqual(read(reader, { flows: [{ ...row, generation: 4, fromPodBytes: 9 }] }), [])
  })

  it('say why an attempt failed, and nothing where none did', () => {
    const reader = new FlowReader()
    const failed = { ...row, failed: Failed.timeout, state: ConnectionState.timeout }
    assert.equal(read(reader, { started: [started], flows: [failed] })[0]!.failed, 'timeout')
    assert.ok(!('failed' in read(reader, { flows: [row] })[0]!))
  })

  it('leave out what began before they were read', () => {
    assert.deepEqual(read(new FlowReader(), { flows: [{ ...row, fromPodBytes: 1 }] }), [])
  })
})
