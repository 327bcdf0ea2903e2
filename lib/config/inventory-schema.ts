// The inventory file's shape, keys as written in it.
import { isIP, isIPv4, SocketAddress } from 'node:net'
import { posix } from 'node:path'
import { z } from 'zod'
import { deviceGlob, deviceGlobForm } from './device-glob.ts'
import { choice, list, parsed, required, text, wholeNumber } from './validation.ts'

export type Protocol = 'tcp' | 'udp' | 'sctp'

const protocols = ['tcp', 'udp', 'sctp'] as const
const name = text('text without spaces around it and without control characters', isName)
const addressForm = 'an IPv4 or IPv6 address without a prefix length or zone'
export const cidrForm = 'ADDRESS/LENGTH, such as 10.0.0.0/8 or 2001:db8::/32, with all bits beyond the length 0'
const labelForm = 'text, in quotes where it looks like a number'
const netnsForm = 'the name of a network namespace under /run/netns, or an absolute path'

const address = parsed(addressForm, canonicalAddress)
const created = parsed('a time with its zone, such as 2026-01-31T12:00:00Z, in quotes', momentMs)
const portNumber = wholeNumber(1, 65_535)
const workload = required({ kind: name, name })

const portForm = '1 to 65535, alone or with /tcp, /udp, /sctp'
const port = z.unknown().transform((value, context) => {
  const match = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/.exec(typeof value === 'number' ? String(value) : String(value ?? ''))
  const number = Number(match?.[1])
  if (match && typeof value !== 'object' && number >= 1 && number <= 65_535) return `${match[2] ?? 'tcp'}/${number}`
  context.issues.push({ code: 'custom', input: value, message: portForm })
  return z.NEVER
})

const networkInterface = required({
  netns: parsed(netnsForm, namespacePath).optional(),
  device: text(deviceGlobForm, value => deviceGlob(value) !== undefined).optional(),
}).refine(value => value.netns !== undefined || value.device !== undefined, { error: 'netns, device, or both' })

const pod = required({
  namespace: name,
  name,
  uid: name.optional(),
  node: name.optional(),
  created: created.optional(),
  interfaces: list(networkInterface, 'a list of { netns, device }').default([]),
  addresses: list(address, 'a list of addresses').default([]),
  ports: list(port, 'a list of ports').default([]),
  workload: workload.optional(),
  labels: z.record(z.string(), z.string({ error: labelForm }), { error: 'a mapping of labels to text' }).default({}),
})

const service = required({
  namespace: name,
  name,
  addresses: list(address, 'a list of addresses').default([]),
  ports: list(
    required({ port: portNumber, target: portNumber.optional(), protocol: choice(...protocols).default('tcp') }),
    'a list of { port, target, protocol }',
  ).default([]),
  workload: workload.optional(),
})

const cidr = required({
  name,
  cidr: parsed(cidrForm, canonicalCidr),
  class: choice('external', 'node', 'pod'),
})

export const inventorySchema = required({
  pods: list(pod, 'a list of pods').default([]),
  services: list(service, 'a list of services').default([]),
  cidrs: list(cidr, 'a list of CIDRs').default([]),
})

export type InventorySettings = z.output<typeof inventorySchema>

function isName(value: string): boolean {
  return value !== '' && value === value.trim() && !/\p{Cc}/u.test(value)
}

/** RFC 3339, to ms since 1970. */
function momentMs(value: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(value)) return undefined
  const ms = Date.parse(value)
  return Number.isNaN(ms) ? undefined : ms
}

/** One text for each address: lower case, shortest form, IPv4 for an IPv4-mapped one. */
function canonicalAddress(value: string): string | undefined {
  if (isIP(value) === 0 || value.includes('%')) return undefined
  if (isIPv4(value)) return value
  const shortest = new SocketAddress({ address: value, family: 'ipv6' }).address
  const mapped = shortest.replace(/^::ffff:/, '')
  return isIPv4(mapped) ? mapped : shortest
}

export function canonicalCidr(value: string): string | undefined {
  const [address = '', length = '', ...rest] = value.split('/')
  const canonical = canonicalAddress(address)
  if (!canonical || isIP(canonical) !== isIP(address) || rest.length > 0 || !/^\d{1,3}$/.test(length)) return undefined
  const bits = addressBits(canonical)
  if (Number(length) > bits.length || bits.slice(Number(length)).includes('1')) return undefined
  return `${canonical}/${Number(length)}`
}

/** The address as 32 or 128 digits 0 and 1. */
function addressBits(address: string): string {
  if (isIPv4(address))
    return address
      .split('.')
      .map(byte => Number(byte).toString(2).padStart(8, '0'))
      .join('')
  // The URL parser writes an embedded IPv4 address as two groups.
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const front = head.split(':').filter(Boolean)
  const back = tail?.split(':').filter(Boolean) ?? []
  const groups = [...front, ...Array(8 - front.length - back.length).fill('0'), ...back]
  return groups.map(group => Number.parseInt(group, 16).toString(2).padStart(16, '0')).join('')
}

function namespacePath(value: string): string | undefined {
  if (!isName(value) || value === '.' || value === '..') return undefined
  if (!value.includes('/')) return `/run/netns/${value}`
  if (!value.startsWith('/') || value.endsWith('/')) return undefined
  return posix.normalize(value).replace(/^\/var\/run\//, '/run/')
}
