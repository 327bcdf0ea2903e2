// Spans that are pushed to a real receiver through a sender and a queue, and what is to be true of them in the end.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { OtlpTarget } from '../../lib/config/otlp-exporters.ts'
import { defaultTls } from '../../lib/config/tls.ts'
import { SpanProtobufEncoder } from '../../lib/encode/span-protobuf.ts'
import { OtlpGrpcSender } from '../../lib/export/otlp-grpc-sender.ts'
import { OtlpHttpSender } from '../../lib/export/otlp-http-sender.ts'
import { RequestQueue } from '../../lib/export/request-queue.ts'
import type { Sender } from '../../lib/export/sender.ts'
import { type Clock, systemClock } from '../../lib/host/clock.ts'
import { AttributeSet } from '../../lib/signals/attribute-set.ts'
import { capturedLog } from './captured-log.ts'
import type { Collector } from './collector.ts'
import { hex, scope, spanRecord } from './event-records.ts'
import { assertBalanced } from './spooled-queues.ts'
import { until } from './until.ts'

export type Protocol = 'otlp_grpc' | 'otlp_http'

export interface EventsSentOptions {
  readonly protocol: Protocol
  /** gRPC: without a path; HTTP: without /v1/traces. */
  readonly endpoint: string
  readonly target?: Partial<OtlpTarget>
  readonly limits?: { readonly bytes: number; readonly items: number }
  readonly clock?: Clock
}

const padding = new AttributeSet({ padding: 'x'.repeat(300) })

export class EventsSent {
  readonly queue: RequestQueue
  readonly captured = capturedLog()
  readonly pushed: string[] = []
  readonly #sender: Sender
  readonly #encoder = new SpanProtobufEncoder(scope)

  constructor({ protocol, endpoint, target, limits, clock = systemClock }: EventsSentOptions) {
    const tls = { ...defaultTls, insecure: true }
    const common = { headers: {}, compression: 'gzip', timeoutMs: 1000, tls, ...target } as const
    this.#sender =
      protocol === 'otlp_grpc'
        ? new OtlpGrpcSender({ targets: { traces: { ...common, endpoint } }, clock })
        : new OtlpHttpSender({
            targets: { traces: { ...common, endpoint: `${endpoint}/v1/traces` } },
            encoding: 'proto',
            clock,
          })
    this.queue = new RequestQueue({
      ...{ id: protocol, signal: 'traces', sender: this.#sender, clock, log: this.captured.log },
      retry: { enabled: true, initialMs: 20, maxMs: 200, multiplier: 1.5, maxElapsedMs: 0 },
      limits: limits ?? { bytes: 100e6, items: 1e6 },
    })
  }

  /** So many requests of so many spans each. */
  push(requests: number, spans = 5): void {
    for (let request = 0; request < requests; request++) {
      const first = this.pushed.length + 1
      const records = Array.from({ length: spans }, (_, i) =>
        spanRecord(0, { spanId: hex(first + i, 16), traceId: hex(first + i, 32), base: padding }),
      )
      this.pushed.push(...records.map(({ spanId }) => spanId))
      for (const encoded of this.#encoder.encode(records)) void this.queue.push(encoded)
    }
  }

  /** Goes on pushing while something happens. */
  async pushDuring(happens: () => Promise<unknown>): Promise<void> {
    const over = new AbortController()
    const pushing = (async () => {
      while (!over.signal.aborted) {
        this.push(1)
        await sleep(5)
      }
    })()
    await happens()
    over.abort()
    await pushing
  }

  async delivered(limitMs = 30_000): Promise<void> {
    const { counts } = this.queue
    await until(
      () => `all spans are delivered: ${JSON.stringify(counts)} ${this.captured.messages.join('\n')}`,
      () => counts.queue.items === 0,
      { limitMs },
    )
  }

  async close(): Promise<void> {
    await this.queue.close(0)
    await this.#sender.close()
    assertBalanced(this.queue)
  }
}

/** Each span, and how often it came. */
export function receivedSpans(collector: Collector): Map<string, number> {
  const found = new Map<string, number>()
  for (const { resourceSpans } of collector.traceRequests())
    for (const { scopeSpans } of resourceSpans)
      for (const { spans } of scopeSpans)
        for (const { spanId } of spans) found.set(spanId, (found.get(spanId) ?? 0) + 1)
  return found
}

/** Whatever was pushed is there. `once`: and no more than once. */
export function assertAllReceived(collector: Collector, { pushed }: EventsSent, once: boolean): void {
  const received = receivedSpans(collector)
  const missing = pushed.filter(spanId => !received.has(spanId))
  assert.deepEqual([missing.length, received.size], [0, pushed.length])
  if (once) assert.ok([...received.values()].every(times => times === 1))
}
