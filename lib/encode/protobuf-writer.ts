// Protobuf's wire format, written forwards and in one pass into a buffer that is used again and again. A message's length
// comes before its content: room for it is left, and the content is moved only where the guess was wrong.

import type { Nanoseconds } from './nanoseconds.ts'

const VARINT = 0
const FIXED64 = 1
const LENGTH = 2
const FIXED32 = 5

const TWO_32 = 2 ** 32
/** Longer texts are left to the native encoder: below, crossing over to it costs more than the loop. */
const SHORT_TEXT = 48

export class ProtobufWriter {
  position = 0
  /** Of each message that is not ended: where its length goes, and the bytes that were left for it. */
  readonly #open: number[] = []
  #bytes: Buffer
  #view: DataView

  constructor(capacity = 64 * 1024) {
    this.#bytes = Buffer.allocUnsafeSlow(capacity)
    this.#view = viewOf(this.#bytes)
  }

  /** What was written, lent until more is; then it begins anew. */
  lend(): Uint8Array {
    const lent = this.#bytes.subarray(0, this.position)
    this.position = 0
    return lent
  }

  /** A copy of what was written; then it begins anew. */
  finish(): Uint8Array {
    const copy = Buffer.allocUnsafe(this.position)
    this.#bytes.copy(copy, 0, 0, this.position)
    this.position = 0
    return copy
  }

  /** What comes until `end` is the message's content. `guess`: bytes that its length will take. */
  begin(field: number, guess: number): void {
    this.#ensure(10)
    this.#tag(field, LENGTH)
    this.#open.push(this.position, guess)
    this.position += guess
  }

  /** Returns the bytes that its length took. */
  end(): number {
    const guess = this.#open.pop()!
    return this.#length(this.#open.pop()!, guess)
  }

