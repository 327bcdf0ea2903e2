// Spans as OTLP protobuf (opentelemetry/proto/trace/v1/trace.proto).
import type { SpanEvent, SpanRecord } from '../signals/span-record.ts'
import { attributeBytes, largestSize, writeAttributes } from './attribute-bytes.ts'
import type { EncodedRequest, EventEncoder } from './encoded-request.ts'
import { ProtobufWriter } from './protobuf-writer.ts'
import { cutIntoRequests } from './requests.ts'
import { resourceSize, writeByResource } from './resource-protobuf.ts'
import type { Scope } from './scope.ts'

const span = {
  traceId: 1,
  spanId: 2,
  traceState: 3,
  parentSpanId: 4,
  name: 5,
  kind: 6,
  start: 7,
  end: 8,
  attributes: 9,
  events: 11,
  status: 15,
  flags: 16,
} as const
const event = { time: 1, name: 2, attributes: 3 } as const
const status = { message: 2, code: 3 } as const

export const SPAN_KINDS = { server: 2, client: 3 } as const
export const STATUS_ERROR = 2

/** Ids, times, kind, flags, status and what they take on the wire. */
const FIXED_SIZE = 104
const EVENT_SIZE = 24

export class SpanProtobufEncoder implements EventEncoder<SpanRecord> {
  readonly #scope: Scope
  readonly #writer = new ProtobufWriter()

  constructor(scope: Scope) {
    this.#scope = scope
  }

  encode(spans: readonly SpanRecord[]): EncodedRequest[] {
    const sizes = { item: spanSize, resource: resourceSize(this.#scope) }
    return cutIntoRequests(spans, sizes).map(({ byResource, items }) => {
      writeByResource(this.#writer, byResource, this.#scope, writeSpan)
      return { signal: 'traces', body: this.#writer.finish(), items }
    })
  }
}

/** Bits 8 and 9 say whether the parent is another process's, bit 0 that it is sampled, bit 1 that the trace id is random: ours is a hash. */
export function spanFlags({ parentSpanId }: SpanRecord): number {
  return parentSpanId === undefined ? 0x103 : 0x303
}

function writeSpan(writer: ProtobufWriter, field: number, record: SpanRecord): void {
  writer.begin(field, 2)
  writer.hex(span.traceId, record.traceId)
  writer.hex(span.spanId, record.spanId)
  if (record.traceState) writer.text(span.traceState, record.traceState)
  if (record.parentSpanId !== undefined) writer.hex(span.parentSpanId, record.parentSpanId)
  writer.text(span.name, record.name)
  writer.uint(span.kind, SPAN_KINDS[record.kind])
  writer.nanoseconds(span.start, record.startMs)
  writer.nanoseconds(span.end, record.endMs)
  writer.encoded(attributeBytes(record.base, span.attributes))
  if (record.more) writeAttributes(writer, record.more, span.attributes)
  if (record.events) for (const each of record.events) writeEvent(writer, each)
  if (record.status === 'error') writeError(writer, record.statusMessage)
  writer.fixed32(span.flags, spanFlags(record))
  writer.end()
}

function writeEvent(writer: ProtobufWriter, { name, timeMs, attributes }: SpanEvent): void {
  writer.begin(span.events, 1)
  writer.nanoseconds(event.time, timeMs)
  writer.text(event.name, name)
  if (attributes) writeAttributes(writer, attributes, event.attributes)
  writer.end()
}

function writeError(writer: ProtobufWriter, message: string | undefined): void {
  writer.begin(span.status, 1)
  if (message) writer.text(status.message, message)
  writer.uint(status.code, STATUS_ERROR)
  writer.end()
}

function spanSize(record: SpanRecord): number {
  const { name, traceState, statusMessage, base, more, events } = record
  const texts = name.length + (traceState?.length ?? 0) + (statusMessage?.length ?? 0)
  let size = FIXED_SIZE + texts * 3 + attributeBytes(base, span.attributes).length
  if (more) size += largestSize(more.attributes)
  if (events)
    for (const { name, attributes } of events)
      size += EVENT_SIZE + name.length * 3 + (attributes ? largestSize(attributes.attributes) : 0)
  return size
}
