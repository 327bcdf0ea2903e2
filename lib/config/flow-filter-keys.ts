// What a flow filter can ask for, and how values of each kind are written (docs/filter.md).
import { BlockList, isIP } from 'node:net'
import { parseByteSize } from './byte-size.ts'

export type FilterKind = 'name' | 'word' | 'address' | 'port' | 'label' | 'duration' | 'bytes' | 'count' | 'rate'

export interface FilterKey {
  readonly kind: FilterKind
  /** Of each of both ends, and `src.` or `dst.` says which. */
  readonly ofEnd?: true
  /** Of an edge, which is many flows, too. */
  readonly ofEdge?: true
  /** What it can be, where these are few. */
  readonly words?: readonly string[]
}

const states = [
  ...['connecting', 'established', 'midstream', 'closing', 'closed', 'reset-by-client', 'reset-by-server'],
  ...['refused', 'no-reply', 'unreachable', 'reset', 'active', 'parked', 'ended'],
]

export const FILTER_KEYS = {
  ns: { kind: 'name', ofEnd: true, ofEdge: true },
  workload: { kind: 'name', ofEnd: true, ofEdge: true },
  kind: { kind: 'name', ofEnd: true, ofEdge: true },
  pod: { kind: 'name', ofEnd: true, ofEdge: true },
  svc: { kind: 'name', ofEnd: true, ofEdge: true },
  name: { kind: 'name', ofEnd: true, ofEdge: true },
  node: { kind: 'name', ofEnd: true },
  zone: { kind: 'name', ofEnd: true },
  label: { kind: 'label', ofEnd: true },
  ip: { kind: 'address', ofEnd: true, ofEdge: true },
  port: { kind: 'port', ofEnd: true, ofEdge: true },
  proto: { kind: 'word', ofEdge: true },
  type: { kind: 'word', words: ['ipv4', 'ipv6'], ofEdge: true },
  observer: { kind: 'word', words: ['client', 'server'], ofEdge: true },
  state: { kind: 'word', words: states },
  problem: { kind: 'word' },
  iface: { kind: 'word' },
  rtt: { kind: 'duration' },
  age: { kind: 'duration' },
  bytes: { kind: 'bytes' },
  packets: { kind: 'count' },
  rate: { kind: 'rate' },
} as const satisfies Record<string, FilterKey>

export type FilterKeyName = keyof typeof FILTER_KEYS

export const FILTER_ALIASES: Readonly<Record<string, FilterKeyName>> = { wl: 'workload', host: 'name' }

const secondsPerUnit: Readonly<Record<string, number>> = { us: 1e-6, µs: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600 }

/** Seconds, bytes, bytes a second, or a number; undefined when the text is none. */
export function parseAmount(kind: FilterKind, text: string): number | undefined {
  switch (kind) {
    case 'duration': {
      const [, amount, unit] = /^(\d+(?:\.\d+)?)(us|µs|ms|s|m|h)$/.exec(text) ?? []
      return amount === undefined ? undefined : Number(amount) * secondsPerUnit[unit!]!
    }
    case 'bytes':
      return parseByteSize(text)
    case 'rate':
      return text.endsWith('/s') ? parseByteSize(text.slice(0, -2)) : undefined
    case 'port':
    case 'count':
      return /^\d{1,15}$/.test(text) ? Number(text) : undefined
    default:
      return undefined
  }
}

/** `8000-8100`; undefined when the text is no range, or none that has anything in it. */
export function parseRange(text: string): readonly [first: number, last: number] | undefined {
  const [, first, last] = /^(\d{1,5})-(\d{1,5})$/.exec(text) ?? []
  if (first === undefined || Number(first) > Number(last)) return undefined
  return [Number(first), Number(last)]
}

/** Of an address, or of a block `ADDRESS/LENGTH`; undefined when the text is neither. */
export function parseBlock(text: string): ((address: string) => boolean) | undefined {
  const [, address, digits] = /^([0-9a-fA-F:.]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const family = isIP(address ?? '')
  const longest = family === 6 ? 128 : 32
  const length = digits === undefined ? longest : Number(digits)
  if (family === 0 || length > longest) return undefined
  const type = family === 6 ? 'ipv6' : 'ipv4'
  const block = new BlockList()
  block.addSubnet(address!, length, type)
  return asked => isIP(asked) === family && block.check(asked, type)
}

/** What values of a kind look like, for messages. */
export const FILTER_FORMS: Readonly<Record<FilterKind, string>> = {
  name: 'a name, with * and ?',
  word: 'a word, with * and ?',
  address: 'an address, or a block such as 10.0.0.0/8',
  port: 'a port, or a range such as 8000-8100',
  label: 'KEY or KEY=VALUE, with * and ? in the value',
  duration: 'a time such as 20ms',
  bytes: 'an amount such as 64KB or 1MiB',
  count: 'a number',
  rate: 'an amount a second such as 1MB/s',
}
