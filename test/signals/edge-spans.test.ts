// A pair of spans for each edge and window.
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { COUNTS_PER_EDGE, EdgeCount } from '../../lib/aggregate/edge-counts.ts'
import { Failed, Opener } from '../../lib/capture/flow-batch.ts'
import type { SpanRecord } from '../../lib/signals/span-record.ts'
import { external } from '../aggregate/small-cluster.ts'
import type { FlowRow, StartedRow } from '../support/flow-batch.ts'
import { attributesOf, type EventOptions, ToldEvents } from './told-events.ts'

const WINDOW = 15_000
const START = 70 * WINDOW
const edgesOn: EventOptions = { traces: { edges: true, connections: 'off' } }

/** What comes of one window in which this was drained. */
function spansOf(started: StartedRow[], flows: FlowRow[], options: EventOptions = edgesOn): SpanRecord[] {
  const told = new ToldEvents(options)
  told.drain({ readAtMs: START + 1000, started, flows })
  return told.drain({ readAtMs: START + WINDOW }).spans
}

const resourceOf = (span: SpanRecord) => span.resource.set.attributes

describe('spans of an edge', () => {
  it('are a pair of one trace, parent and child, as long as the window', () => {
    const [client, server, ...none] = spansOf([{}], [{ fromPodPackets: 1 }])
    assert.equal(none.length, 0)
    assert.deepEqual([client!.kind, server!.kind], ['client', 'server'])
    assert.equal(client!.traceId, server!.traceId)
    assert.deepEqual([client!.parentSpanId, server!.parentSpanId], [undefined, client!.spanId])
    assert.notEqual(client!.spanId, server!.spanId)
    for (const { startMs, endMs } of [client!, server!]) assert.deepEqual([startMs, endMs], [START, START + WINDOW])
  })

  it('are on the workloads’ resources, under names of their own', () => {
    const [client, server] = spansOf([{}], [{ fromPodPackets: 1 }])
    assert.deepEqual(resourceOf(client!), {
      'service.name': 'web (net)',
      'service.namespace': 'shop',
      'k8s.namespace.name': 'shop',
      'k8s.deployment.name': 'web',
      'k8s.cluster.name': 'test',
    })
    assert.equal(resourceOf(server!)['service.name'], 'api (net)')
  })

  it('are called as pods call themselves, with the suffix that is wanted', () => {
    const serviceName = ({ name }: { name: string }) => (name === 'api' ? 'the-api' : undefined)
    const options = { ...edgesOn, serviceName, suffix: '' }
    const [client, server] = spansOf([{}], [{ fromPodPackets: 1 }], options)
    assert.deepEqual(
      [client, server].map(span => resourceOf(span!)['service.name']),
      ['web', 'the-api'],
    )
    assert.equal(attributesOf(client!)['peer.service'], 'the-api')
  })

  it('say what was dialled, and who the peer is to who asks for it by either name', () => {
    const [client, server] = spansOf([{ remote: '10.96.0.1', remotePort: 80 }], [{ fromPodPackets: 1 }])
    for (const { name } of [client!, server!]) assert.equal(name, 'tcp api-svc:80')
    const said = attributesOf(client!)
    assert.equal(said['server.address'], 'api-svc.shop.svc')
    assert.equal(said['destination.k8s.service.name'], 'api-svc')
    assert.deepEqual(
      ['service.peer.name', 'peer.service', 'service.peer.namespace'].map(key => said[key]),
      ['api (net)', 'api (net)', 'shop'],
    )
    assert.equal(attributesOf(server!)['peer.service'], 'web (net)')
    assert.equal(resourceOf(server!)['service.name'], 'api (net)')
  })

  it('have counts of the window alone, and how many connections they stand for', () => {
    const told = new ToldEvents(edgesOn)
    told.drain({ readAtMs: START, started: [{}], flows: [{ fromPodBytes: 100, toPodBytes: 7, opened: 1 }] })
    told.drain({ readAtMs: START + 100, started: [{ slot: 8 }], flows: [{ slot: 8, fromPodBytes: 100, opened: 1 }] })
    told.drain({ readAtMs: START + WINDOW, flows: [{ toPodBytes: 50 }] })
    const [first, , second] = told.drain({ readAtMs: START + 2 * WINDOW }).spans
    const counts = (span: SpanRecord) => {
      const said = attributesOf(span)
      return ['bytes.request', 'bytes.response'].map(key => said[`podweir.flow.${key}`])
    }
    assert.deepEqual(
      [counts(first!), counts(second!)],
      [
        [200, 7],
        [0, 50],
      ],
    )
    assert.equal(attributesOf(first!)['podweir.connection.opened'], 2)
    assert.equal(attributesOf(first!)['podweir.sample.ratio'], 0.5)
    assert.equal('podweir.sample.ratio' in attributesOf(second!), false)
  })

  it('are errors when an attempt to connect failed in the window, and say how', () => {
    const fails = [Failed.timeout, Failed.refused, Failed.timeout].map((failed, slot) => ({ slot, failed }))
    const [client, server] = spansOf(
      fails.map(({ slot }) => ({ slot })),
      fails,
    )
    for (const span of [client!, server!]) {
      assert.deepEqual([span.status, span.statusMessage], ['error', '1 refused, 2 timeout'])
      assert.equal(attributesOf(span)['error.type'], 'timeout')
      assert.equal(attributesOf(span)['podweir.connection.failed'], 3)
    }
    assert.deepEqual(
      spansOf([{}], [{ opened: 1 }]).map(({ status }) => status),
      ['unset', 'unset'],
    )
  })

  it('are of an edge only where this observer exports it', () => {
    const otherEnd = { interfaceSlot: 2, local: '10.0.0.2', remote: '10.0.0.1', localPort: 8080, opener: Opener.remote }
    assert.deepEqual(spansOf([otherEnd], [{ fromPodPackets: 1 }]), [])
    const fromOutside = { ...otherEnd, remote: '8.8.8.8' }
    const [client, server] = spansOf([fromOutside], [{ fromPodPackets: 1 }])
    assert.deepEqual(
      [client, server].map(span => resourceOf(span!)['service.name']),
      ['external (net)', 'api (net)'],
    )
  })

  it('have both halves also where nobody observes the other end', () => {
    const [client, server] = spansOf([{ remote: '8.8.8.8', remotePort: 443 }], [{ fromPodPackets: 1 }])
    assert.deepEqual(
      [client!.name, resourceOf(server!)['service.name']],
      ['tcp external:443', `${external.name} (net)`],
    )
    assert.equal('server.address' in attributesOf(client!), false)
  })

  it('have ids that a retry has too, and no other window, edge or agent', () => {
    const ids = (options = edgesOn, started: StartedRow[] = [{}]) =>
      spansOf(started, [{ fromPodPackets: 1 }], options).map(({ traceId, spanId }) => traceId + spanId)
    assert.deepEqual(ids(), ids())
    const others = [ids(), ids({ ...edgesOn, origin: 'node-2' }), ids(edgesOn, [{ remotePort: 81 }])].flat()
    assert.equal(new Set(others).size, 6)
    const told = new ToldEvents(edgesOn).drain({ readAtMs: START, started: [{}], flows: [{ fromPodPackets: 1 }] })
    told.drain({ readAtMs: START + WINDOW, flows: [{ fromPodPackets: 1 }] }).drain({ readAtMs: START + 2 * WINDOW })
    assert.equal(new Set(told.spans.map(({ traceId }) => traceId)).size, 2)
  })

  it('have other ids where an agent that starts in the middle of a window tells of it too', () => {
    const first = new ToldEvents(edgesOn).drain({ readAtMs: START, started: [{}], flows: [{ fromPodPackets: 1 }] })
    const second = new ToldEvents(edgesOn).drain({
      readAtMs: START + 5000,
      started: [{}],
      flows: [{ fromPodPackets: 1 }],
    })
    assert.notEqual(first.finish().spans[0]!.traceId, second.finish().spans[0]!.traceId)
  })

  it('add up to what the edges count, the overflow among it', () => {
    const told = new ToldEvents({ ...edgesOn, cluster: { seriesLimit: 24 } })
    const slots = Array.from({ length: 6 }, (_, slot) => slot)
    for (let i = 0; i < 40; i++)
      told.drain({
        readAtMs: START + i * 1700,
        ...(i === 0 && { started: slots.map(slot => ({ slot, remotePort: 80 + slot })) }),
        flows: slots.map(slot => ({ slot, fromPodBytes: i * slot, toPodBytes: 3, opened: i % 2 })),
      })
    const { spans } = told.finish()
    const { edges } = told.cluster
    const total = (count: number) =>
      edges.edges.reduce((sum, _, edge) => sum + edges.values[edge * COUNTS_PER_EDGE + count]!, 0)
    const said = (key: string) =>
      spans.filter(({ kind }) => kind === 'client').reduce((sum, span) => sum + (attributesOf(span)[key] as number), 0)
    assert.ok(spans.some(({ name }) => name === 'overflow'))
    assert.equal(said('podweir.flow.bytes.request'), total(EdgeCount.requestBytes))
    assert.equal(said('podweir.flow.bytes.response'), total(EdgeCount.responseBytes))
    assert.equal(said('podweir.connection.opened'), total(EdgeCount.opened))
  })

  it('are of what was counted until the end, when an agent ends', () => {
    const told = new ToldEvents(edgesOn).drain({
      readAtMs: START + 4000,
      started: [{}],
      flows: [{ fromPodPackets: 1 }],
    })
    assert.deepEqual(told.spans, [])
    const [client] = told.finish().spans
    assert.deepEqual([client!.startMs, client!.endMs], [START, START + 4000])
  })

  it('share their attributes from window to window', () => {
    const told = new ToldEvents(edgesOn).drain({ readAtMs: START, started: [{}], flows: [{ fromPodPackets: 1 }] })
    told.drain({ readAtMs: START + WINDOW, flows: [{ fromPodPackets: 1 }] }).drain({ readAtMs: START + 2 * WINDOW })
    const [first, , second] = told.spans
    assert.equal(first!.base, second!.base)
    assert.equal(first!.resource, second!.resource)
  })
})
