// Spans and log records, and the same as the SDK's own objects.
import { type Attributes, type HrTime, SpanKind, SpanStatusCode } from '@opentelemetry/api'
import { resourceFromAttributes } from '@opentelemetry/resources'
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs'
import type { ReadableSpan } from '@opentelemetry/sdk-trace'
import { podweirScope } from '../../lib/encode/scope.ts'
import { AttributeSet, type SignalResource } from '../../lib/signals/attribute-set.ts'
import type { LogRecord } from '../../lib/signals/log-record.ts'
import type { SpanRecord } from '../../lib/signals/span-record.ts'

export const scope = podweirScope('0.1.0')

export const START_MS = 1_763_730_000_123.25
const SAMPLED_AND_RANDOM = 3

export function signalResource(attributes: Attributes): SignalResource {
  return { set: new AttributeSet(attributes) }
}

export const cart = signalResource({ 'service.name': 'cart (net)', 'k8s.namespace.name': 'shop' })
export const payments = signalResource({ 'service.name': 'payments (net)', 'k8s.namespace.name': 'shop' })

export const everyAttribute: Attributes = {
  text: 'shop/cart',
  unicode: 'Zürich → 🚀 "quoted" <&>',
  empty: '',
  control: 'bell\u0007 line\u2028',
  long: 'x'.repeat(200),
  longUnicode: 'ü'.repeat(70),
  zero: 0,
  port: 8080,
  negative: -17,
  big: 2 ** 53,
  huge: 2 ** 60,
  fraction: 0.1,
  large: 1e21,
  yes: true,
  no: false,
  texts: ['a', '', 'c'],
  numbers: [1, 2.5, -3],
  none: [],
}

/** The `i`-th of a row of spans that differ. */
export function spanRecord(i = 0, more: Partial<SpanRecord> = {}): SpanRecord {
  return {
    resource: cart,
    traceId: hex(i + 1, 32),
    spanId: hex(i + 1, 16),
    name: 'tcp payments:8080',
    kind: 'client',
    startMs: START_MS + i,
    endMs: START_MS + i + 14_999.5,
    base: new AttributeSet({ 'server.port': 8080, 'network.transport': 'tcp' }),
    status: 'unset',
    ...more,
  }
}

export function logRecord(i = 0, more: Partial<LogRecord> = {}): LogRecord {
  return {
    resource: cart,
    timeMs: START_MS + i,
    observedMs: START_MS + i + 1000,
    severity: 'WARN',
    eventName: 'podweir.network.flow',
    base: new AttributeSet({ 'server.port': 8080, 'error.type': 'refused' }),
    ...more,
  }
}

export function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0')
}

/** With everything that a span can have. */
export function fullSpan(i = 0): SpanRecord {
  return spanRecord(i, {
    resource: payments,
    traceId: `fedcba98765432100123456789${hex(i, 6)}`,
    spanId: `abcdef01${hex(i, 8)}`,
    parentSpanId: '0000000000000007',
    traceState: 'ot=th:8',
    kind: 'server',
    name: 'tcp Zürich:8080',
    base: new AttributeSet(everyAttribute),
    more: new AttributeSet({ 'podweir.connection.failed': 2 }),
    events: [
      { name: 'handshake', timeMs: START_MS, attributes: new AttributeSet({ ms: 0.5 }) },
      { name: 'close', timeMs: START_MS + 0.001 },
    ],
    status: 'error',
    statusMessage: 'refused by the server',
  })
}

export function fullLog(i = 0): LogRecord {
  return logRecord(i, {
    resource: payments,
    severity: 'INFO',
    body: 'cart → payments:8080 refused',
    base: new AttributeSet(everyAttribute),
    more: new AttributeSet({ 'source.port': 40_000 + i }),
    traceId: `fedcba98765432100123456789${hex(i, 6)}`,
    spanId: `abcdef01${hex(i, 8)}`,
  })
}

/** One object for each resource, as the SDK tells them apart. */
const sdkResources = new Map<SignalResource, ReadableSpan['resource']>()

function sdkResource(resource: SignalResource): ReadableSpan['resource'] {
  const found = sdkResources.get(resource)
  if (found) return found
  const made = resourceFromAttributes(resource.set.attributes, { schemaUrl: scope.schemaUrl })
  sdkResources.set(resource, made)
  return made
}

export function sdkSpan(record: SpanRecord): ReadableSpan {
  const { traceId, spanId, parentSpanId, traceState } = record
  const state = { serialize: () => traceState ?? '', get: () => undefined, set: () => state, unset: () => state }
  const context = { traceId, spanId, traceFlags: SAMPLED_AND_RANDOM, traceState: state }
  const parent = parentSpanId !== undefined && { ...context, spanId: parentSpanId, isRemote: true }
  return {
    name: record.name,
    kind: record.kind === 'client' ? SpanKind.CLIENT : SpanKind.SERVER,
    spanContext: () => context,
    ...(parent && { parentSpanContext: parent }),
    startTime: hrTime(record.startMs),
    endTime: hrTime(record.endMs),
    duration: [0, 0],
    ended: true,
    status: {
      code: record.status === 'error' ? SpanStatusCode.ERROR : SpanStatusCode.UNSET,
      ...(record.statusMessage !== undefined && { message: record.statusMessage }),
    },
    attributes: { ...record.base.attributes, ...record.more?.attributes },
    links: [],
    events: (record.events ?? []).map(({ name, timeMs, attributes }) => ({
      name,
      time: hrTime(timeMs),
      ...(attributes && { attributes: attributes.attributes }),
    })),
    resource: sdkResource(record.resource),
    instrumentationScope: scope,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  }
}

export function sdkLog(record: LogRecord): ReadableLogRecord {
  const { traceId, spanId, body } = record
  return {
    hrTime: hrTime(record.timeMs),
    hrTimeObserved: hrTime(record.observedMs),
    severityNumber: record.severity === 'WARN' ? 13 : 9,
    severityText: record.severity,
    ...(body !== undefined && { body }),
    ...(traceId !== undefined && { spanContext: { traceId, spanId: spanId ?? '', traceFlags: SAMPLED_AND_RANDOM } }),
    eventName: record.eventName,
    resource: sdkResource(record.resource),
    instrumentationScope: scope,
    attributes: { ...record.base.attributes, ...record.more?.attributes },
    droppedAttributesCount: 0,
  }
}

function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000)
  return [seconds, Math.floor((ms - seconds * 1000) * 1e6)]
}
