// Log records as OTLP JSON.
import type { LogRecord } from '../signals/log-record.ts'
import { textJson, timeJson } from './attribute-json.ts'
import type { EncodedRequest, EventEncoder } from './encoded-request.ts'
import { LOG_FLAGS, SEVERITY_NUMBERS } from './log-protobuf.ts'
import { attributesField, jsonRequests } from './resource-json.ts'
import type { Scope } from './scope.ts'

export class LogJsonEncoder implements EventEncoder<LogRecord> {
  readonly #scope: Scope

  constructor(scope: Scope) {
    this.#scope = scope
  }

  encode(records: readonly LogRecord[]): EncodedRequest[] {
    const texts = records.map(record => ({ resource: record.resource, text: recordJson(record) }))
    return jsonRequests('logs', this.#scope, texts)
  }
}

function recordJson({ timeMs, observedMs, severity, body, base, more, traceId, spanId, eventName }: LogRecord): string {
  return [
    `{"timeUnixNano":${timeJson(timeMs)},"observedTimeUnixNano":${timeJson(observedMs)}`,
    `,"severityNumber":${SEVERITY_NUMBERS[severity]},"severityText":"${severity}"`,
    body === undefined ? '' : `,"body":{"stringValue":${textJson(body)}}`,
    attributesField(base, more),
    traceId === undefined ? '' : `,"flags":${LOG_FLAGS},"traceId":"${traceId}"`,
    spanId === undefined ? '' : `,"spanId":"${spanId}"`,
    `,"eventName":${textJson(eventName)}}`,
  ].join('')
}
