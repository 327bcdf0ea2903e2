// Sockets of a node as a test writes them.
import { parseAddress } from '../../lib/capture/address.ts'
import type { SocketSource, Sockets } from '../../lib/capture/socket-source.ts'

export interface PretendSocket {
  readonly port: number
  /** IPPROTO_*, TCP unless it is said. */
  readonly protocol?: number
  /** Absent: any, by an IPv6 socket that takes IPv4 too. */
  readonly address?: string
  readonly onlyIpv6?: boolean
  readonly cgroup?: string
}

const TCP = 6

export class PretendSockets implements SocketSource {
  readonly sockets: PretendSocket[] = []
  /** `protocol/port`, question by question. */
  readonly asked: string[][] = []
  refuses: Error | undefined

  async socketsAt(protocols: Uint8Array, ports: Uint16Array): Promise<Sockets> {
    const points = [...protocols].map((protocol, i) => `${protocol}/${ports[i]}`)
    this.asked.push(points)
    if (this.refuses) throw this.refuses
    return columnsOf(this.sockets.filter(({ protocol = TCP, port }) => points.includes(`${protocol}/${port}`)))
  }
}

export function columnsOf(rows: readonly PretendSocket[]): Sockets {
  const address = new Uint8Array(16 * rows.length)
  const bytes = rows.map(row => parseAddress(row.address ?? '::')!)
  for (const [i, each] of bytes.entries()) address.set(each, 16 * i)
  return {
    length: rows.length,
    protocol: Uint8Array.from(rows, ({ protocol = TCP }) => protocol),
    family: Uint8Array.from(bytes, each => (each.length === 4 ? 4 : 6)),
    onlyIpv6: Uint8Array.from(rows, ({ onlyIpv6 }) => (onlyIpv6 ? 1 : 0)),
    port: Uint16Array.from(rows, ({ port }) => port),
    address,
    cgroup: Uint32Array.from(rows, (_, i) => i),
    cgroups: rows.map(({ cgroup = '/' }) => cgroup),
  }
}
