// How a TCP connection goes, from the packets that say so: each state, each end, and each of them told once.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, it } from 'mocha'
import { Closed, Confidence, ConnectionState, Failed, Retired } from '../../lib/capture/flow-batch.ts'
import { RETIRE_TIMES, type RetireTimes } from '../../lib/capture/native-probe.ts'
import { Conversation } from './conversation.ts'
import { CountedInterface, type FlowRow, flowRows, startedRows } from './counted-interface.ts'
import { idleNetwork } from './idle-network.ts'

const NOTHING = { opened: 0, failed: Failed.none, closed: Closed.none, ended: Retired.no }

describe('a TCP connection', function () {
  this.timeout(30_000)
  const network = idleNetwork()
  let counted: CountedInterface

  async function open(retire: Partial<RetireTimes> = {}): Promise<Conversation> {
    counted = await CountedInterface.open(network.one, { retire: { ...RETIRE_TIMES, ...retire } })
    return new Conversation(counted)
  }
  afterEach(() => counted?.close())

  /** What the drain tells of the one flow there is; undefined when nothing of it is new. */
  async function told() {
    const rows = flowRows(await counted.drain())
    assert.ok(rows.length < 2, `${rows.length} rows`)
    if (!rows[0]) return undefined
    const { opened, failed, closed, ended, state } = rows[0]
    return { opened, failed, closed, ended, state }
  }

  it('goes from one state to the next', async () => {
    const connection = await open()
    connection.pod('S')
    assert.deepEqual(await told(), { ...NOTHING, state: ConnectionState.connecting })
    connection.peer('SA')
    assert.deepEqual(await told(), { ...NOTHING, state: ConnectionState.connecting })
    connection.pod('A')
    assert.deepEqual(await told(), { ...NOTHING, opened: 1, state: ConnectionState.established })
    connection.pod('FA')
    assert.deepEqual(await told(), { ...NOTHING, state: ConnectionState.closing })
    connection.peer('FA')
    assert.deepEqual(await told(), { ...NOTHING, closed: Closed.fin, state: ConnectionState.closed })
    connection.pod('A')
    assert.deepEqual(await told(), { ...NOTHING, state: ConnectionState.closed })
    assert.equal(await told(), undefined)
  })

  interface Course {
    readonly name: string
    readonly packets: (connection: Conversation) => void
    readonly says: {
      readonly state: number
      readonly failed?: number
      readonly closed?: number
      readonly opened?: number
    }
  }
  const courses: Course[] = [
    {
      name: 'is refused by the peer’s RST to its SYN',
      packets: connection => {
        connection.pod('S')
        connection.peer('RA', { sequence: 0 })
      },
      says: { state: ConnectionState.refused, failed: Failed.refused },
    },
    {
      name: 'is refused by the pod’s RST to its SYN',
      packets: connection => {
        connection.peer('S')
        connection.pod('RA', { sequence: 0 })
      },
      says: { state: ConnectionState.refused, failed: Failed.refused },
    },
    {
      name: 'is reset early by who opened it, instead of an answer to the SYN-ACK',
      packets: connection => {
        connection.pod('S')
        connection.peer('SA')
        connection.pod('R')
      },
      says: { state: ConnectionState.resetEarly, failed: Failed.reset },
    },
    {
      name: 'is reset early by who had answered',
      packets: connection => {
        connection.pod('S')
        connection.peer('SA')
        connection.peer('RA')
      },
      says: { state: ConnectionState.resetEarly, failed: Failed.reset },
    },
    {
      name: 'is reset early by who takes its SYN back',
      packets: connection => {
        connection.pod('S')
        connection.pod('R')
      },
      says: { state: ConnectionState.resetEarly, failed: Failed.reset },
    },
    {
      name: 'is closed by two FINs',
      packets: connection => {
        connection.open('peer')
        connection.close('pod')
      },
      says: { state: ConnectionState.closed, closed: Closed.fin, opened: 1 },
    },
    {
      name: 'is reset by the pod',
      packets: connection => {
        connection.open('pod')
        connection.pod('RA')
      },
      says: { state: ConnectionState.resetByLocal, closed: Closed.resetByLocal, opened: 1 },
    },
    {
      name: 'is reset by the peer',
      packets: connection => {
        connection.open('pod')
        connection.peer('R')
      },
      says: { state: ConnectionState.resetByRemote, closed: Closed.resetByRemote, opened: 1 },
    },
    {
      name: 'was met in the middle, and is reset by the peer',
      packets: connection => {
        connection.pod('PA', { payload: 10 })
        connection.peer('A')
        connection.peer('R')
      },
      says: { state: ConnectionState.resetByRemote, closed: Closed.resetByRemote },
    },
    {
      name: 'is closed, whatever is sent after it',
      packets: connection => {
        connection.open('pod')
        connection.close('peer')
        connection.peer('R')
        connection.pod('R')
      },
      says: { state: ConnectionState.closed, closed: Closed.fin, opened: 1 },
    },
  ]
  for (const { name, packets, says } of courses)
    it(`${name}, and that is told once, with its time`, async () => {
      const connection = await open()
      const beforeMs = Date.now()
      packets(connection)
      const afterMs = Date.now()
      const [row, ...more] = flowRows(await counted.drain())
      assert.equal(more.length, 0)
      const { opened, failed, closed, state } = row!
      assert.deepEqual({ opened, failed, closed, state }, { opened: 0, failed: 0, closed: 0, ...says })
      assert.equal(await told(), undefined)
      assert.ok(row!.endedAtMs > beforeMs - 2 && row!.endedAtMs < afterMs + 2, `${row!.endedAtMs - beforeMs} ms`)
    })

  it('that was met in the middle is neither opened nor of a known opener', async () => {
    const connection = await open()
    connection.peer('PA', { payload: 10 })
    connection.pod('A')
    const batch = await counted.drain()
    assert.deepEqual([batch.flows.opened[0], batch.flows.state[0]], [0, ConnectionState.midstream])
    assert.equal(startedRows(batch)[0]!.confidence, Confidence.firstPacket)
    connection.pod('FA')
    assert.equal((await told())!.state, ConnectionState.closing)
  })

  it('is not refused by an RST to something else', async () => {
    const connection = await open()
    connection.pod('S')
    connection.peer('RA', { sequence: 0, acknowledgment: 77 })
    const [row] = flowRows(await counted.drain())
    assert.deepEqual([row!.state, row!.failed], [ConnectionState.connecting, Failed.none])
    assert.ok(Number.isNaN(row!.endedAtMs))
  })

  it('times out when its last SYN is unanswered for long enough, once', async () => {
    const connectTimeoutMs = 700
    const connection = await open({ connectTimeoutMs })
    const syn = connection.next.pod
    connection.pod('S')
    assert.equal((await told())!.state, ConnectionState.connecting)
    await sleep(connectTimeoutMs / 2)
    const beforeMs = Date.now()
    connection.pod('S', { sequence: syn })
    const afterMs = Date.now()
    assert.equal((await told())!.state, ConnectionState.connecting)
    let row: FlowRow | undefined
    while (!row) [row] = flowRows(await counted.drain())
    assert.ok(Date.now() >= beforeMs + connectTimeoutMs)
    assert.deepEqual([row.state, row.failed, row.ended], [ConnectionState.timeout, Failed.timeout, Retired.no])
    const sinceMs = row.endedAtMs - connectTimeoutMs
    assert.ok(sinceMs > beforeMs - 2 && sinceMs < afterMs + 2, `${sinceMs - beforeMs} ms`)
    assert.equal(await told(), undefined)
    connection.pod('S', { sequence: syn })
    assert.deepEqual(await told(), { ...NOTHING, state: ConnectionState.connecting })
    await sleep(connectTimeoutMs)
    assert.deepEqual(await told(), { ...NOTHING, state: ConnectionState.timeout })
  })

  it('that timed out may be opened by a late answer', async () => {
    const connection = await open({ connectTimeoutMs: 0 })
    connection.pod('S')
    assert.deepEqual(await told(), { ...NOTHING, failed: Failed.timeout, state: ConnectionState.timeout })
    connection.peer('SA')
    assert.deepEqual(await told(), { ...NOTHING, state: ConnectionState.connecting })
    connection.pod('A')
    assert.deepEqual(await told(), { ...NOTHING, opened: 1, state: ConnectionState.established })
  })

  it('fails once, also when its slot is given back between two of its SYNs', async () => {
    const connection = await open({ connectTimeoutMs: 0, failedMs: 0 })
    const failures = []
    for (const sequence of [5000, 5000, 5001]) {
      connection.pod('S', { sequence })
      const rows = flowRows(await counted.drain())
      assert.equal(rows.at(-1)!.ended, Retired.yes)
      failures.push(rows.reduce((sum, row) => sum + (row.failed === Failed.timeout ? 1 : 0), 0))
    }
    assert.deepEqual(failures, [1, 0, 1])
  })

  it('that nobody acknowledges fails when it leaves the table', async () => {
    const connection = await open({ halfOpenMs: 150 })
    connection.pod('S')
    connection.peer('SA')
    assert.equal((await told())!.state, ConnectionState.connecting)
    await sleep(170)
    const [still, last] = flowRows(await counted.drain())
    assert.equal(last, undefined)
    assert.deepEqual([still!.state, still!.failed], [ConnectionState.timeout, Failed.timeout])
    assert.deepEqual([still!.ended, still!.closed], [Retired.yes, Closed.none])
  })

  it('that a new one on its addresses and ports overtakes before it was opened has failed', async () => {
    const connection = await open()
    connection.pod('S')
    await counted.drain()
    connection.pod('S', { sequence: 9_000_000 })
    const rows = flowRows(await counted.drain())
    assert.deepEqual(
      rows.map(({ state, failed, ended }) => [state, failed, ended]),
      [
        [ConnectionState.connecting, Failed.none, Retired.no],
        [ConnectionState.timeout, Failed.timeout, Retired.yes],
      ],
    )
  })

  it('goes on as it was while details are off', async () => {
    const connection = await open()
    await counted.source.setTcpDetail(false)
    connection.open('pod')
    connection.pod('PA', { payload: 100 })
    connection.close('pod')
    assert.deepEqual(await told(), { ...NOTHING, opened: 1, closed: Closed.fin, state: ConnectionState.closed })
  })
})
