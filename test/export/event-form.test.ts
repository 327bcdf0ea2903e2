import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { defaultDelivery } from '../../lib/config/default-delivery.ts'
import { parseFlowFilter } from '../../lib/config/flow-filter.ts'
import type { EncodedRequest } from '../../lib/encode/encoded-request.ts'
import { SpanProtobufEncoder } from '../../lib/encode/span-protobuf.ts'
import { EventForm, partsOf } from '../../lib/export/event-form.ts'
import { MemoryLimiter } from '../../lib/export/memory-limiter.ts'
import { RequestQueue } from '../../lib/export/request-queue.ts'
import { systemClock } from '../../lib/host/clock.ts'
import { AttributeNaming } from '../../lib/signals/attribute-naming.ts'
import { AttributeSet } from '../../lib/signals/attribute-set.ts'
import { predicateOf } from '../../lib/signals/flow-predicate.ts'
import type { EventProcessing } from '../../lib/signals/processing.ts'
import type { SpanRecord } from '../../lib/signals/span-record.ts'
import { capturedLog } from '../support/captured-log.ts'
import { hex, scope, spanRecord } from '../support/event-records.ts'
import { type Decoded, decodeRequest } from '../support/otlp-decoder.ts'
import { tried } from '../support/properties.ts'
import { until } from '../support/until.ts'

const batch = { type: 'batch', id: 'batch', timeoutMs: 60_000, sendBatchSize: 100, sendBatchMaxSize: 0 } as const

/** A form with one queue, whose receiver takes everything. */
function formOf(processing: EventProcessing, limiter?: MemoryLimiter) {
  const requests: EncodedRequest[] = []
  const sender = {
    send: async (request: EncodedRequest) => {
      requests.push({ ...request, body: Buffer.from(request.body) })
      return { kind: 'delivered', rejected: 0 } as const
    },
    close: async () => {},
  }
  const { retry, queue: limits } = defaultDelivery
  const queue = new RequestQueue({
    id: 'q',
    signal: 'traces',
    sender,
    retry,
    limits,
    log: capturedLog().log,
    clock: systemClock,
  })
  const parts = { encoder: new SpanProtobufEncoder(scope), queues: [queue], processing, ...(limiter && { limiter }) }
  const spans = () => requests.flatMap(({ body }) => spansOf(body))
  return { form: new EventForm<SpanRecord>(parts), queue, requests, spans }
}

function spansOf(body: Uint8Array): Decoded[] {
  const request = decodeRequest('traces', Buffer.from(body))
  return (request.resourceSpans as Decoded[]).flatMap(
    ({ scopeSpans }) => (scopeSpans as Decoded[])[0]!.spans as Decoded[],
  )
}

function row(count: number, more: Partial<SpanRecord> = {}): SpanRecord[] {
  return Array.from({ length: count }, (_, i) => spanRecord(i, more))
}

