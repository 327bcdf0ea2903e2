import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { LogJsonEncoder } from '../../lib/encode/log-json.ts'
import { LogProtobufEncoder } from '../../lib/encode/log-protobuf.ts'
import { SpanJsonEncoder } from '../../lib/encode/span-json.ts'
import { SpanProtobufEncoder } from '../../lib/encode/span-protobuf.ts'
import { AttributeSet } from '../../lib/signals/attribute-set.ts'
import { everyAttribute, logRecord, scope, spanRecord } from '../support/event-records.ts'
import { decodeRequest } from '../support/otlp-decoder.ts'

describe('one attribute set', () => {
  it('may be a resource’s, a span’s, an event’s and a log record’s, in both forms', () => {
    const base = new AttributeSet(everyAttribute)
    const resource = { set: base }
    const span = spanRecord(0, { resource, base, events: [{ name: 'close', timeMs: 5, attributes: base }] })
    const record = logRecord(0, { resource, base })
    for (let i = 0; i < 2; i++) {
      const [spans, logs] = [
        new SpanProtobufEncoder(scope).encode([span]),
        new LogProtobufEncoder(scope).encode([record]),
      ]
      const [spansJson, logsJson] = [
        new SpanJsonEncoder(scope).encode([span]),
        new LogJsonEncoder(scope).encode([record]),
      ]
      assert.deepEqual(decodeRequest('traces', spans[0]!.body), parse(spansJson[0]!.body))
      assert.deepEqual(decodeRequest('logs', logs[0]!.body), parse(logsJson[0]!.body))
    }
  })
})

function parse(body: Uint8Array): unknown {
  return JSON.parse(Buffer.from(body).toString())
}
