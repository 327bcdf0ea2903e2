import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { Verbosity } from '../../lib/encode/attribute-text.ts'
import { LogTextEncoder } from '../../lib/encode/log-text.ts'
import { SpanTextEncoder } from '../../lib/encode/span-text.ts'
import { AttributeSet } from '../../lib/signals/attribute-set.ts'
import { logRecord, spanRecord } from '../support/event-records.ts'

const span = spanRecord(0, {
  kind: 'server',
  parentSpanId: '00000000000000aa',
  more: new AttributeSet({ 'podweir.connection.failed': 2 }),
  status: 'error',
  statusMessage: 'refused',
  events: [{ name: 'reset', timeMs: 1_763_730_000_500, attributes: new AttributeSet({ by: 'server' }) }],
})
const spanLine =
  '2025-11-21T13:00:00.123Z server tcp payments:8080 14999.5 ms error: refused {server.port=8080, network.transport=tcp, podweir.connection.failed=2}'
const resource = '  resource {service.name=cart (net), k8s.namespace.name=shop}'

function spansText(verbosity: Verbosity): string {
  const [request] = new SpanTextEncoder(verbosity).encode([span])
  return Buffer.from(request!.body).toString()
}

function logsText(verbosity: Verbosity): string {
  const record = logRecord(0, { body: 'no\u001b[31mred', traceId: 'aa', spanId: 'bb' })
  return Buffer.from(new LogTextEncoder(verbosity).encode([record])[0]!.body).toString()
}

describe('spans as text', () => {
  it('are a line per request, per span, or all that there is', () => {
    assert.equal(spansText('basic'), '2025-11-21T13:00:15.122Z spans: 1\n')
    assert.equal(spansText('normal'), `${spanLine}\n`)
    assert.deepEqual(spansText('detailed').split('\n'), [
      spanLine,
      '  trace=00000000000000000000000000000001 span=0000000000000001 parent=00000000000000aa',
      resource,
      '  event 2025-11-21T13:00:00.500Z reset {by=server}',
      '',
    ])
  })
})

describe('log records as text', () => {
  it('are a line per request, per record, or all that there is; nothing in them moves the cursor', () => {
    const line =
      '2025-11-21T13:00:00.123Z WARN podweir.network.flow no\\u001b[31mred {server.port=8080, error.type=refused}'
    assert.equal(logsText('basic'), '2025-11-21T13:00:00.123Z log records: 1\n')
    assert.equal(logsText('normal'), `${line}\n`)
    assert.deepEqual(logsText('detailed').split('\n'), [
      line,
      '  observed=2025-11-21T13:00:01.123Z trace=aa span=bb',
      resource,
      '',
    ])
  })
})
