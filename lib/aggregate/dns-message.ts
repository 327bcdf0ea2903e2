// DNS messages (RFC 1035, RFC 3596) as pods send and get them: whatever the bytes are, it ends, and soon.

export interface DnsQuestion {
  /** As `DnsRecord.name`. */
  readonly name: string
  readonly type: number
  readonly class: number
}

export interface DnsRecord {
  /** Lower case, labels with dots between them and none behind; what is not plain in it is escaped: `\.`, `\010`. Empty: the root. */
  readonly name: string
  readonly type: number
  /** Seconds; 0 where the highest bit is set (RFC 2181, section 8). */
  readonly ttl: number
  /** A: 4 bytes, AAAA: 16 bytes. */
  readonly address?: Uint8Array
  /** CNAME: as `name`. */
  readonly target?: string
}

export interface DnsMessage {
  readonly id: number
  readonly isAnswer: boolean
  /** 0: a standard query. */
  readonly operation: number
  /** RCODE of the header, 0 to 15. */
  readonly code: number
  /** The only question: what has none or several is nobody's lookup. */
  readonly question: DnsQuestion | undefined
  /** Of class IN and of the types A, AAAA and CNAME alone; where the message is cut, those before. */
  readonly answers: readonly DnsRecord[]
}

export const DnsType = { a: 1, cname: 5, aaaa: 28 } as const
export const DNS_CLASS_IN = 1

const HEADER_BYTES = 12
const ANSWER_BIT = 0x8000
const LABELS_LIMIT = 128
/** Of a name as it travels (RFC 1035, section 2.3.4). */
const NAME_BYTES_LIMIT = 255
/** A message of 4,096 bytes has room for no more of use. */
const ANSWERS_LIMIT = 256

interface ReadName {
  readonly name: string
  /** Behind the name where it stands. */
  readonly end: number
}

/** Of the bytes from `start` to `end`; undefined: that is no message with a readable header and question. */
export function parseDnsMessage(bytes: Uint8Array, start: number, end: number): DnsMessage | undefined {
  if (end - start < HEADER_BYTES) return undefined
  const flags = word(bytes, start + 2)
  const questions = word(bytes, start + 4)
  const head = {
    id: word(bytes, start),
    isAnswer: (flags & ANSWER_BIT) !== 0,
    operation: (flags >> 11) & 15,
    code: flags & 15,
  }
  if (questions !== 1) return { ...head, question: undefined, answers: [] }
  const name = readName(bytes, start, start + HEADER_BYTES, end)
  if (!name || name.end + 4 > end) return undefined
  const question = { name: name.name, type: word(bytes, name.end), class: word(bytes, name.end + 2) }
  const count = Math.min(word(bytes, start + 6), ANSWERS_LIMIT)
  return { ...head, question, answers: head.isAnswer ? readAnswers(bytes, start, name.end + 4, end, count) : [] }
}

function readAnswers(bytes: Uint8Array, start: number, from: number, end: number, count: number): DnsRecord[] {
  const answers: DnsRecord[] = []
  let at = from
  for (let i = 0; i < count; i++) {
    const owner = readName(bytes, start, at, end)
    if (!owner || owner.end + 10 > end) break
    const data = owner.end + 10
    const behind = data + word(bytes, owner.end + 8)
    if (behind > end) break
    at = behind
    if (word(bytes, owner.end + 2) !== DNS_CLASS_IN) continue
    const type = word(bytes, owner.end)
    const known = readData(bytes, start, type, data, behind)
    if (known) answers.push({ name: owner.name, type, ttl: readTtl(bytes, owner.end + 4), ...known })
  }
  return answers
}

function readData(bytes: Uint8Array, start: number, type: number, at: number, end: number) {
  if ((type === DnsType.a && end - at === 4) || (type === DnsType.aaaa && end - at === 16))
    return { address: bytes.slice(at, end) }
  if (type !== DnsType.cname) return undefined
  const target = readName(bytes, start, at, end)
  return target?.end === end ? { target: target.name } : undefined
}

/** Pointers may only lead back (RFC 1035, section 4.1.4), each behind the one before: there is no way round. */
function readName(bytes: Uint8Array, start: number, from: number, end: number): ReadName | undefined {
  let name = ''
  let behind = -1
  let at = from
  let lowest = from
  let length = 1
  for (let labels = 0; labels < LABELS_LIMIT; labels++) {
    // Behind a pointer a name may go up to where it was pointed from.
    if (at >= end) return undefined
    const size = bytes[at]!
    if (size === 0) return { name, end: behind === -1 ? at + 1 : behind }
    if (size >= 0xc0) {
      if (at + 2 > end) return undefined
      const target = start + (word(bytes, at) & 0x3fff)
      if (target >= lowest || target < start + HEADER_BYTES) return undefined
      if (behind === -1) behind = at + 2
      lowest = at = target
      continue
    }
    length += size + 1
    if (size >= 0x40 || at + 1 + size > end || length > NAME_BYTES_LIMIT) return undefined
    name += (name === '' ? '' : '.') + labelText(bytes, at + 1, size)
    at += 1 + size
  }
  return undefined
}

function labelText(bytes: Uint8Array, at: number, size: number): string {
  let text = ''
  for (let i = at; i < at + size; i++) text += characters[bytes[i]!]
  return text
}

/** RFC 1035, section 5.1: a dot in a label, a backslash and what can't be printed are escaped. */
const characters = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte)
  if (character === '.' || character === '\\') return `\\${character}`
  if (byte <= 0x20 || byte >= 0x7f) return `\\${String(byte).padStart(3, '0')}`
  return character.toLowerCase()
})

function readTtl(bytes: Uint8Array, at: number): number {
  return bytes[at]! >= 0x80 ? 0 : word(bytes, at) * 65_536 + word(bytes, at + 2)
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!
}
