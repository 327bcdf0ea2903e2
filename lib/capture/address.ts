// IP addresses between bytes and text: 4 or 16 bytes in network order, text as RFC 5952 writes it.
import { isIPv4, isIPv6 } from 'node:net'

/** For maps, where a text of its own for each question costs most: IPv4 as 32 bits, IPv6 a character a byte. */
export type AddressKey = number | string

export interface Cidr {
  /** 4 or 16 bytes; bits beyond the prefix are 0. */
  readonly network: Uint8Array
  readonly prefixLength: number
}

/** Text of the address at `offset`. An IPv4-mapped IPv6 address is shown as the IPv4 address it is. */
export function formatAddress(bytes: Uint8Array, offset: number, family: number): string {
  if (family === 4) return formatIPv4(bytes, offset)
  if (isMapped(bytes, offset)) return formatIPv4(bytes, offset + 12)
  return formatIPv6(bytes, offset)
}

/** Of the address at `offset`. An IPv4-mapped IPv6 address has the IPv4 address's. */
export function addressKey(bytes: Uint8Array, offset: number, family: number): AddressKey {
  if (family === 4) return numberAt(bytes, offset)
  if (isMapped(bytes, offset)) return numberAt(bytes, offset + 12)
  return String.fromCharCode(...bytes.subarray(offset, offset + 16))
}

/** undefined when the text is no address. */
export function parseAddressKey(text: string): AddressKey | undefined {
  const bytes = parseAddress(text)
  return bytes && addressKey(bytes, 0, bytes.length === 4 ? 4 : 6)
}

/** Each once; texts that are no address are left out. */
export function parseAddressKeys(texts: readonly string[]): AddressKey[] {
  return [...new Set(texts)].flatMap(text => parseAddressKey(text) ?? [])
}

/** 4 or 16 bytes. */
export function keyBytes(key: AddressKey): Uint8Array {
  if (typeof key === 'string') return Uint8Array.from(key, character => character.charCodeAt(0))
  return Uint8Array.of(key >>> 24, (key >> 16) & 255, (key >> 8) & 255, key & 255)
}

export function formatKey(key: AddressKey): string {
  const bytes = keyBytes(key)
  return formatAddress(bytes, 0, bytes.length === 4 ? 4 : 6)
}

/** 4 or 16 bytes; undefined when the text is no address. An IPv4-mapped address gives 4 bytes, a zone (`%eth0`) is refused. */
export function parseAddress(text: string): Uint8Array | undefined {
  if (isIPv4(text)) return Uint8Array.from(text.split('.'), Number)
  if (!isIPv6(text) || text.includes('%')) return undefined
  const bytes = parseIPv6(text)
  return isMapped(bytes, 0) ? bytes.subarray(12) : bytes
}

/** `10.0.0.0/8` or `2001:db8::/32`; undefined when the text is neither. */
export function parseCidr(text: string): Cidr | undefined {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(text)
  const address = parseAddress(match?.[1] ?? '')
  if (!match || !address) return undefined
  const mapped = address.length === 4 && text.includes(':')
  const prefixLength = Number(match[2]) - (mapped ? 96 : 0)
  if (prefixLength < 0 || prefixLength > address.length * 8) return undefined
  return { network: maskedTo(address, prefixLength), prefixLength }
}

export function cidrContains(cidr: Cidr, address: Uint8Array): boolean {
  const { network, prefixLength } = cidr
  if (network.length !== address.length) return false
  const wholeBytes = prefixLength >> 3
  for (let i = 0; i < wholeBytes; i++) if (network[i] !== address[i]) return false
  const rest = prefixLength & 7
  return rest === 0 || (network[wholeBytes]! ^ address[wholeBytes]!) >> (8 - rest) === 0
}

function maskedTo(address: Uint8Array, prefixLength: number): Uint8Array {
  const network = new Uint8Array(address.length)
  const wholeBytes = prefixLength >> 3
  network.set(address.subarray(0, wholeBytes))
  const rest = prefixLength & 7
  if (rest > 0) network[wholeBytes] = address[wholeBytes]! & (0xff00 >> rest)
  return network
}

function numberAt(bytes: Uint8Array, offset: number): number {
  return (bytes[offset]! << 24) | (bytes[offset + 1]! << 16) | (bytes[offset + 2]! << 8) | bytes[offset + 3]!
}

function isMapped(bytes: Uint8Array, offset: number): boolean {
  if (bytes[offset + 10] !== 0xff || bytes[offset + 11] !== 0xff) return false
  for (let i = 0; i < 10; i++) if (bytes[offset + i] !== 0) return false
  return true
}

function formatIPv4(bytes: Uint8Array, offset: number): string {
  return `${bytes[offset]}.${bytes[offset + 1]}.${bytes[offset + 2]}.${bytes[offset + 3]}`
}

function formatIPv6(bytes: Uint8Array, offset: number): string {
  const zeros = longestZeroRun(bytes, offset)
  let text = ''
  for (let group = 0; group < 8; group++) {
    if (group === zeros.start) {
      text += '::'
      group += zeros.length - 1
      continue
    }
    if (text !== '' && !text.endsWith(':')) text += ':'
    text += ((bytes[offset + group * 2]! << 8) | bytes[offset + group * 2 + 1]!).toString(16)
  }
  return text
}

/** RFC 5952 4.2: the longest run of at least two zero groups, the first of equals. */
function longestZeroRun(bytes: Uint8Array, offset: number): { start: number; length: number } {
  let start = -1
  let length = 1
  let run = 0
  for (let group = 0; group < 8; group++) {
    run = bytes[offset + group * 2] === 0 && bytes[offset + group * 2 + 1] === 0 ? run + 1 : 0
    if (run <= length) continue
    length = run
    start = group - run + 1
  }
  return { start, length }
}

/** The text is known to be valid. */
function parseIPv6(text: string): Uint8Array {
  const [head = '', tail] = text.split('::')
  const front = groupBytes(head)
  const back = groupBytes(tail ?? '')
  const bytes = new Uint8Array(16)
  bytes.set(front)
  bytes.set(back, 16 - back.length)
  return bytes
}

function groupBytes(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap(group => {
    if (group.includes('.')) return group.split('.').map(Number)
    const value = Number.parseInt(group, 16)
    return [value >> 8, value & 0xff]
  })
}
