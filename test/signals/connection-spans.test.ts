// A span of a connection on each side that sees it.
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { Closed, Confidence, ConnectionState, Failed, Opener, Retired } from '../../lib/capture/flow-batch.ts'
import type { SpanRecord } from '../../lib/signals/span-record.ts'
import type { BatchParts, BeginningRow, FlowRow, StartedRow } from '../support/flow-batch.ts'
import { attributesOf, type EventOptions, ToldEvents } from './told-events.ts'

/** web's interface, which sees the Service's address; api's, which sees the node that web's packets were masqueraded as. */
const clientSide: StartedRow = { remote: '10.96.0.1', remotePort: 80, localPort: 40_000 }
const serverSide: StartedRow = {
  ...{ slot: 8, interfaceSlot: 2, local: '10.0.0.2', localPort: 8080 },
  ...{ remote: '192.168.1.1', remotePort: 61_234, opener: Opener.remote },
}
const numbers = { client: 4_000_000_000, server: 17 }
const ofClientSide: BeginningRow = {
  synAtMs: 1_000_600,
  fromPod: { sequence: numbers.client, firstDataAtMs: 1_000_700 },
  toPod: { sequence: numbers.server, firstDataAtMs: 1_000_750 },
}
const ofServerSide: BeginningRow = {
  synAtMs: 1_000_601,
  fromPod: { sequence: numbers.server, firstDataAtMs: 1_000_749 },
  toPod: { sequence: numbers.client, firstDataAtMs: 1_000_701 },
}
const over: FlowRow = { state: ConnectionState.closed, closed: Closed.fin, endedAtMs: 1_001_500 }
const shaken: FlowRow = { handshakeSeconds: 0.03, acceptedSeconds: 0.01 }

function told(batches: BatchParts[], options: EventOptions = { traces: {} }): ToldEvents {
  const events = new ToldEvents(options)
  for (const batch of batches) events.drain(batch)
  return events
}

/** Of one connection that ends as `row` says. */
function spanOf(started: StartedRow, row: FlowRow, beginning?: BeginningRow, options?: EventOptions): SpanRecord {
  const { slot = 7 } = started
  const batch = { started: [started], flows: [{ slot, ...row }], ...(beginning && { beginnings: [beginning] }) }
  const { spans } = told([batch], options)
  assert.equal(spans.length, 1)
  return spans[0]!
}

