// The rules of a scope that the kernel decides by, packet by packet.

import { parsePorts } from '../config/port-range.ts'
import type { ScopeConfig } from '../config/scope.ts'
import { type Cidr, parseCidr } from './address.ts'

/** Of remote addresses: the longest block that an address is in decides. */
export interface ScopeBlock extends Cidr {
  readonly included: boolean
}

export interface PacketScope {
  /** true: `setOutOfScope` works. */
  readonly interfaces: boolean
  readonly blocks: readonly ScopeBlock[]
  /** A byte a port, its bits as ebpf/scope.h has them; empty without rules. */
  readonly ports: Uint8Array
}

const PORTS = 65_536
const INCLUDED = 0x01
const EXCLUDED = 0x10
/** enum scope_transport of ebpf/scope.h. */
const transports = ['tcp', 'udp', 'sctp', 'dccp'] as const

/** undefined: nothing is left out, and the kernel need not ask. */
export function packetScope({ include, exclude }: ScopeConfig): PacketScope | undefined {
  const interfaces = [include, exclude].some(
    rules => rules.namespaces.length + rules.labels.length + rules.workloads.length > 0,
  )
  const blocks = [...blocksOf(include.cidrs, true), ...blocksOf(exclude.cidrs, false)]
  const ports = new Uint8Array(include.ports.length + exclude.ports.length > 0 ? PORTS : 0)
  for (const text of include.ports) mark(ports, text, INCLUDED)
  for (const text of exclude.ports) mark(ports, text, EXCLUDED)
  return interfaces || blocks.length > 0 || ports.length > 0 ? { interfaces, blocks, ports } : undefined
}

function blocksOf(cidrs: readonly string[], included: boolean): ScopeBlock[] {
  return cidrs.map(cidr => ({ ...parseCidr(cidr)!, included }))
}

function mark(ports: Uint8Array, text: string, bit: number): void {
  const { first, last, transport } = parsePorts(text)!
  for (const [place, name] of transports.entries()) {
    if (transport !== undefined && transport !== name) continue
    for (let port = first; port <= last; port++) ports[port]! |= bit << place
  }
}