describe('spans and log records on their way', () => {
  it('are those alone that the filter fits, by what they have in common and of their own', async () => {
    const { form, queue, spans } = formOf({
      fits: predicateOf(parseFlowFilter('dst.port:8080 src.ns:shop -src.port:1')),
    })
    const span = (port: number, more: Record<string, string | number>) =>
      spanRecord(port, {
        base: new AttributeSet({ 'server.port': 8080, 'network.transport': 'tcp' }),
        more: new AttributeSet(more),
      })
    const namespace = 'source.k8s.namespace.name'
    await form.push([
      span(2, { [namespace]: 'shop' }),
      span(3, { [namespace]: 'pay' }),
      span(4, { [namespace]: 'shop', 'source.port': 1 }),
    ])
    await until('it is sent', () => queue.counts.delivered === 1)
    assert.deepEqual([spans().map(({ spanId }) => spanId), queue.counts.produced], [[spanIdOf(2)], 1])
  })

  it('are told also by a filter when they tell of no flow', async () => {
    const { form, queue } = formOf({ fits: predicateOf(parseFlowFilter('ns:shop')) })
    await form.push([spanRecord(1, { base: new AttributeSet({ 'podweir.flow.suppressed': 7 }) })])
    assert.equal(queue.counts.produced, 1)
  })

  it('have the names that the receiver wants, in their events too', async () => {
    const rename = { 'server.port': 'port', a: 'x', b: 'y' }
    const naming = new AttributeNaming([
      { type: 'attributes', id: 'a', place: '', profile: 'none', rename, drop: ['network.transport'] },
    ])
    const { form, queue, spans } = formOf({ naming })
    const events = [{ name: 'reset', timeMs: 1, attributes: new AttributeSet({ b: 'two' }) }]
    await form.push([spanRecord(1, { more: new AttributeSet({ a: 'one' }), events })])
    await until('it is sent', () => queue.counts.delivered === 1)
    const keys = (of: Decoded) => (of.attributes as Decoded[]).map(({ key }) => key)
    assert.deepEqual([keys(spans()[0]!), keys((spans()[0]!.events as Decoded[])[0]!)], [['port', 'x'], ['y']])
  })

  it('wait for a batch: until there are enough', async () => {
    const { form, queue, requests } = formOf({ batch })
    let kept = 0
    for (const lot of [row(40), row(40), []]) void form.push(lot).then(() => kept++)
    await sleep(20)
    assert.deepEqual([requests.length, kept, queue.counts.produced], [0, 1, 0])
    await form.push(row(40))
    await until('all are sent', () => queue.counts.delivered === 120)
    assert.deepEqual([requests.map(({ items }) => items), kept], [[120], 3])
  })

  it('wait for a batch no longer than its time, nor longer than the agent runs', async () => {
    const { form, queue } = formOf({ batch: { ...batch, timeoutMs: 30 } })
    const startMs = systemClock.monotonicMs()
    await form.push(row(3))
    const tookMs = systemClock.monotonicMs() - startMs
    assert.ok(tookMs >= 29 && tookMs < 1000, `${tookMs} ms`)
    const last = form.push(row(2))
    form.flush()
    await last
    await until('all are sent', () => queue.counts.delivered === 5)
  })

  it('make no request larger than it may be', async () => {
    const { form, queue, requests } = formOf({ largestItems: 10 })
    await form.push(Array.from({ length: 35 }, (_, i) => spanRecord(i, { traceId: hex(1 + (i >> 1), 32) })))
    await until('all are sent', () => queue.counts.delivered === 35)
    assert.deepEqual(
      requests.map(({ items }) => items),
      [10, 10, 10, 5],
    )
  })

  it('are left out and counted while there is no memory', async () => {
    let mebibytes = 81
    const clock = { nowMs: () => 0, monotonicMs: () => nowMs }
    let nowMs = 0
    const config = {
      type: 'memory_limiter',
      id: 'memory_limiter',
      checkIntervalMs: 1000,
      limitBytes: 100 * 2 ** 20,
      spikeLimitBytes: 20 * 2 ** 20,
    } as const
    const { log, messages } = capturedLog()
    const limiter = new MemoryLimiter({ config, log, clock, residentBytes: () => mebibytes * 2 ** 20 })
    const { form, queue } = formOf({ memoryLimiter: config }, limiter)
    await form.push(row(3))
    mebibytes = 80
    nowMs = 999
    await form.push(row(4))
    assert.deepEqual([queue.counts.produced, Object.fromEntries(queue.counts.lost)], [7, { memory: 7 }])
    nowMs = 1000
    await form.push(row(5))
    await until('they are sent', () => queue.counts.delivered === 5)
    assert.equal(queue.counts.produced, 12)
    assert.deepEqual(messages, [
      'memory_limiter: the agent takes 81 MiB of 80: spans and log records are left out and counted until it is less',
      'memory_limiter: the agent takes 80 MiB of 80: spans and log records are taken again',
    ])
  })
})

describe('parts of spans', () => {
  it('are no larger than they may be, lose nothing, and keep traces together that fit', () => {
    const traces = fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 30 })
    fc.assert(
      fc.property(traces, fc.integer({ min: 1, max: 8 }), (lengths, largest) => {
        const spans = lengths.flatMap((length, trace) => row(length, { traceId: hex(trace + 1, 32) }))
        const parts = [...partsOf(spans, largest)]
        assert.deepEqual(parts.flat(), spans)
        for (const part of parts) assert.ok(part.length > 0 && part.length <= largest)
        for (const [trace, length] of lengths.entries()) {
          const holders = parts.filter(part => part.some(({ traceId }) => traceId === hex(trace + 1, 32)))
          if (length <= largest) assert.equal(holders.length, 1)
        }
      }),
      tried(500),
    )
  })
})

function spanIdOf(i: number): string {
  return hex(i + 1, 16)
}
