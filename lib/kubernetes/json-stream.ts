// Cuts a stream of JSON into its objects while it arrives, so that neither a list nor a hostile object is in memory as a whole.

/** Far above what the API server's store takes (1.5 MiB). */
export const OBJECT_LIMIT_BYTES = 8 * 1024 * 1024
/** What a list is besides its items. */
const ENVELOPE_LIMIT_BYTES = 256 * 1024

const NEWLINE = 0x0a
const QUOTE = 0x22
const COMMA = 0x2c
const BACKSLASH = 0x5c
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/** Bytes of one object that may come in many chunks; past its limit they are dropped. */
class BoundedText {
  readonly #limit: number
  #parts: Uint8Array[] = []
  #bytes = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  add(part: Uint8Array): void {
    this.#bytes += part.length
    if (this.#bytes <= this.#limit) this.#parts.push(part)
    else this.#parts = []
  }

  get isEmpty(): boolean {
    return this.#bytes === 0
  }

  get isTooLong(): boolean {
    return this.#bytes > this.#limit
  }

  /** undefined when it was too long. It is empty afterwards. */
  take(): string | undefined {
    const text = this.isTooLong ? undefined : Buffer.concat(this.#parts).toString()
    this.#parts = []
    this.#bytes = 0
    return text
  }
}

/** A watch: one JSON object a line. */
export class LineSplitter {
  readonly #line: BoundedText
  #skipped = 0

  constructor(limitBytes = OBJECT_LIMIT_BYTES) {
    this.#line = new BoundedText(limitBytes)
  }

  /** Lines that were too long. */
  get skipped(): number {
    return this.#skipped
  }

  /** A line was too long, or is already. */
  get isTooLong(): boolean {
    return this.#skipped > 0 || this.#line.isTooLong
  }

  *push(chunk: Uint8Array): Generator<string> {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      this.#line.add(chunk.subarray(start, end))
      start = end + 1
      const line = this.#line.take()
      if (line === undefined) this.#skipped++
      else if (line !== '') yield line
    }
    if (start < chunk.length) this.#line.add(chunk.subarray(start))
  }
}

/** A list: `{ …, "items": [ {…}, {…} ] }`. What is not inside an item is its envelope. */
export class ListSplitter {
  readonly #item: BoundedText
  readonly #envelope = new BoundedText(ENVELOPE_LIMIT_BYTES)
  #skipped = 0
  #depth = 0
  #inText = false
  #escaped = false
  /** Inside `items`: itself at depth 2, what is in an item at 3 and more. */
  #inItems = false
  #key: number[] = []

  constructor(limitBytes = OBJECT_LIMIT_BYTES) {
    this.#item = new BoundedText(limitBytes)
  }

  /** Items that were too long. */
  get skipped(): number {
    return this.#skipped
  }

  /** Whether the list's own end was there. */
  get isComplete(): boolean {
    return this.#depth === 0 && !this.#envelope.isEmpty
  }

  /** The list with `items` empty; undefined when it is too long for one. */
  envelope(): string | undefined {
    return this.#envelope.take()
  }

  *push(chunk: Uint8Array): Generator<string> {
    let start = 0
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i]!
      if (this.#inText) {
        this.#inString(byte)
      } else if (byte === QUOTE) {
        this.#inText = true
        if (this.#depth === 1) this.#key = []
      } else if (byte === OPEN_OBJECT || byte === OPEN_LIST) {
        start = this.#opened(byte, chunk, start, i)
      } else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) {
        const wasInItems = this.#inItems
        start = this.#closed(chunk, start, i)
        if (!wasInItems || !this.#inItems || this.#depth !== 2) continue
        const item = this.#item.take()
        if (item === undefined) this.#skipped++
        else yield item
      }
    }
    const rest = chunk.subarray(start)
    if (this.#inItems && this.#depth > 2) this.#item.add(rest)
    else this.#envelope.add(this.#inItems ? withoutCommas(rest) : rest)
  }

  /** Where the bytes begin that are not put anywhere yet. */
  #opened(byte: number, chunk: Uint8Array, start: number, at: number): number {
    this.#depth++
    if (this.#depth === 2 && byte === OPEN_LIST && String.fromCharCode(...this.#key) === 'items') {
      this.#inItems = true
      this.#envelope.add(chunk.subarray(start, at + 1))
      return at + 1
    }
    if (!this.#inItems || this.#depth !== 3) return start
    this.#envelope.add(withoutCommas(chunk.subarray(start, at)))
    return at
  }

  #closed(chunk: Uint8Array, start: number, at: number): number {
    this.#depth--
    if (!this.#inItems || this.#depth > 2) return start
    if (this.#depth === 2) {
      this.#item.add(chunk.subarray(start, at + 1))
      return at + 1
    }
    this.#inItems = false
    this.#envelope.add(withoutCommas(chunk.subarray(start, at)))
    return at
  }

  #inString(byte: number): void {
    if (this.#escaped) this.#escaped = false
    else if (byte === BACKSLASH) this.#escaped = true
    else if (byte === QUOTE) this.#inText = false
    // Only the last text of depth 1 is of interest, and only when it is "items".
    if (this.#depth === 1 && this.#inText && this.#key.length < 8) this.#key.push(byte)
  }
}

/** What stands between items, whose commas would be left over. */
function withoutCommas(between: Uint8Array): Uint8Array {
  return between.includes(COMMA) ? between.filter(byte => byte !== COMMA) : between
}