describe('the spans of a connection', () => {
  it('of both sides are of one trace, whatever addresses and ports each of them sees', () => {
    const client = spanOf(clientSide, { ...over, ...shaken }, ofClientSide)
    const server = spanOf(serverSide, over, ofServerSide, { traces: {}, origin: 'node-2' })
    assert.deepEqual([client.kind, server.kind], ['client', 'server'])
    assert.equal(client.traceId, server.traceId)
    assert.equal(server.parentSpanId, client.spanId)
    assert.equal(client.parentSpanId, undefined)
    for (const span of [client, server]) assert.equal('podweir.trace.join' in attributesOf(span), false)
  })

  it('of two connections are of two traces', () => {
    const other = { ...ofClientSide, toPod: { sequence: 18 } }
    assert.notEqual(spanOf(clientSide, over, ofClientSide).traceId, spanOf(clientSide, over, other).traceId)
  })

  it('have no parent where nobody of ours can be at the client’s end', () => {
    const fromOutside = { ...serverSide, remote: '8.8.8.8' }
    assert.equal(spanOf(fromOutside, over, ofServerSide).parentSpanId, undefined)
    const fromPod = { ...serverSide, remote: '10.0.0.1' }
    assert.notEqual(spanOf(fromPod, over, ofServerSide).parentSpanId, undefined)
  })

  it('are marked where the SYN-ACK was not seen, and have a span id of their own', () => {
    const refused = { failed: Failed.refused, state: ConnectionState.refused, endedAtMs: 1_001_000 }
    const half = { synAtMs: 1_000_600, fromPod: { sequence: numbers.client } }
    const seen = { synAtMs: 1_000_600, toPod: { sequence: numbers.client } }
    const dialled = { ...clientSide, remote: '10.0.0.2', remotePort: 8080 }
    const client = spanOf(dialled, refused, half)
    const server = spanOf({ ...serverSide, remote: '10.0.0.1' }, refused, seen, { traces: {}, origin: 'node-2' })
    for (const span of [client, server]) assert.equal(attributesOf(span)['podweir.trace.join'], 'single')
    assert.equal(client.traceId, server.traceId)
    assert.equal(server.parentSpanId, undefined)
    const again = spanOf({ ...dialled, startMs: 1_000_900 }, refused, half)
    assert.notEqual(again.spanId, client.spanId)
  })

  it('that was met in the middle are of nobody else’s trace', () => {
    const one = spanOf(clientSide, over)
    const other = spanOf({ ...clientSide, localPort: 40_001 }, over)
    assert.equal(attributesOf(one)['podweir.trace.join'], 'single')
    assert.notEqual(one.traceId, other.traceId)
    assert.equal(spanOf(clientSide, over).spanId, one.spanId)
    assert.notEqual(spanOf(clientSide, over, undefined, { traces: {}, origin: 'node-2' }).traceId, one.traceId)
  })

  it('begin with the SYN and end with the end, with everything in between at its time', () => {
    const span = spanOf(clientSide, { ...over, ...shaken, fromPod: { retransmits: 2 } }, ofClientSide)
    assert.deepEqual([span.startMs, span.endMs], [1_000_500, 1_001_500])
    const synFirst = spanOf({ ...clientSide, startMs: 1_000_600 }, { ...over, ...shaken }, ofClientSide)
    assert.equal(synFirst.startMs, 1_000_600)
    assert.deepEqual(
      synFirst.events!.map(({ name, timeMs, attributes }) => [name, timeMs, attributes?.attributes]),
      [
        ['handshake', 1_000_640, { 'podweir.tcp.handshake.duration': 0.03, 'podweir.tcp.accept.duration': 0.01 }],
        ['first_data', 1_000_700, { 'podweir.flow.direction': 'request' }],
        ['first_data', 1_000_750, { 'podweir.flow.direction': 'response' }],
        ['close', 1_001_500, { 'podweir.connection.end': 'fin' }],
      ],
    )
    assert.deepEqual(
      span
        .events!.filter(({ name }) => name === 'retransmit')
        .map(({ timeMs, attributes }) => [timeMs, attributes?.attributes]),
      [[1_001_000, { 'podweir.flow.direction': 'request', 'podweir.tcp.retransmits': 2 }]],
    )
  })

  it('say whose packets were sent again, on either side', () => {
    const again = { ...over, fromPod: { retransmits: 1 } }
    const from = (span: SpanRecord) =>
      span.events!.find(({ name }) => name === 'retransmit')!.attributes!.attributes['podweir.flow.direction']
    assert.deepEqual([from(spanOf(clientSide, again)), from(spanOf(serverSide, again))], ['request', 'response'])
  })

  it('are of nothing that is left out by configuration', () => {
    const events = new ToldEvents({ traces: {}, logs: {} })
    const { owners } = events.cluster
    owners.set(1, { ...owners.get(1)!, identity: { ...owners.get(1)!.identity, outOfScope: true } })
    events.drain({ started: [clientSide], flows: [{ ...over, failed: Failed.refused, ended: Retired.yes }] })
    assert.deepEqual([events.spans, events.records], [[], []])
  })

  it('have no event after their end', () => {
    const late = { ...over, endedAtMs: 1_000_800, toPod: { retransmits: 1 } }
    const { events, endMs } = spanOf(clientSide, late, ofClientSide)
    assert.ok(events!.some(({ name }) => name === 'retransmit'))
    for (const { timeMs } of events!) assert.ok(timeMs <= endMs, String(timeMs))
  })

  it('say who reset it', () => {
    const byLocal = { state: ConnectionState.resetByLocal, closed: Closed.resetByLocal, endedAtMs: 1_001_000 }
    const eventsOf = (span: SpanRecord) =>
      span.events!.map(({ name, attributes }) => [name, ...Object.values(attributes!.attributes)])
    assert.deepEqual(eventsOf(spanOf(clientSide, byLocal)), [['reset', 'request']])
    assert.deepEqual(eventsOf(spanOf(serverSide, byLocal)), [['reset', 'response']])
    const refused = { state: ConnectionState.refused, failed: Failed.refused, toPod: { resets: 1 } }
    assert.deepEqual(eventsOf(spanOf(clientSide, refused)), [['reset', 'response']])
    const givenUp = { state: ConnectionState.resetEarly, failed: Failed.reset, fromPod: { resets: 1 } }
    assert.deepEqual(eventsOf(spanOf(clientSide, givenUp)), [['reset', 'request']])
  })

  it('are errors when the attempt failed, not when the connection was reset later', () => {
    const refused = spanOf(clientSide, { state: ConnectionState.refused, failed: Failed.refused, endedAtMs: 1_001_000 })
    assert.deepEqual([refused.status, refused.statusMessage], ['error', 'refused'])
    assert.equal(attributesOf(refused)['error.type'], 'refused')
    assert.equal('podweir.failure.cause' in attributesOf(refused), false)
    const reset = spanOf(clientSide, { state: ConnectionState.resetByRemote, closed: Closed.resetByRemote })
    assert.deepEqual([reset.status, attributesOf(reset)['podweir.connection.end']], ['unset', 'reset_by_server'])
  })

  it('say what the cluster’s objects know of why it failed, and so do records', () => {
    const events = new ToldEvents({ traces: {}, logs: { flows: 'failed' } })
    Object.assign(events.cluster.names, { failureCause: () => 'no_ready_endpoints' })
    events.drain({ started: [clientSide], flows: [{ state: ConnectionState.refused, failed: Failed.refused }] })
    for (const told of [events.spans[0]!, events.records[0]!])
      assert.equal(attributesOf(told)['podweir.failure.cause'], 'no_ready_endpoints')
    assert.equal(events.spans[0]!.statusMessage, 'refused: no ready endpoints')
    assert.equal(events.records[0]!.body, 'web > tcp api-svc:80 refused: no ready endpoints')
  })

  it('have both ends, what went which way, and TCP’s figures as far as there are some', () => {
    const row = { ...over, ...shaken, fromPodPackets: 3, fromPodBytes: 300, toPodPackets: 2, toPodBytes: 5000 }
    const span = spanOf(clientSide, { ...row, toPod: { resets: 1, rttSumSeconds: 1 } }, ofClientSide)
    const said = attributesOf(span)
    assert.deepEqual(
      [
        'source.address',
        'source.port',
        'destination.address',
        'destination.port',
        'server.address',
        'source.k8s.pod.name',
      ].map(key => said[key]),
      ['10.0.0.1', 40_000, '10.96.0.1', 80, 'api-svc.shop.svc', 'web-1'],
    )
    assert.deepEqual(
      ['bytes.request', 'bytes.response', 'packets.request', 'packets.response'].map(
        key => said[`podweir.flow.${key}`],
      ),
      [300, 5000, 3, 2],
    )
    assert.deepEqual(
      Object.entries(said).filter(([key]) => key.startsWith('podweir.tcp.')),
      [
        ['podweir.tcp.handshake.duration', 0.03],
        ['podweir.tcp.accept.duration', 0.01],
        ['podweir.tcp.resets.response', 1],
      ],
    )
    const samples = { started: [clientSide], flows: [{ ...over, toPod: { rttSumSeconds: 0.5 } }] }
    const { spans } = told([{ ...samples, rtt: [{ direction: 1, count: 4 }] }])
    assert.equal(attributesOf(spans[0]!)['podweir.tcp.rtt.response'], 0.125)
    assert.equal(span.resource.set.attributes['k8s.pod.name'], 'web-1')
    assert.equal(span.resource.set.attributes['service.name'], 'web (net)')
  })

  it('are told once, at the end or where the failure is', () => {
    const start = { started: [clientSide], flows: [{}] }
    const ended = [start, { flows: [over] }, { flows: [{ ...over, closed: Closed.none, ended: Retired.yes }] }]
    assert.equal(told(ended).spans.length, 1)
    const failed = { state: ConnectionState.refused, endedAtMs: 1_001_000 }
    const refused = [
      start,
      { flows: [{ ...failed, failed: Failed.refused }] },
      { flows: [{ ...failed, ended: Retired.yes }] },
    ]
    assert.equal(told(refused).spans.length, 1)
  })

  it('are two where an answer came after the failure, with two ids', () => {
    const { spans } = told([
      {
        started: [clientSide],
        flows: [{ failed: Failed.timeout, state: ConnectionState.timeout }],
        beginnings: [ofClientSide],
      },
      { flows: [over] },
    ])
    assert.deepEqual(
      spans.map(({ status }) => status),
      ['error', 'unset'],
    )
    assert.notEqual(spans[0]!.spanId, spans[1]!.spanId)
  })

  it('are told of what its interface took along, not of what is parked', () => {
    const goingOn = { state: ConnectionState.established, ended: Retired.yes }
    const { spans } = told([{ started: [clientSide], flows: [goingOn] }])
    assert.deepEqual(
      spans.map(({ status }) => status),
      ['unset'],
    )
    assert.deepEqual(told([{ started: [clientSide], flows: [{ ...goingOn, ended: Retired.parked }] }]).spans, [])
    const otherProtocol = { ...clientSide, protocol: 47 }
    assert.deepEqual(
      told([{ started: [otherProtocol], flows: [{ closed: Closed.idle, ended: Retired.yes }] }]).spans,
      [],
    )
  })

  it('are of requests without a connection, too', () => {
    const request = { protocol: 17, remotePort: 5353, confidence: Confidence.firstPacket }
    const span = spanOf(request, { closed: Closed.idle, ended: Retired.yes })
    assert.deepEqual([span.name, attributesOf(span)['podweir.connection.end']], ['udp api:5353', 'idle'])
  })
})
