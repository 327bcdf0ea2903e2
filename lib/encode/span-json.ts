// Spans as OTLP JSON.
import type { SpanEvent, SpanRecord } from '../signals/span-record.ts'
import { textJson, timeJson } from './attribute-json.ts'
import type { EncodedRequest, EventEncoder } from './encoded-request.ts'
import { attributesField, jsonRequests } from './resource-json.ts'
import type { Scope } from './scope.ts'
import { SPAN_KINDS, STATUS_ERROR, spanFlags } from './span-protobuf.ts'

export class SpanJsonEncoder implements EventEncoder<SpanRecord> {
  readonly #scope: Scope

  constructor(scope: Scope) {
    this.#scope = scope
  }

  encode(spans: readonly SpanRecord[]): EncodedRequest[] {
    const records = spans.map(span => ({ resource: span.resource, traceId: span.traceId, text: spanJson(span) }))
    return jsonRequests('traces', this.#scope, records)
  }
}

function spanJson(span: SpanRecord): string {
  return [
    `{"traceId":"${span.traceId}","spanId":"${span.spanId}"`,
    span.traceState ? `,"traceState":${textJson(span.traceState)}` : '',
    span.parentSpanId === undefined ? '' : `,"parentSpanId":"${span.parentSpanId}"`,
    `,"flags":${spanFlags(span)},"name":${textJson(span.name)},"kind":${SPAN_KINDS[span.kind]}`,
    `,"startTimeUnixNano":${timeJson(span.startMs)},"endTimeUnixNano":${timeJson(span.endMs)}`,
    attributesField(span.base, span.more),
    span.events?.length ? `,"events":[${span.events.map(eventJson).join(',')}]` : '',
    span.status === 'error' ? statusJson(span.statusMessage) : '',
    '}',
  ].join('')
}

function eventJson({ name, timeMs, attributes }: SpanEvent): string {
  return `{"timeUnixNano":${timeJson(timeMs)},"name":${textJson(name)}${attributesField(attributes)}}`
}

function statusJson(message: string | undefined): string {
  const text = message ? `"message":${textJson(message)},` : ''
  return `,"status":{${text}"code":${STATUS_ERROR}}`
}
