// Who opened a TCP connection, and that each connection on the same addresses and ports is another one.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { Confidence, ConnectionState, Opener, Retired } from '../../lib/capture/flow-batch.ts'
import { icmp, udp } from '../support/packet.ts'
import { Conversation } from './conversation.ts'
import { CountedInterface, flowRows, startedRows } from './counted-interface.ts'
import { idleNetwork } from './idle-network.ts'

describe('a TCP connection', function () {
  this.timeout(30_000)
  const network = idleNetwork()
  let counted: CountedInterface
  let connection: Conversation

  beforeEach(async () => {
    counted = await CountedInterface.open(network.one)
    connection = new Conversation(counted)
  })
  afterEach(() => counted?.close())

  /** Connections opened since the last time. */
  async function opened(): Promise<number> {
    return flowRows(await counted.drain()).reduce((sum, row) => sum + row.opened, 0)
  }

  async function opener(): Promise<[number, number]> {
    const [started] = startedRows(await counted.drain())
    return [started!.opener, started!.confidence]
  }

  it('is opened by the third packet of its handshake, once', async () => {
    connection.pod('S')
    assert.equal(await opened(), 0)
    connection.peer('SA')
    assert.equal(await opened(), 0)
    connection.pod('A')
    assert.equal(await opened(), 1)
    for (let i = 0; i < 5; i++) {
      connection.pod('PA', { payload: 10 })
      connection.peer('A')
    }
    assert.equal(await opened(), 0)
  })

  it('is opened by the pod that sent the SYN', async () => {
    connection.open('pod')
    assert.deepEqual(await opener(), [Opener.local, Confidence.handshake])
  })

  it('is opened by the peer that sent the SYN', async () => {
    connection.open('peer')
    assert.deepEqual(await opener(), [Opener.remote, Confidence.handshake])
  })

  it('is opened by who got the SYN-ACK, when the SYN was not seen', async () => {
    connection.peer('SA')
    assert.deepEqual(await opener(), [Opener.local, Confidence.handshake])
    connection.pod('A')
    assert.equal(await opened(), 1)
  })

  it('met in the middle was opened by its first sender, as far as anybody knows', async () => {
    connection.peer('A')
    connection.pod('A')
    assert.deepEqual(await opener(), [Opener.remote, Confidence.firstPacket])
    assert.equal(await opened(), 0)
  })

  it('is not opened again by retransmissions of any step', async () => {
    const [syn, synAck] = [connection.next.pod, connection.next.peer]
    connection.pod('S')
    connection.pod('S', { sequence: syn })
    connection.peer('SA')
    connection.pod('S', { sequence: syn })
    connection.peer('SA', { sequence: synAck })
    connection.pod('A')
    connection.pod('A')
    connection.pod('S', { sequence: syn })
    connection.peer('SA', { sequence: synAck })
    connection.pod('A')
    assert.equal(await opened(), 1)
  })

  it('on the addresses and ports of one that is over has a slot of its own, and ends the old one’s', async () => {
    connection.open('pod')
    connection.close('pod')
    const [old] = flowRows(await counted.drain())
    const next = new Conversation(counted, { podStart: 70_000, peerStart: 9_000_000 })
    next.open('pod')
    const rows = flowRows(await counted.drain())
    assert.deepEqual(
      rows.map(({ opened, ended, state }) => [opened, ended, state]),
      [
        [1, Retired.no, ConnectionState.established],
        [0, Retired.yes, ConnectionState.closed],
      ],
    )
    assert.equal(rows[1]!.slot, old!.slot)
    assert.notEqual(rows[0]!.slot, old!.slot)
    assert.equal(rows[0]!.fromPodPackets + rows[0]!.toPodPackets, 3)
    next.pod('PA', { payload: 10 })
    const batch = await counted.drain()
    assert.deepEqual([batch.started.length, batch.flows.slot[0]], [0, rows[0]!.slot])
  })

  it('may be opened on the same addresses and ports by either end in turn', async () => {
    for (const [i, end] of (['pod', 'peer', 'pod', 'peer'] as const).entries()) {
      const next = new Conversation(counted, { podStart: 100_000 * i, peerStart: 50_000 + 100_000 * i })
      next.open(end)
      next.close(end)
    }
    assert.equal(await opened(), 4)
  })

  it('opened from both ends at once is one', async () => {
    connection.pod('S')
    connection.peer('S')
    const [pod, peer] = [connection.next.pod - 1, connection.next.peer - 1]
    connection.pod('SA', { sequence: pod })
    connection.peer('SA', { sequence: peer })
    connection.pod('A')
    connection.peer('A')
    const batch = await counted.drain()
    assert.equal(batch.started.length, 1)
    assert.deepEqual([batch.flows.opened[0], batch.flows.state[0]], [1, ConnectionState.established])
  })

  it('that was established is not ended by a SYN that only may be a new one', async () => {
    connection.open('pod')
    connection.pod('S', { sequence: 3_000_000 })
    connection.peer('A')
    const batch = await counted.drain()
    assert.equal(batch.started.length, 1)
    assert.equal(batch.flows.state[0], ConnectionState.established)
  })

  it('without an answer was not opened, nor by an ACK that is not the opener’s', async () => {
    connection.pod('S')
    connection.pod('A')
    connection.peer('A')
    assert.equal(await opened(), 0)
  })

  it('says how long its handshake took, from the first SYN to the SYN-ACK and from there to the ACK', async () => {
    const syn = connection.next.pod
    const began = performance.now()
    connection.pod('S')
    const sent = performance.now()
    const [first] = flowRows(await counted.drain())
    connection.pod('S', { sequence: syn })
    const asked = performance.now()
    connection.peer('SA')
    const answered = performance.now()
    connection.pod('A')
    const [row] = flowRows(await counted.drain())
    const ended = performance.now()
    assert.deepEqual([first!.handshakeSeconds, first!.acceptedSeconds], [NaN, NaN])
    assert.ok(row!.handshakeSeconds * 1000 <= answered - began, `${row!.handshakeSeconds} s`)
    assert.ok(row!.handshakeSeconds * 1000 >= asked - sent, `${row!.handshakeSeconds} s`)
    assert.ok(row!.acceptedSeconds > 0 && row!.acceptedSeconds * 1000 <= ended - asked, `${row!.acceptedSeconds} s`)
  })
})

describe('the opener of a flow without connections', function () {
  this.timeout(30_000)
  const network = idleNetwork()
  const out = { from: '10.0.0.1', to: '10.0.0.2', sourcePort: 40_000, destinationPort: 80 }
  const back = { from: '10.0.0.2', to: '10.0.0.1', sourcePort: 80, destinationPort: 40_000 }
  let counted: CountedInterface

  beforeEach(async () => {
    counted = await CountedInterface.open(network.one)
  })
  afterEach(() => counted?.close())

  async function opener(): Promise<[number, number]> {
    const [started] = startedRows(await counted.drain())
    return [started!.opener, started!.confidence]
  }

  it('is who sent the echo request, even when the reply is seen first', async () => {
    counted.send(icmp({ ...out, type: 0, identifier: 3 }))
    counted.receive(icmp({ ...back, type: 8, identifier: 3 }))
    assert.deepEqual(await opener(), [Opener.remote, Confidence.handshake])
  })

  it('is the first sender, as far as anybody knows, of UDP', async () => {
    counted.send(udp(out))
    counted.receive(udp(back))
    assert.deepEqual(await opener(), [Opener.local, Confidence.firstPacket])
  })
})
