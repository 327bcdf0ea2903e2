// Which connections have spans, and what histograms say of those.
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { CaptureHealth } from '../../lib/capture/capture-health.ts'
import { Closed, ConnectionState, Failed, Opener, Retired } from '../../lib/capture/flow-batch.ts'
import { defaultMetricForm } from '../../lib/config/metric-form.ts'
import { AgentFigures } from '../../lib/signals/agent-figures.ts'
import { Delivery } from '../../lib/signals/delivery.ts'
import { DrainDurations } from '../../lib/signals/drain-durations.ts'
import { MetricWalk } from '../../lib/signals/metric-walk.ts'
import { SharedSets } from '../../lib/signals/shared-sets.ts'
import { startedAtMs } from '../aggregate/small-cluster.ts'
import { capturedLog } from '../support/captured-log.ts'
import type { BatchParts, StartedRow } from '../support/flow-batch.ts'
import { type EventOptions, ToldEvents } from './told-events.ts'
import { ToldPoints } from './told-points.ts'

const clientSide: StartedRow = { remote: '10.96.0.1', remotePort: 80, localPort: 40_000 }
const serverSide: StartedRow = {
  ...{ slot: 8, interfaceSlot: 2, local: '10.0.0.2', localPort: 8080 },
  ...{ remote: '10.0.0.1', remotePort: 40_000, opener: Opener.remote },
}
const over = { state: ConnectionState.closed, closed: Closed.fin, endedAtMs: 1_001_500 }
const shaken = { handshakeSeconds: 0.03, acceptedSeconds: 0.01 }

function told(batches: BatchParts[], options: EventOptions = { traces: {} }): ToldEvents {
  const events = new ToldEvents(options)
  for (const batch of batches) events.drain(batch)
  return events
}

describe('the choice of connections', () => {
  const refused = { state: ConnectionState.refused, failed: Failed.refused }
  const connections = Array.from({ length: 400 }, (_, slot) => ({
    started: { ...clientSide, slot, localPort: 10_000 + slot },
    row: { ...(slot % 20 === 0 ? refused : over), slot, handshakeSeconds: slot % 10 === 5 ? 0.3 : 0.1 },
    beginning: { row: slot, fromPod: { sequence: slot * 7919 }, ...(slot % 20 !== 0 && { toPod: { sequence: slot } }) },
  }))
  const batch = {
    started: connections.map(({ started }) => started),
    flows: connections.map(({ row }) => row),
    beginnings: connections.map(({ beginning }) => beginning),
  }
  const chosen = (traces: EventOptions['traces']) =>
    told([batch], { traces: traces!, cluster: { flowLimit: 512 } }).spans

  it('is of none, of all, or of those that failed', () => {
    assert.equal(chosen({ connections: 'all' }).length, 400)
    assert.equal(chosen({ connections: 'failed' }).length, 20)
    const events = new ToldEvents({ traces: { connections: 'off' } })
    assert.equal(events.events.listener, undefined)
  })

  it('is of those whose handshake took longer, beside those that failed', () => {
    assert.equal(chosen({ connections: 'slow', slowThresholdMs: 250 }).length, 60)
    assert.equal(chosen({ connections: 'slow', slowThresholdMs: 300 }).length, 20)
  })

  it('is by the trace beside those that failed, and says how many each stands for', () => {
    const spans = chosen({ connections: 'sampled', sampleRatio: 0.25 })
    const [failed, taken] = ['error', 'unset'].map(status => spans.filter(span => span.status === status))
    assert.equal(failed!.length, 20)
    assert.deepEqual(new Set(failed!.map(({ traceState }) => traceState)), new Set(['ot=th:0']))
    assert.ok(taken!.length > 60 && taken!.length < 130, String(taken!.length))
    for (const { traceState, traceId } of taken!) {
      assert.equal(traceState, 'ot=th:c')
      assert.ok(traceId.slice(-14) >= 'c'.padEnd(14, '0'))
    }
    assert.deepEqual(new Set(chosen({ connections: 'all' }).map(({ traceState }) => traceState)), new Set([undefined]))
  })

  it('leaves out what is too much for one drain, and counts it', () => {
    const many = Array.from({ length: 10_007 }, (_, slot) => ({ slot, ...over }))
    const events = told([{ started: many.map(({ slot }) => ({ ...clientSide, slot })), flows: many }], {
      ...{ traces: {}, cluster: { flowLimit: 16_384 } },
    })
    assert.deepEqual([events.spans.length, events.lost.spans], [10_000, 7])
  })
})

describe('exemplars', () => {
  /** Of each histogram, as a receiver is told: metric and values. */
  function toldOf(events: ToldEvents): [number, string][][] {
    const { edges, ledger, table } = events.cluster
    const agent = new AgentFigures({
      ...{
        table,
        edges,
        items: () => [],
        usage: () => ({ userSeconds: 0, systemSeconds: 0, residentBytes: 0 }),
        health: new CaptureHealth(capturedLog().log),
        interfaces: () => [],
      },
      ...{ reattachments: () => 0, programTime: () => undefined },
    })
    const clock = { nowMs: () => events.nowMs, monotonicMs: () => events.nowMs }
    const books = { edges, ledger, delivery: new Delivery() }
    const drains = new DrainDurations(startedAtMs)
    const sources = {
      ...books,
      agent,
      drains,
      sets: new SharedSets({}, {}),
      clock,
      startedAtMs,
      exemplars: events.exemplars,
    }
    const walk = new MetricWalk({ ...sources, active: () => table.activeByEdge() }, defaultMetricForm)
    const sink = new ToldPoints()
    walk.collect().writeAll(sink)
    return sink.histograms.map(({ exemplars = [] }) => exemplars.map(({ value, spanId }) => [value, spanId]))
  }

  const connections = [
    { started: [clientSide], flows: [{ ...over, ...shaken }] },
    { started: [{ ...clientSide, slot: 9 }], flows: [{ ...over, slot: 9, handshakeSeconds: 0.031 }] },
    { started: [{ ...clientSide, slot: 10 }], flows: [{ ...over, slot: 10, handshakeSeconds: 3 }] },
    { started: [serverSide], flows: [{ ...over, slot: 8, handshakeSeconds: 0.5 }] },
  ]

  it('are of connections with a span, the newest of each bucket, and go with their histograms', () => {
    const events = told(connections, { traces: {}, cluster: { detail: 'full' } })
    const [, second, third] = events.spans
    assert.deepEqual(
      toldOf(events).filter(each => each.length > 0),
      [
        [
          [0.031, second!.spanId],
          [3, third!.spanId],
        ],
        [[1, third!.spanId]],
      ],
    )
  })

  it('are none of connections without a span, and none when they are old', () => {
    const none = toldOf(told(connections, { traces: { connections: 'failed' } }))
    assert.deepEqual([none.length > 0, none.flat()], [true, []])
    const events = told(connections)
    assert.notDeepEqual(toldOf(events).flat(), [])
    events.nowMs += 61_000
    assert.deepEqual(toldOf(events).flat(), [])
  })

  it('are not kept of a pair that is gone', () => {
    const ended = { ...over, ...shaken, ended: Retired.yes }
    const events = told([{ started: [clientSide], flows: [ended] }], { traces: {}, cluster: { edgeIdleMs: 2000 } })
    assert.equal(events.exemplars.of('handshake', 0).length, 1)
    for (let i = 0; i < 8; i++) events.drain()
    assert.equal(events.cluster.edges.edges[0], undefined)
    assert.deepEqual(events.exemplars.of('handshake', 0), [])
  })
})
