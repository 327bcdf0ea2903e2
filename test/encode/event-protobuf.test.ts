import assert from 'node:assert/strict'
import { ProtobufLogsSerializer, ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer'
import { describe, it } from 'mocha'
import { LARGEST_REQUEST } from '../../lib/encode/encoded-request.ts'
import { LogProtobufEncoder } from '../../lib/encode/log-protobuf.ts'
import { SpanProtobufEncoder } from '../../lib/encode/span-protobuf.ts'
import { AttributeSet } from '../../lib/signals/attribute-set.ts'
import type { SpanRecord } from '../../lib/signals/span-record.ts'
import {
  cart,
  fullLog,
  fullSpan,
  hex,
  logRecord,
  payments,
  scope,
  sdkLog,
  sdkSpan,
  signalResource,
  spanRecord,
} from '../support/event-records.ts'
import { type Decoded, decodeRequest } from '../support/otlp-decoder.ts'

const spanEncoder = new SpanProtobufEncoder(scope)
const logEncoder = new LogProtobufEncoder(scope)

function only<T>(list: readonly T[]): T {
  assert.equal(list.length, 1)
  return list[0]!
}

describe('spans as OTLP protobuf', () => {
  it('are what the official serializer makes of them', () => {
    const spans = [spanRecord(0), fullSpan(1), spanRecord(2, { resource: payments }), fullSpan(3)]
    const { body, items, signal } = only(spanEncoder.encode(spans))
    const official = ProtobufTraceSerializer.serializeRequest(spans.map(sdkSpan))!
    assert.deepEqual(decodeRequest('traces', body), decodeRequest('traces', official))
    assert.deepEqual([items, signal], [4, 'traces'])
    assert.ok(body.length < official.length)
  })

  it('have texts and messages of every length right, on both sides of where a length takes one byte more', () => {
    for (const length of [
      0, 1, 47, 48, 49, 63, 64, 100, 120, 121, 122, 123, 124, 125, 126, 127, 128, 129, 16_383, 16_384,
    ])
      for (const letter of ['a', 'ü', '→', '🚀']) {
        const text = letter.repeat(length)
        const span = spanRecord(0, { name: text, base: new AttributeSet({ [text]: text, short: [text] }) })
        const official = ProtobufTraceSerializer.serializeRequest([sdkSpan(span)])!
        const { body } = only(spanEncoder.encode([span]))
        assert.deepEqual(decodeRequest('traces', body), decodeRequest('traces', official), `${length} of ${letter}`)
      }
  })

  it('hold text that is no valid UTF-16 as the character that stands for it', () => {
    const { body } = only(spanEncoder.encode([spanRecord(0, { name: 'half a pair \ud800' })]))
    assert.match(JSON.stringify(decodeRequest('traces', body)), /half a pair \ufffd/)
  })

  it('are the same when their attributes were encoded before', () => {
    const spans = [fullSpan(0), fullSpan(1)]
    const [first, second] = [spanEncoder.encode(spans), spanEncoder.encode(spans)]
    assert.deepEqual(first, second)
  })

  it('are sorted by resource, in the order in which they came', () => {
    const spans = [0, 1, 2, 3].map(i => spanRecord(i, { resource: i % 2 === 0 ? cart : payments }))
    const decoded = decodeRequest('traces', only(spanEncoder.encode(spans)).body)
    const ids = (decoded.resourceSpans as Decoded[]).map(each =>
      ((each.scopeSpans as Decoded[])[0]!.spans as Decoded[]).map(({ spanId }) => spanId),
    )
    const of = (i: number) => hex(i + 1, 16)
    assert.deepEqual(ids, [
      [of(0), of(2)],
      [of(1), of(3)],
    ])
  })

  it('make no request when there are none', () => {
    assert.deepEqual(spanEncoder.encode([]), [])
  })

  it('are cut into requests that a Collector takes, both ends of an edge in the same', () => {
    const resources = Array.from({ length: 50 }, (_, i) => signalResource({ 'service.name': `service-${i}` }))
    const spans: SpanRecord[] = []
    for (let i = 0; i < 6_000; i++) {
      const traceId = hex(i + 1, 32)
      const base = new AttributeSet({ padding: 'é'.repeat(i % 700), i })
      spans.push(
        spanRecord(2 * i, { traceId, base, resource: resources[i % 50]! }),
        spanRecord(2 * i + 1, {
          traceId,
          base,
          resource: resources[(i * 7) % 50]!,
          kind: 'server',
          name: 'ü'.repeat(30),
        }),
      )
    }
    const requests = spanEncoder.encode(spans)
    const seen: string[] = []
    for (const { body, items } of requests) {
      assert.ok(body.length <= LARGEST_REQUEST, `${body.length} bytes`)
      const traces = tracesOf(decodeRequest('traces', body))
      assert.equal(traces.length, items)
      const counts = Map.groupBy(traces, id => id)
      assert.ok([...counts.values()].every(({ length }) => length === 2))
      seen.push(...counts.keys())
    }
    assert.equal(new Set(seen).size, 6_000)
    const bytes = requests.reduce((sum, { body }) => sum + body.length, 0)
    assert.ok(
      requests.length <= Math.ceil(bytes / LARGEST_REQUEST) + 2,
      `${requests.length} requests for ${bytes} bytes`,
    )
  })

  it('are one request each when each is larger than a request may be', () => {
    const base = new AttributeSet({ padding: 'x'.repeat(LARGEST_REQUEST + 1) })
    assert.deepEqual(
      spanEncoder.encode([spanRecord(0, { base }), spanRecord(1, { base })]).map(({ items }) => items),
      [1, 1],
    )
  })
})

describe('log records as OTLP protobuf', () => {
  it('are what the official serializer makes of them', () => {
    const records = [logRecord(0), fullLog(1), logRecord(2, { resource: payments }), fullLog(3)]
    const { body, items, signal } = only(logEncoder.encode(records))
    const official = ProtobufLogsSerializer.serializeRequest(records.map(sdkLog))!
    assert.deepEqual(decodeRequest('logs', body), decodeRequest('logs', official))
    assert.deepEqual([items, signal], [4, 'logs'])
  })

  it('are cut into requests that a Collector takes', () => {
    const body = 'ü'.repeat(1000)
    const requests = logEncoder.encode(Array.from({ length: 5_000 }, (_, i) => logRecord(i, { body })))
    assert.ok(requests.length > 3)
    assert.ok(requests.every(request => request.body.length <= LARGEST_REQUEST))
    assert.equal(
      requests.reduce((sum, { items }) => sum + items, 0),
      5_000,
    )
  })
})

function tracesOf(request: Decoded): string[] {
  return (request.resourceSpans as Decoded[]).flatMap(({ scopeSpans }) =>
    ((scopeSpans as Decoded[])[0]!.spans as Decoded[]).map(({ traceId }) => traceId as string),
  )
}
