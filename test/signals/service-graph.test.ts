// What service maps make of our spans, by the rule of Tempo and of the Collector's servicegraph connector.
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { Closed, ConnectionState, Failed, Opener, Retired } from '../../lib/capture/flow-batch.ts'
import { SpanJsonEncoder } from '../../lib/encode/span-json.ts'
import type { SpanRecord } from '../../lib/signals/span-record.ts'
import type { BeginningRow, StartedRow } from '../support/flow-batch.ts'
import { ServiceGraph, type ServiceGraphOptions } from '../support/service-graph.ts'
import { type EventOptions, ToldEvents } from './told-events.ts'

const WINDOW = 15_000
const START = 100_000_000 * WINDOW
const encoder = new SpanJsonEncoder({ name: 'podweir', version: '0', schemaUrl: '' })

function graphOf(
  spans: readonly SpanRecord[],
  nowMs: number,
  options?: ServiceGraphOptions,
  graph = new ServiceGraph(options),
) {
  for (const { body } of encoder.encode(spans)) graph.receive(body, nowMs)
  return graph
}

describe('a service map made of edge spans', () => {
  /** web to api by a Service and by a pod's address, to the world, and api refused by db; from the world to api. */
  const started: StartedRow[] = [
    { slot: 1, remote: '10.96.0.1', remotePort: 80 },
    { slot: 2, remote: '10.0.0.2', remotePort: 8080 },
    { slot: 3, remote: '8.8.8.8', remotePort: 443 },
    { slot: 4, interfaceSlot: 2, local: '10.0.0.2', remote: '10.0.1.3', remotePort: 50051 },
    { slot: 5, interfaceSlot: 2, local: '10.0.0.2', remote: '8.8.4.4', localPort: 8080, opener: Opener.remote },
    { slot: 6, interfaceSlot: 2, local: '10.0.0.2', remote: '10.0.0.1', localPort: 8080, opener: Opener.remote },
  ]
  const flows = [
    ...[1, 2, 3, 5, 6].map(slot => ({ slot, fromPodPackets: 1, opened: slot === 3 ? 0 : 1 })),
    { slot: 4, fromPodPackets: 1, failed: Failed.refused },
  ]
  const told = new ToldEvents({ traces: { edges: true, connections: 'off' } })
  told.drain({ readAtMs: START + 1000, started, flows })
  told.drain({
    readAtMs: START + 2000,
    started: [{ slot: 7, remote: '10.96.0.1', remotePort: 80, localPort: 1 }],
    flows: [{ slot: 7, opened: 1 }],
  })
  const { spans } = told.drain({ readAtMs: START + WINDOW })

  it('has the edges, each pair as one request, and what failed', () => {
    const graph = graphOf(spans, START + WINDOW + 1000)
    assert.deepEqual(Object.fromEntries(graph.requests), {
      'web (net) > api (net)': 2,
      'web (net) > external (net)': 1,
      'api (net) > db (net)': 1,
      'external (net) > api (net)': 1,
    })
    assert.deepEqual(Object.fromEntries(graph.failed), { 'api (net) > db (net)': 1 })
    graph.expire(START + 100 * WINDOW)
    assert.deepEqual([graph.expired, graph.tooOld], [0, 0])
  })

  it('has connections instead, where the multiplier is set', () => {
    const graph = graphOf(spans, START + WINDOW + 1000, { multiplierKey: 'podweir.sample.ratio' })
    assert.equal(graph.requests.get('web (net) > api (net)'), 3)
  })

  it('has nothing of what comes more than half a minute late', () => {
    const graph = graphOf(spans, START + WINDOW + 31_000)
    assert.deepEqual([graph.requests.size, graph.tooOld], [0, spans.length])
  })
})

describe('a service map made of connection spans', () => {
  const over = { state: ConnectionState.closed, closed: Closed.fin, endedAtMs: START + 900 }
  const client: StartedRow = { remote: '10.96.0.1', remotePort: 80, startMs: START }
  const server: StartedRow = {
    ...{ interfaceSlot: 2, local: '10.0.0.2', localPort: 8080, startMs: START },
    ...{ remote: '192.168.1.1', remotePort: 61_234, opener: Opener.remote },
  }
  const numbers: BeginningRow[] = [{ fromPod: { sequence: 1 }, toPod: { sequence: 2 } }]
  const turned: BeginningRow[] = [{ fromPod: { sequence: 2 }, toPod: { sequence: 1 } }]

  const spansOf = (started: StartedRow, beginnings: BeginningRow[], options: EventOptions = { traces: {} }) =>
    new ToldEvents(options).drain({ readAtMs: START + 1000, started: [started], flows: [over], beginnings }).spans

  it('has one edge of both halves, which two agents sent apart', () => {
    const graph = graphOf(spansOf(client, numbers), START + 1000)
    graphOf(spansOf(server, turned, { traces: {}, origin: 'node-2' }), START + 3000, undefined, graph)
    graph.expire(START + 60_000)
    assert.deepEqual([[...graph.requests], graph.expired], [[['web (net) > api (net)', 1]], 0])
  })

  it('has a virtual peer where nobody observes the other end', () => {
    const outside = graphOf(spansOf({ ...client, remote: '8.8.8.8', remotePort: 443 }, numbers), START + 1000)
    outside.expire(START + 60_000)
    assert.deepEqual([...outside.requests.keys()], ['web (net) > external (net) (virtual)'])
    const inwards = graphOf(spansOf({ ...server, remote: '8.8.8.8' }, turned), START + 1000)
    inwards.expire(START + 60_000)
    assert.deepEqual([...inwards.requests.keys()], ['external (net) > api (net) (virtual)'])
  })

  it('has both ends of an attempt that failed, and it failed', () => {
    const refused = {
      state: ConnectionState.refused,
      failed: Failed.refused,
      endedAtMs: START + 900,
      ended: Retired.yes,
    }
    const { spans } = new ToldEvents({ traces: { connections: 'failed' } }).drain({
      ...{ readAtMs: START + 1000, started: [client], flows: [refused], beginnings: [{ fromPod: { sequence: 1 } }] },
    })
    const graph = graphOf(spans, START + 1000)
    graph.expire(START + 60_000)
    assert.deepEqual([...graph.failed.keys()], ['web (net) > api (net) (virtual)'])
  })
})