  #length(at: number, guess: number): number {
    const start = at + guess
    const length = this.position - start
    const size = varintSize(length)
    if (size !== guess) {
      this.#ensure(size)
      this.#bytes.copyWithin(at + size, start, this.position)
      this.position += size - guess
    }
    const end = this.position
    this.position = at
    this.#varint(length)
    this.position = end
    return size
  }

  uint(field: number, value: number): void {
    this.#ensure(20)
    this.#tag(field, VARINT)
    this.#varint(value)
  }

  /** int64; beyond 2^53 it is as exact as the number. */
  int64(field: number, value: number): void {
    this.#ensure(20)
    this.#tag(field, VARINT)
    if (value >= 0 && value < TWO_32) this.#varint(value)
    else this.#longVarint(BigInt.asUintN(64, BigInt(value)))
  }

  #longVarint(value: bigint): void {
    let rest = value
    for (; rest > 0x7fn; rest >>= 7n) this.#bytes[this.position++] = Number(rest & 0x7fn) | 0x80
    this.#bytes[this.position++] = Number(rest)
  }

  fixed32(field: number, value: number): void {
    this.#ensure(14)
    this.#tag(field, FIXED32)
    this.#view.setUint32(this.position, value, true)
    this.position += 4
  }

  double(field: number, value: number): void {
    this.#ensure(18)
    this.#tag(field, FIXED64)
    this.#view.setFloat64(this.position, value, true)
    this.position += 8
  }

  /** A time as fixed64 nanoseconds. `ms`: since 1970, with fractions. */
  nanoseconds(field: number, ms: number): void {
    this.#ensure(18)
    this.#tag(field, FIXED64)
    // The product has 61 bits: in two halves it stays exact. (The remainder operator is slow beyond 32 bits.)
    const whole = Math.floor(ms)
    const above = Math.floor(whole / 65_536)
    const upper = above * 1e6
    const lower = (whole - above * 65_536) * 1e6 + Math.floor((ms - whole) * 1e6)
    const high = Math.floor(upper / 65_536)
    const low = (upper - high * 65_536) * 65_536 + lower
    this.#view.setUint32(this.position, low >>> 0, true)
    this.#view.setUint32(this.position + 4, high + Math.floor(low / TWO_32), true)
    this.position += 8
  }

  /** A message whose content follows, of which the length is known. */
  sized(field: number, length: number): void {
    this.#ensure(length + 20)
    this.#tag(field, LENGTH)
    this.#varint(length)
  }

  /** sfixed64, or fixed64 of what is not negative; beyond 2^53 it is as exact as the number. */
  fixed64(field: number, value: number): void {
    this.#ensure(18)
    this.#tag(field, FIXED64)
    this.#word64(value)
  }

  time(field: number, { low, high }: Nanoseconds): void {
    this.#ensure(18)
    this.#tag(field, FIXED64)
    this.#view.setUint32(this.position, low, true)
    this.#view.setUint32(this.position + 4, high, true)
    this.position += 8
  }

  packedFixed64(field: number, values: ArrayLike<number>): void {
    this.sized(field, values.length * 8)
    for (let i = 0; i < values.length; i++) this.#word64(values[i]!)
  }

  packedDoubles(field: number, values: ArrayLike<number>): void {
    this.sized(field, values.length * 8)
    for (let i = 0; i < values.length; i++, this.position += 8) this.#view.setFloat64(this.position, values[i]!, true)
  }

  /** uint64 from `first` on. */
  packedVarints(field: number, values: ArrayLike<number>, first: number): void {
    this.begin(field, 1)
    this.#ensure((values.length - first) * 10)
    for (let i = first; i < values.length; i++) this.#varint64(values[i]!)
    this.end()
  }

  /** sint32. */
  zigzag(field: number, value: number): void {
    this.uint(field, ((value << 1) ^ (value >> 31)) >>> 0)
  }

  #word64(value: number): void {
    const high = Math.floor(value / TWO_32)
    this.#view.setUint32(this.position, value - high * TWO_32, true)
    this.#view.setUint32(this.position + 4, high, true)
    this.position += 8
  }

  #varint64(value: number): void {
    let rest = value
    for (; rest >= TWO_32; rest = Math.floor(rest / 128)) this.#bytes[this.position++] = (rest % 128) | 0x80
    this.#varint(rest)
  }

  text(field: number, text: string): void {
    this.#ensure(20 + text.length * 3)
    this.#tag(field, LENGTH)
    const at = this.position
    const guess = varintSize(text.length)
    this.position += guess
    if (text.length > SHORT_TEXT || !this.#ascii(text)) {
      this.position = at + guess
      this.position += this.#bytes.write(text, this.position, 'utf8')
    }
    this.#length(at, guess)
  }

  #ascii(text: string): boolean {
    const bytes = this.#bytes
    const start = this.position
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      if (code > 0x7f) return false
      bytes[start + i] = code
    }
    this.position = start + text.length
    return true
  }

  /** Bytes that are given as hex digits. */
  hex(field: number, digits: string): void {
    const length = digits.length >>> 1
    this.#ensure(20 + length)
    this.#tag(field, LENGTH)
    this.#varint(length)
    const bytes = this.#bytes
    const start = this.position
    for (let i = 0; i < length; i++)
      bytes[start + i] = (hexDigit(digits.charCodeAt(2 * i)) << 4) | hexDigit(digits.charCodeAt(2 * i + 1))
    this.position = start + length
  }

  /** Fields that were encoded before. */
  encoded(bytes: Uint8Array): void {
    this.#ensure(bytes.length)
    this.#bytes.set(bytes, this.position)
    this.position += bytes.length
  }

  #tag(field: number, wireType: number): void {
    this.#varint((field << 3) | wireType)
  }

  #varint(value: number): void {
    const bytes = this.#bytes
    let at = this.position
    let rest = value
    for (; rest > 0x7f; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80
    bytes[at++] = rest
    this.position = at
  }

  #ensure(more: number): void {
    const needed = this.position + more
    if (needed <= this.#bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2))
    this.#bytes.copy(larger, 0, 0, this.position)
    this.#bytes = larger
    this.#view = viewOf(larger)
  }
}

/** Up to 2^32. */
export function varintSize(value: number): number {
  if (value < 0x80) return 1
  if (value < 0x4000) return 2
  if (value < 0x20_0000) return 3
  return value < 0x1000_0000 ? 4 : 5
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}

function hexDigit(code: number): number {
  return code <= 57 ? code - 48 : (code | 32) - 87
}
