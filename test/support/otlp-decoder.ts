// Reads OTLP protobuf by the field numbers of opentelemetry-proto, which no encoder of ours has a part in. What proto3 does
// not tell apart is made equal: a field that holds its type's zero is one that is not there.

type Kind = 'uint' | 'bool' | 'int64' | 'fixed64' | 'sfixed64' | 'fixed32' | 'double' | 'string' | 'hex' | 'sint32'
/** `type`: a kind, or the name of a message. */
type Field = readonly [name: string, type: string, how?: 'repeated' | 'packed' | 'oneof']
type Message = Readonly<Record<number, Field>>

const keyValues = ['attributes', 'KeyValue', 'repeated'] as const

const messages: Readonly<Record<string, Message>> = {
  ExportTraceServiceRequest: { 1: ['resourceSpans', 'ResourceSpans', 'repeated'] },
  ExportLogsServiceRequest: { 1: ['resourceLogs', 'ResourceLogs', 'repeated'] },
  ExportMetricsServiceRequest: { 1: ['resourceMetrics', 'ResourceMetrics', 'repeated'] },
  ResourceSpans: {
    1: ['resource', 'Resource'],
    2: ['scopeSpans', 'ScopeSpans', 'repeated'],
    3: ['schemaUrl', 'string'],
  },
  ResourceLogs: { 1: ['resource', 'Resource'], 2: ['scopeLogs', 'ScopeLogs', 'repeated'], 3: ['schemaUrl', 'string'] },
  ResourceMetrics: {
    1: ['resource', 'Resource'],
    2: ['scopeMetrics', 'ScopeMetrics', 'repeated'],
    3: ['schemaUrl', 'string'],
  },
  ScopeSpans: { 1: ['scope', 'Scope'], 2: ['spans', 'Span', 'repeated'], 3: ['schemaUrl', 'string'] },
  ScopeLogs: { 1: ['scope', 'Scope'], 2: ['logRecords', 'LogRecord', 'repeated'], 3: ['schemaUrl', 'string'] },
  ScopeMetrics: { 1: ['scope', 'Scope'], 2: ['metrics', 'Metric', 'repeated'], 3: ['schemaUrl', 'string'] },
  Resource: { 1: keyValues, 2: ['droppedAttributesCount', 'uint'] },
  Scope: { 1: ['name', 'string'], 2: ['version', 'string'], 3: keyValues, 4: ['droppedAttributesCount', 'uint'] },
  KeyValue: { 1: ['key', 'string'], 2: ['value', 'AnyValue'] },
  AnyValue: {
    1: ['stringValue', 'string', 'oneof'],
    2: ['boolValue', 'bool', 'oneof'],
    3: ['intValue', 'int64', 'oneof'],
    4: ['doubleValue', 'double', 'oneof'],
    5: ['arrayValue', 'ArrayValue', 'oneof'],
    7: ['bytesValue', 'hex', 'oneof'],
  },
  ArrayValue: { 1: ['values', 'AnyValue', 'repeated'] },
  Span: {
    1: ['traceId', 'hex'],
    2: ['spanId', 'hex'],
    3: ['traceState', 'string'],
    4: ['parentSpanId', 'hex'],
    5: ['name', 'string'],
    6: ['kind', 'uint'],
    7: ['startTimeUnixNano', 'fixed64'],
    8: ['endTimeUnixNano', 'fixed64'],
    9: keyValues,
    10: ['droppedAttributesCount', 'uint'],
    11: ['events', 'Event', 'repeated'],
    12: ['droppedEventsCount', 'uint'],
    13: ['links', 'Link', 'repeated'],
    14: ['droppedLinksCount', 'uint'],
    15: ['status', 'Status'],
    16: ['flags', 'fixed32'],
  },
  Event: { 1: ['timeUnixNano', 'fixed64'], 2: ['name', 'string'], 3: keyValues, 4: ['droppedAttributesCount', 'uint'] },
  Link: {
    1: ['traceId', 'hex'],
    2: ['spanId', 'hex'],
    3: ['traceState', 'string'],
    4: keyValues,
    6: ['flags', 'fixed32'],
  },
  Status: { 2: ['message', 'string'], 3: ['code', 'uint'] },
  LogRecord: {
    1: ['timeUnixNano', 'fixed64'],
    2: ['severityNumber', 'uint'],
    3: ['severityText', 'string'],
    5: ['body', 'AnyValue'],
    6: keyValues,
    7: ['droppedAttributesCount', 'uint'],
    8: ['flags', 'fixed32'],
    9: ['traceId', 'hex'],
    10: ['spanId', 'hex'],
    11: ['observedTimeUnixNano', 'fixed64'],
    12: ['eventName', 'string'],
  },
  Metric: {
    1: ['name', 'string'],
    2: ['description', 'string'],
    3: ['unit', 'string'],
    5: ['gauge', 'Gauge', 'oneof'],
    7: ['sum', 'Sum', 'oneof'],
    9: ['histogram', 'Histogram', 'oneof'],
    10: ['exponentialHistogram', 'ExponentialHistogram', 'oneof'],
    12: ['metadata', 'KeyValue', 'repeated'],
  },
  Gauge: { 1: ['dataPoints', 'NumberDataPoint', 'repeated'] },
  Sum: {
    1: ['dataPoints', 'NumberDataPoint', 'repeated'],
    2: ['aggregationTemporality', 'uint'],
    3: ['isMonotonic', 'bool'],
  },
  Histogram: { 1: ['dataPoints', 'HistogramDataPoint', 'repeated'], 2: ['aggregationTemporality', 'uint'] },
  ExponentialHistogram: {
    1: ['dataPoints', 'ExponentialHistogramDataPoint', 'repeated'],
    2: ['aggregationTemporality', 'uint'],
  },
  NumberDataPoint: {
    2: ['startTimeUnixNano', 'fixed64'],
    3: ['timeUnixNano', 'fixed64'],
    4: ['asDouble', 'double', 'oneof'],
    5: ['exemplars', 'Exemplar', 'repeated'],
    6: ['asInt', 'sfixed64', 'oneof'],
    7: keyValues,
    8: ['flags', 'uint'],
  },
  HistogramDataPoint: {
    2: ['startTimeUnixNano', 'fixed64'],
    3: ['timeUnixNano', 'fixed64'],
    4: ['count', 'fixed64'],
    5: ['sum', 'double', 'oneof'],
    6: ['bucketCounts', 'fixed64', 'packed'],
    7: ['explicitBounds', 'double', 'packed'],
    8: ['exemplars', 'Exemplar', 'repeated'],
    9: keyValues,
    10: ['flags', 'uint'],
    11: ['min', 'double', 'oneof'],
    12: ['max', 'double', 'oneof'],
  },
  ExponentialHistogramDataPoint: {
    1: keyValues,
    2: ['startTimeUnixNano', 'fixed64'],
    3: ['timeUnixNano', 'fixed64'],
    4: ['count', 'fixed64'],
    5: ['sum', 'double', 'oneof'],
    6: ['scale', 'sint32'],
    7: ['zeroCount', 'fixed64'],
    8: ['positive', 'Buckets'],
    9: ['negative', 'Buckets'],
    10: ['flags', 'uint'],
    11: ['exemplars', 'Exemplar', 'repeated'],
    12: ['min', 'double', 'oneof'],
    13: ['max', 'double', 'oneof'],
    14: ['zeroThreshold', 'double'],
  },
  Buckets: { 1: ['offset', 'sint32'], 2: ['bucketCounts', 'uint', 'packed'] },
  Exemplar: {
    2: ['timeUnixNano', 'fixed64'],
    3: ['asDouble', 'double', 'oneof'],
    4: ['spanId', 'hex'],
    5: ['traceId', 'hex'],
    6: ['asInt', 'sfixed64', 'oneof'],
    7: ['filteredAttributes', 'KeyValue', 'repeated'],
  },
}

