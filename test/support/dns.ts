// DNS messages and batches of them, written as rows: a test names only what it is about.
import { parseAddress } from '../../lib/capture/address.ts'
import type { DnsBatch } from '../../lib/capture/dns-source.ts'

export const TYPES = { A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, TXT: 16, AAAA: 28, SRV: 33, OPT: 41, HTTPS: 65 } as const
export type TypeName = keyof typeof TYPES

export interface RecordOf {
  readonly name?: string
  readonly type: TypeName
  readonly ttl?: number
  /** An address, a name, or the data itself. */
  readonly data: string | Uint8Array
}

export interface MessageOf {
  readonly id?: number
  readonly name?: string
  readonly type?: TypeName
  /** RCODE. */
  readonly code?: number
  readonly truncated?: boolean
  /** Of an answer; absent: it is a query. */
  readonly answers?: readonly RecordOf[]
  /** Names of the answers in full, without pointers. */
  readonly plain?: boolean
}

/** Labels and their lengths, up to the root. */
export function nameBytes(name: string): Uint8Array {
  const labels = name === '' ? [] : name.split('.').map(label => Buffer.from(label, 'latin1'))
  return Buffer.concat([...labels.flatMap(label => [Buffer.of(label.length), label]), Buffer.of(0)])
}

export function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2)
  for (const [i, value] of values.entries()) bytes.writeUInt16BE(value, i * 2)
  return bytes
}

const QUESTION_AT = 12
const POINTER = 0xc000

export function dnsMessage(message: MessageOf = {}): Uint8Array {
  const {
    id = 1,
    name = 'api.stripe.example',
    type = 'A',
    code = 0,
    answers,
    truncated = false,
    plain = false,
  } = message
  const flags = (answers ? 0x8180 : 0x0100) | code | (truncated ? 0x0200 : 0)
  const head = words(id, flags, 1, answers?.length ?? 0, 0, 0)
  const records = (answers ?? []).map(record => {
    const owner = record.name ?? name
    const ownerBytes = owner === name && !plain ? words(POINTER | QUESTION_AT) : nameBytes(owner)
    const data = dataOf(record)
    const ttl = record.ttl ?? 60
    return Buffer.concat([ownerBytes, words(TYPES[record.type], 1, ttl >>> 16, ttl & 0xffff, data.length), data])
  })
  return Buffer.concat([head, nameBytes(name), words(TYPES[type], 1), ...records])
}

function dataOf({ type, data }: RecordOf): Uint8Array {
  if (typeof data !== 'string') return data
  return type === 'A' || type === 'AAAA' ? parseAddress(data)! : nameBytes(data)
}

/** As TCP carries it. */
export function withLength(message: Uint8Array): Uint8Array {
  return Buffer.concat([words(message.length), message])
}

export interface DnsRow {
  readonly monotonicMs?: number
  readonly interfaceSlot?: number
  readonly fromPod?: boolean
  readonly protocol?: number
  readonly cut?: boolean
  readonly local?: string
  readonly localPort?: number
  readonly server?: string
  readonly bytes: Uint8Array
}

/** The wall clock is 1,000,000 ms ahead of the other. */
export const WALL_MINUS_MONOTONIC_MS = 1_000_000

export function dnsBatch(rows: readonly DnsRow[], lost = 0): DnsBatch {
  const addresses = (of: (row: DnsRow) => string) => {
    const column = new Uint8Array(rows.length * 16)
    for (const [i, row] of rows.entries()) column.set(parseAddress(of(row))!, i * 16)
    return column
  }
  let end = 0
  return {
    length: rows.length,
    monotonicMs: Float64Array.from(rows, row => row.monotonicMs ?? 1000),
    wallMinusMonotonicMs: WALL_MINUS_MONOTONIC_MS,
    interfaceSlot: Uint16Array.from(rows, row => row.interfaceSlot ?? 1),
    fromPod: Uint8Array.from(rows, row => (row.fromPod ? 1 : 0)),
    family: Uint8Array.from(rows, row => (row.server?.includes(':') ? 6 : 4)),
    protocol: Uint8Array.from(rows, row => row.protocol ?? 17),
    cut: Uint8Array.from(rows, row => (row.cut ? 1 : 0)),
    localPort: Uint16Array.from(rows, row => row.localPort ?? 40_000),
    localAddress: addresses(row => row.local ?? (row.server?.includes(':') ? 'fd00::1' : '10.0.0.1')),
    remoteAddress: addresses(row => row.server ?? '10.96.0.10'),
    end: Uint32Array.from(rows, row => {
      end += row.bytes.length
      return end
    }),
    bytes: Buffer.concat(rows.map(row => row.bytes)),
    lost,
  }
}

export function query(message: MessageOf = {}, row: Partial<DnsRow> = {}): DnsRow {
  const { answers: _, ...asked } = message
  return { fromPod: true, ...row, bytes: dnsMessage(asked) }
}

export function answer(message: MessageOf = {}, row: Partial<DnsRow> = {}): DnsRow {
  return { fromPod: false, ...row, bytes: dnsMessage({ answers: [], ...message }) }
}
