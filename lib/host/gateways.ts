// Next hops of this network namespace's routes, as the kernel lists them.
import { readFileSync } from 'node:fs'

/** IPv4 in hexadecimal of the machine's byte order, IPv6 in network order; all zero: none. */
export function gateways(ipv4Text: string, ipv6Text: string): string[] {
  const v4 = columnsOf(ipv4Text, 2).flatMap(each => (/^[0-9A-F]{8}$/i.test(each) ? ipv4Of(each) : []))
  const v6 = columnsOf(ipv6Text, 4).flatMap(each => (/^[0-9a-f]{32}$/i.test(each) ? ipv6Of(each) : []))
  return [...new Set([...v4, ...v6])]
}

export function nodeGateways(): string[] {
  return gateways(textOf('/proc/net/route'), textOf('/proc/net/ipv6_route'))
}

function columnsOf(text: string, column: number): string[] {
  return text.split('\n').map(line => line.split(/\s+/)[column] ?? '')
}

function ipv4Of(hex: string): string[] {
  const bytes = [6, 4, 2, 0].map(at => Number.parseInt(hex.slice(at, at + 2), 16))
  return bytes.some(byte => byte !== 0) ? [bytes.join('.')] : []
}

/** As RFC 5952 writes it. */
function ipv6Of(hex: string): string[] {
  if (/^0+$/.test(hex)) return []
  const groups = hex.match(/.{4}/g)!.join(':')
  return [new URL(`http://[${groups}]`).hostname.slice(1, -1)]
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // Without IPv6 there is no such file.
    return ''
  }
}