export type Decoded = { [field: string]: Decoded | Decoded[] | string | number | boolean | undefined }

const requests = {
  traces: 'ExportTraceServiceRequest',
  logs: 'ExportLogsServiceRequest',
  metrics: 'ExportMetricsServiceRequest',
} as const

/** As OTLP JSON names it; 64-bit integers as text, bytes as hex digits. Throws for anything that is not in the tables. */
export function decodeRequest(signal: keyof typeof requests, bytes: Uint8Array): Decoded {
  return decodeMessage(requests[signal], Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
}

class Reader {
  readonly bytes: Buffer
  at = 0

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  varint(): bigint {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.bytes.readUInt8(this.at++)
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }

  take(length: number): Buffer {
    if (this.at + length > this.bytes.length) throw new Error(`cut short at ${this.at}`)
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }
}

function decodeMessage(name: string, bytes: Buffer): Decoded {
  const found: Decoded = {}
  const reader = new Reader(bytes)
  while (reader.at < bytes.length) {
    const tag = Number(reader.varint())
    const field = messages[name]?.[tag >>> 3]
    if (!field) throw new Error(`${name} has no field ${tag >>> 3}`)
    const [key, type, how] = field
    if (how === 'packed') found[key] = packed(type as Kind, reader, tag & 7) as unknown as Decoded[]
    else if (how === 'repeated')
      found[key] = [...((found[key] as Decoded[]) ?? []), one(type, reader, tag & 7) as Decoded]
    else {
      const value = one(type, reader, tag & 7)
      if (how === 'oneof' || !isZero(value)) found[key] = value
    }
  }
  return found
}

function packed(type: Kind, reader: Reader, wireType: number): unknown[] {
  if (wireType !== 2) throw new Error(`a packed field has wire type ${wireType}`)
  const inner = new Reader(reader.take(Number(reader.varint())))
  const values: unknown[] = []
  while (inner.at < inner.bytes.length) values.push(one(type, inner, wireTypes[type]))
  return values
}

const wireTypes: Readonly<Record<Kind, number>> = {
  uint: 0,
  bool: 0,
  int64: 0,
  sint32: 0,
  fixed64: 1,
  sfixed64: 1,
  double: 1,
  string: 2,
  hex: 2,
  fixed32: 5,
}

function one(type: string, reader: Reader, wireType: number): Decoded | string | number | boolean {
  const wanted = type in messages ? 2 : wireTypes[type as Kind]
  if (wireType !== wanted) throw new Error(`${type} has wire type ${wireType}`)
  switch (type) {
    case 'uint':
      return Number(reader.varint())
    case 'bool':
      return reader.varint() === 1n
    case 'int64':
      return BigInt.asIntN(64, reader.varint()).toString()
    case 'sint32': {
      const zigzag = Number(reader.varint())
      return (zigzag >>> 1) ^ -(zigzag & 1)
    }
    case 'fixed64':
      return reader.take(8).readBigUInt64LE().toString()
    case 'sfixed64':
      return reader.take(8).readBigInt64LE().toString()
    case 'double':
      return reader.take(8).readDoubleLE()
    case 'fixed32':
      return reader.take(4).readUInt32LE()
    case 'string':
      return reader.take(Number(reader.varint())).toString('utf8')
    case 'hex':
      return reader.take(Number(reader.varint())).toString('hex')
    default:
      return decodeMessage(type, reader.take(Number(reader.varint())))
  }
}

function isZero(value: Decoded | string | number | boolean): boolean {
  if (typeof value === 'object') return Object.keys(value).length === 0
  return value === 0 || value === '' || value === '0' || value === false
}
