// Log records as OTLP protobuf (opentelemetry/proto/logs/v1/logs.proto).
import type { LogRecord } from '../signals/log-record.ts'
import { attributeBytes, largestSize, writeAttributes } from './attribute-bytes.ts'
import type { EncodedRequest, EventEncoder } from './encoded-request.ts'
import { ProtobufWriter } from './protobuf-writer.ts'
import { cutIntoRequests } from './requests.ts'
import { resourceSize, writeByResource } from './resource-protobuf.ts'
import type { Scope } from './scope.ts'

const log = {
  time: 1,
  severityNumber: 2,
  severityText: 3,
  body: 5,
  attributes: 6,
  flags: 8,
  traceId: 9,
  spanId: 10,
  observedTime: 11,
  eventName: 12,
} as const
const anyValue = { string: 1 } as const

/** SeverityNumber of OTLP. */
export const SEVERITY_NUMBERS = { INFO: 9, WARN: 13 } as const
/** Sampled, and a random trace id: ours is a hash. */
export const LOG_FLAGS = 0x3

/** Ids, times, severity, flags and what they take on the wire. */
const FIXED_SIZE = 88

export class LogProtobufEncoder implements EventEncoder<LogRecord> {
  readonly #scope: Scope
  readonly #writer = new ProtobufWriter()

  constructor(scope: Scope) {
    this.#scope = scope
  }

  encode(records: readonly LogRecord[]): EncodedRequest[] {
    const sizes = { item: recordSize, resource: resourceSize(this.#scope) }
    return cutIntoRequests(records, sizes).map(({ byResource, items }) => {
      writeByResource(this.#writer, byResource, this.#scope, writeRecord)
      return { signal: 'logs', body: this.#writer.finish(), items }
    })
  }
}

function writeRecord(writer: ProtobufWriter, field: number, record: LogRecord): void {
  writer.begin(field, 2)
  writer.nanoseconds(log.time, record.timeMs)
  writer.uint(log.severityNumber, SEVERITY_NUMBERS[record.severity])
  writer.text(log.severityText, record.severity)
  if (record.body !== undefined) writeBody(writer, record.body)
  writer.encoded(attributeBytes(record.base, log.attributes))
  if (record.more) writeAttributes(writer, record.more, log.attributes)
  if (record.traceId !== undefined) {
    writer.fixed32(log.flags, LOG_FLAGS)
    writer.hex(log.traceId, record.traceId)
  }
  if (record.spanId !== undefined) writer.hex(log.spanId, record.spanId)
  writer.nanoseconds(log.observedTime, record.observedMs)
  writer.text(log.eventName, record.eventName)
  writer.end()
}

function writeBody(writer: ProtobufWriter, body: string): void {
  writer.begin(log.body, 1)
  writer.text(anyValue.string, body)
  writer.end()
}

function recordSize({ body, eventName, base, more }: LogRecord): number {
  const texts = (body?.length ?? 0) + eventName.length
  const size = FIXED_SIZE + texts * 3 + attributeBytes(base, log.attributes).length
  return more ? size + largestSize(more.attributes) : size
}
