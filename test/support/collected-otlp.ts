// What a Collector's file exporter writes, line by line: OTLP as JSON.
import { existsSync, readFileSync } from 'node:fs'

export interface OtlpValue {
  stringValue?: string
  intValue?: string
  doubleValue?: number
  boolValue?: boolean
  arrayValue?: { values?: OtlpValue[] }
}

export interface OtlpAttribute {
  key: string
  value: OtlpValue
}

export interface OtlpPoint {
  attributes?: OtlpAttribute[]
  startTimeUnixNano?: string
  timeUnixNano?: string
  asInt?: string
  asDouble?: number
  flags?: number
}

const NO_RECORDED_VALUE = 1

/** Else the point says that its series ended. */
export function hasValue({ flags = 0 }: OtlpPoint): boolean {
  return (flags & NO_RECORDED_VALUE) === 0
}

export interface OtlpMetric {
  name: string
  unit?: string
  description?: string
  sum?: { dataPoints: OtlpPoint[]; aggregationTemporality: number; isMonotonic?: boolean }
  gauge?: { dataPoints: OtlpPoint[] }
}

interface OtlpResource {
  attributes?: OtlpAttribute[]
}

interface OtlpScope {
  name?: string
  version?: string
}

/** A line of metrics: one request as it arrived. */
export interface OtlpRequest {
  resourceMetrics: { resource: OtlpResource; scopeMetrics: { scope: OtlpScope; metrics: OtlpMetric[] }[] }[]
}

export interface OtlpSpan {
  traceId: string
  spanId: string
  parentSpanId?: string
  traceState?: string
  flags?: number
  name: string
  kind: number
  startTimeUnixNano: string
  endTimeUnixNano: string
  attributes?: OtlpAttribute[]
  events?: { timeUnixNano: string; name: string; attributes?: OtlpAttribute[] }[]
  status?: { code?: number; message?: string }
}

export interface OtlpLogRecord {
  timeUnixNano: string
  observedTimeUnixNano: string
  severityNumber?: number
  severityText?: string
  body?: OtlpValue
  attributes?: OtlpAttribute[]
  flags?: number
  traceId?: string
  spanId?: string
  eventName?: string
}

export interface OtlpTraceRequest {
  resourceSpans: { resource: OtlpResource; scopeSpans: { scope: OtlpScope; spans: OtlpSpan[] }[] }[]
}

export interface OtlpLogsRequest {
  resourceLogs: { resource: OtlpResource; scopeLogs: { scope: OtlpScope; logRecords: OtlpLogRecord[] }[] }[]
}

/** Attributes that a point must have; values as text. */
export type Where = Readonly<Record<string, string>>

/** Every complete line of a file, parsed. */
export function linesOf(file: string): unknown[] {
  if (!existsSync(file)) return []
  const text = readFileSync(file, 'utf8')
  // A killed Collector may leave half a line.
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n')
  return lines.filter(line => line !== '').map(line => JSON.parse(line))
}

export function valueText(value: OtlpValue): string {
  return String(value.stringValue ?? value.intValue ?? value.boolValue ?? value.doubleValue ?? JSON.stringify(value))
}

export function attributeRecord(attributes: readonly OtlpAttribute[] | undefined): Record<string, string> {
  return Object.fromEntries((attributes ?? []).map(({ key, value }) => [key, valueText(value)]))
}
