import assert from 'node:assert/strict'
import { ProtobufLogsSerializer, ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer'
import { describe, it } from 'mocha'
import { LARGEST_REQUEST } from '../../lib/encode/encoded-request.ts'
import { LogJsonEncoder } from '../../lib/encode/log-json.ts'
import { SpanJsonEncoder } from '../../lib/encode/span-json.ts'
import { SpanProtobufEncoder } from '../../lib/encode/span-protobuf.ts'
import { AttributeSet } from '../../lib/signals/attribute-set.ts'
import { fullLog, fullSpan, logRecord, payments, scope, sdkLog, sdkSpan, spanRecord } from '../support/event-records.ts'
import { decodeRequest } from '../support/otlp-decoder.ts'

const jsonOf = ({ body }: { body: Uint8Array }): unknown => JSON.parse(Buffer.from(body).toString())

describe('spans as OTLP JSON', () => {
  const encoder = new SpanJsonEncoder(scope)

  it('say what the official serializer’s protobuf says', () => {
    const spans = [spanRecord(0), fullSpan(1), spanRecord(2, { resource: payments }), fullSpan(3)]
    const [request, ...others] = encoder.encode(spans)
    assert.deepEqual(others, [])
    const official = ProtobufTraceSerializer.serializeRequest(spans.map(sdkSpan))!
    assert.deepEqual(jsonOf(request!), decodeRequest('traces', official))
    assert.equal(request!.items, 4)
  })

  it('leave out attributes where there are none', () => {
    const span = spanRecord(0, { base: new AttributeSet({}) })
    const official = ProtobufTraceSerializer.serializeRequest([sdkSpan(span)])!
    assert.deepEqual(jsonOf(encoder.encode([span])[0]!), decodeRequest('traces', official))
  })

  it('have a double where a whole number is one by its meaning, as protobuf has', () => {
    const span = spanRecord(0, {
      base: new AttributeSet({ 'podweir.sample.ratio': 1, 'podweir.connection.opened': 1 }),
    })
    const [request] = encoder.encode([span])
    const values = [...JSON.stringify(jsonOf(request!)).matchAll(/"podweir[^"]+","value":(\{[^}]+\})/g)].map(
      each => each[1],
    )
    assert.deepEqual(values, ['{"doubleValue":1}', '{"intValue":"1"}'])
    const [binary] = new SpanProtobufEncoder(scope).encode([span])
    assert.deepEqual(decodeRequest('traces', binary!.body), jsonOf(request!))
  })

  it('are one line, whatever is in a text', () => {
    const [request] = encoder.encode([fullSpan(), spanRecord(1, { name: 'a\nb\r\u2028 half a pair \ud800' })])
    assert.doesNotMatch(Buffer.from(request!.body).toString(), /[\n\r]/)
    assert.match(JSON.stringify(jsonOf(request!)), /half a pair \ufffd/)
  })

  it('are cut into requests that a receiver takes', () => {
    const base = new AttributeSet({ padding: 'ü'.repeat(500) })
    const requests = encoder.encode(Array.from({ length: 5_000 }, (_, i) => spanRecord(i, { base })))
    assert.ok(requests.length > 1)
    assert.ok(requests.every(({ body }) => body.length <= LARGEST_REQUEST))
    assert.equal(
      requests.reduce((sum, { items }) => sum + items, 0),
      5_000,
    )
  })
})

describe('log records as OTLP JSON', () => {
  it('say what the official serializer’s protobuf says', () => {
    const records = [logRecord(0), fullLog(1), logRecord(2, { resource: payments }), fullLog(3)]
    const [request] = new LogJsonEncoder(scope).encode(records)
    const official = ProtobufLogsSerializer.serializeRequest(records.map(sdkLog))!
    assert.deepEqual(jsonOf(request!), decodeRequest('logs', official))
    assert.equal(request!.items, 4)
  })
})
