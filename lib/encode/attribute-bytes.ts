// Attributes as protobuf's `repeated KeyValue`, made once for each set and place where it is used.
import type { Attributes } from '@opentelemetry/api'
import { doubleAttributes } from '../signals/attribute-names.ts'
import type { AttributeSet } from '../signals/attribute-set.ts'
import { kept } from './kept-forms.ts'
import { ProtobufWriter, varintSize } from './protobuf-writer.ts'

/** The number of the field `attributes`: 1 in a resource, 6 in a log record, 7 in a number's point, 9 in a span or a histogram's point. */
export type AttributesField = 1 | 6 | 7 | 9

const indexOf: Readonly<Record<AttributesField, number>> = {
  1: kept.protobufField1,
  6: kept.protobufField6,
  7: kept.protobufField7,
  9: kept.protobufField9,
}

const message = {
  keyValue: { key: 1, value: 2 },
  anyValue: { string: 1, bool: 2, int: 3, double: 4, array: 5 },
  arrayValue: { values: 1 },
} as const

/** Tags and lengths of a KeyValue and its value, and a number in its longest form. */
const KEY_VALUE_SIZE = 24

const scratch = new ProtobufWriter(4096)
const keyWriter = new ProtobufWriter(256)

/** Of a set that is used again and again. */
export function attributeBytes(set: AttributeSet, field: AttributesField): Uint8Array {
  const index = indexOf[field]
  const found = set.encoded[index] as Uint8Array | undefined
  if (found) return found
  writeAttributes(scratch, set, field)
  const made = scratch.finish()
  set.encoded[index] = made
  return made
}

/** Of a set that is used once. */
export function writeAttributes(writer: ProtobufWriter, { attributes, doubles }: AttributeSet, field: number): void {
  const { keyValue, anyValue } = message
  const isUsual = doubles === doubleAttributes
  for (const key in attributes) {
    const { bytes, isUsuallyDouble } = writtenKey(key)
    const isDouble = isUsual ? isUsuallyDouble : doubles.has(key)
    const value = attributes[key]
    if (typeof value === 'number' && value >>> 0 === value && !isDouble) {
      // What most of them are, with lengths that need no guess.
      const length = 1 + varintSize(value)
      writer.sized(field, bytes.length + 2 + length)
      writer.encoded(bytes)
      writer.sized(keyValue.value, length)
      writer.uint(anyValue.int, value)
      continue
    }
    writer.begin(field, 1)
    writer.encoded(bytes)
    writeAnyValue(writer, keyValue.value, value, isDouble)
    writer.end()
  }
}

interface WrittenKey {
  /** The field `key` of a KeyValue. */
  readonly bytes: Uint8Array
  /** Under the name that we give it. */
  readonly isUsuallyDouble: boolean
}

/** Keys are few; more than these would be somebody's data. */
const MOST_KEYS = 4096
const writtenKeys = new Map<string, WrittenKey>()

function writtenKey(key: string): WrittenKey {
  const found = writtenKeys.get(key)
  if (found) return found
  keyWriter.text(message.keyValue.key, key)
  const made = { bytes: keyWriter.finish(), isUsuallyDouble: doubleAttributes.has(key) }
  if (writtenKeys.size < MOST_KEYS) writtenKeys.set(key, made)
  return made
}

/** No less than `writeAttributes` will write. */
export function largestSize(attributes: Attributes): number {
  let size = 0
  for (const key in attributes) size += KEY_VALUE_SIZE + 3 * key.length + largestValueSize(attributes[key])
  return size
}

function largestValueSize(value: unknown): number {
  if (typeof value === 'string') return 3 * value.length
  if (!Array.isArray(value)) return 0
  return value.reduce<number>((size, each) => size + KEY_VALUE_SIZE + largestValueSize(each), 0)
}

function writeAnyValue(writer: ProtobufWriter, field: number, value: unknown, isDouble = false): void {
  const { anyValue: kind } = message
  writer.begin(field, 1)
  if (typeof value === 'string') writer.text(kind.string, value)
  else if (typeof value === 'boolean') writer.uint(kind.bool, value ? 1 : 0)
  else if (typeof value === 'number') writeNumber(writer, value, isDouble)
  else if (Array.isArray(value)) {
    writer.begin(kind.array, 1)
    for (const each of value) writeAnyValue(writer, message.arrayValue.values, each)
    writer.end()
  }
  writer.end()
}

function writeNumber(writer: ProtobufWriter, value: number, isDouble: boolean): void {
  if (!isDouble && isInt64(value)) writer.int64(message.anyValue.int, value)
  else writer.double(message.anyValue.double, value)
}

/** What OTLP calls an int, whoever encodes it. */
export function isInt64(value: number): boolean {
  return Number.isInteger(value) && value >= -(2 ** 63) && value < 2 ** 63
}
