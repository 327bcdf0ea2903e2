// Who opened a TCP connection, how often that was completed, and with which sequence numbers.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { Confidence, Opener } from '../../lib/capture/flow-batch.ts'
import { key32, readMap } from '../support/kernel.ts'
import { icmp, tcp, udp } from '../support/packet.ts'
import { CountedInterface, flowRows, startedRows } from './counted-interface.ts'
import { idleNetwork } from './idle-network.ts'

const out = { from: '10.0.0.1', to: '10.0.0.2', sourcePort: 40_000, destinationPort: 80 }
const back = { from: '10.0.0.2', to: '10.0.0.1', sourcePort: 80, destinationPort: 40_000 }

/** As flow.h has them in `flow_details`: behind the identity's line, two numbers and two marks. */
const SEQUENCES_AT = 64
const KNOWN_AT = 72

describe('a TCP connection', function () {
  this.timeout(30_000)
  const network = idleNetwork()
  let counted: CountedInterface

  beforeEach(async () => {
    counted = await CountedInterface.open(network.one)
  })
  afterEach(() => counted?.close())

  const sends = (flags: string, sequence = 1) => counted.send(tcp({ ...out, flags, sequence }))
  const gets = (flags: string, sequence = 1) => counted.receive(tcp({ ...back, flags, sequence }))
  const podOpens = (sequence: number) => {
    sends('S', sequence)
    gets('SA', sequence + 5000)
    sends('A', sequence + 1)
  }
  const peerOpens = (sequence: number) => {
    gets('S', sequence)
    sends('SA', sequence + 5000)
    gets('A', sequence + 1)
  }

  /** Connections opened since the last time. */
  async function opened(): Promise<number> {
    return flowRows(await counted.drain()).reduce((sum, row) => sum + row.opened, 0)
  }

  async function opener(): Promise<[number, number]> {
    const [started] = startedRows(await counted.drain())
    return [started!.opener, started!.confidence]
  }

  it('is opened by the third packet of its handshake, once', async () => {
    sends('S', 100)
    assert.equal(await opened(), 0)
    gets('SA', 900)
    assert.equal(await opened(), 0)
    sends('A', 101)
    assert.equal(await opened(), 1)
    for (let i = 0; i < 5; i++) {
      sends('PA', 101 + i)
      gets('A', 901)
    }
    assert.equal(await opened(), 0)
  })

  it('is opened by the pod that sent the SYN', async () => {
    podOpens(100)
    assert.deepEqual(await opener(), [Opener.local, Confidence.handshake])
  })

  it('is opened by the peer that sent the SYN', async () => {
    peerOpens(100)
    assert.deepEqual(await opener(), [Opener.remote, Confidence.handshake])
  })

  it('is opened by who got the SYN-ACK, when the SYN was not seen', async () => {
    gets('SA', 900)
    assert.deepEqual(await opener(), [Opener.local, Confidence.handshake])
    sends('A', 101)
    assert.equal(await opened(), 1)
  })

  it('met in the middle was opened by its first sender, as far as anybody knows', async () => {
    gets('A')
    sends('A')
    assert.deepEqual(await opener(), [Opener.remote, Confidence.firstPacket])
    assert.equal(await opened(), 0)
  })

  it('is not opened again by retransmissions of any step', async () => {
    sends('S', 100)
    sends('S', 100)
    gets('SA', 900)
    sends('S', 100)
    gets('SA', 900)
    sends('A', 101)
    sends('A', 101)
    sends('S', 100)
    gets('SA', 900)
    sends('A', 101)
    assert.equal(await opened(), 1)
  })

  it('with a new SYN on the same tuple is another one', async () => {
    podOpens(100)
    assert.equal(await opened(), 1)
    sends('FA', 200)
    podOpens(70_000)
    podOpens(140_000)
    assert.equal(await opened(), 2)
  })

  it('may be opened on the same tuple by either end in turn', async () => {
    podOpens(100)
    peerOpens(30_000)
    podOpens(70_000)
    peerOpens(90_000)
    assert.equal(await opened(), 4)
  })

  it('opened from both ends at once is one', async () => {
    sends('S', 100)
    gets('S', 900)
    sends('SA', 100)
    gets('SA', 900)
    sends('A', 101)
    gets('A', 901)
    assert.equal(await opened(), 1)
  })

  it('whose handshake the other end’s SYN overtook is not opened by its last packet', async () => {
    sends('S', 100)
    gets('SA', 900)
    gets('S', 30_000)
    sends('A', 101)
    assert.equal(await opened(), 0)
    sends('SA', 60_000)
    gets('A', 30_001)
    assert.equal(await opened(), 1)
  })

  it('that is refused was not opened', async () => {
    sends('S', 100)
    gets('RA', 0)
    assert.equal(await opened(), 0)
  })

  it('that is reset instead of acknowledged was not opened', async () => {
    sends('S', 100)
    gets('SA', 900)
    sends('RA', 101)
    assert.equal(await opened(), 0)
  })

  it('without an answer was not opened, nor by an ACK that is not the opener’s', async () => {
    sends('S', 100)
    sends('A', 101)
    gets('A', 900)
    assert.equal(await opened(), 0)
  })

  it('has the initial sequence numbers of both ends', async () => {
    sends('S', 0xfffffff0)
    gets('SA', 70_000)
    const [row] = flowRows(await counted.drain())
    const details = readMap(counted.map('slot_details'), key32(row!.slot))!
    const view = new DataView(details.buffer)
    assert.equal(view.getUint32(SEQUENCES_AT, true), 0xfffffff0)
    assert.equal(view.getUint32(SEQUENCES_AT + 4, true), 70_000)
    assert.deepEqual([...details.subarray(KNOWN_AT, KNOWN_AT + 2)], [1, 1])
  })

  it('that begins anew forgets the other end’s sequence number', async () => {
    podOpens(100)
    sends('S', 70_000)
    const [row] = flowRows(await counted.drain())
    const details = readMap(counted.map('slot_details'), key32(row!.slot))!
    assert.equal(new DataView(details.buffer).getUint32(SEQUENCES_AT, true), 70_000)
    assert.deepEqual([...details.subarray(KNOWN_AT, KNOWN_AT + 2)], [1, 0])
  })
})

describe('the opener of a flow without connections', function () {
  this.timeout(30_000)
  const network = idleNetwork()
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
