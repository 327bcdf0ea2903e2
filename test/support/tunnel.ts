// Builds tunnels' packets: a frame or an IP packet inside another packet.
import { type Envelope, EtherType, ip, Protocol, type TcpOptions, udp } from './packet.ts'

export const TunnelPort = { vxlan: 4789, vxlanLinux: 8472, geneve: 6081 } as const

const ETHERNET_BYTES = 14
const GRE_CHECKSUM = 0x8000
const GRE_KEY = 0x2000
const GRE_SEQUENCE = 0x1000

/** `inner` is always a frame; a tunnel of IP packets leaves its Ethernet header out. */
export interface Tunnel extends Envelope {
  readonly inner: Uint8Array
}

export interface GreTunnel extends Tunnel {
  readonly checksum?: boolean
  readonly key?: boolean
  readonly sequence?: boolean
  /** The inner frame with its Ethernet header. */
  readonly bridged?: boolean
}

export interface UdpTunnel extends Tunnel, Pick<TcpOptions, 'sourcePort'> {
  /** Absent: the tunnel's own. */
  readonly destinationPort?: number
}

/** RFC 2003, RFC 2473, RFC 4213: IPv4 or IPv6 in either, by what `inner` is. */
export function ipInIp(tunnel: Tunnel): Uint8Array {
  const isIPv6 = typeOf(tunnel.inner) === EtherType.ipv6
  return ip(isIPv6 ? Protocol.ipv6 : Protocol.ipv4, { ...tunnel, payload: packetIn(tunnel.inner) })
}

/** RFC 2784 and 2890. */
export function greTunnel(tunnel: GreTunnel): Uint8Array {
  const { inner, checksum, key, sequence, bridged } = tunnel
  const flags = (checksum ? GRE_CHECKSUM : 0) | (key ? GRE_KEY : 0) | (sequence ? GRE_SEQUENCE : 0)
  const header = Buffer.alloc(4 + 4 * [checksum, key, sequence].filter(Boolean).length)
  header.writeUInt16BE(flags, 0)
  header.writeUInt16BE(bridged ? EtherType.bridged : typeOf(inner), 2)
  return ip(Protocol.gre, { ...tunnel, payload: Buffer.concat([header, bridged ? inner : packetIn(inner)]) })
}

/** RFC 7348. */
export function vxlan(tunnel: UdpTunnel): Uint8Array {
  const header = Buffer.from('0800000000000500', 'hex')
  return inUdp(tunnel, TunnelPort.vxlan, Buffer.concat([header, tunnel.inner]))
}

/** RFC 8926. */
export function geneve(tunnel: UdpTunnel & { readonly optionBytes?: number; readonly routed?: boolean }): Uint8Array {
  const { optionBytes = 0, inner, routed, ...rest } = tunnel
  const header = Buffer.alloc(8 + optionBytes)
  header[0] = optionBytes / 4
  header.writeUInt16BE(routed ? typeOf(inner) : EtherType.bridged, 2)
  // One option of a class for experiments that is as long as there is room.
  if (optionBytes > 0) header.set([0xff, 0xf0, 1, optionBytes / 4 - 1], 8)
  const payload = Buffer.concat([header, routed ? packetIn(inner) : inner])
  return inUdp({ ...rest, inner }, TunnelPort.geneve, payload)
}

function inUdp(tunnel: UdpTunnel, port: number, payload: Uint8Array): Uint8Array {
  return udp({ destinationPort: port, ...tunnel, payload })
}

/** Of a frame without tags. */
function typeOf(frame: Uint8Array): number {
  return (frame[12]! << 8) | frame[13]!
}

export function packetIn(frame: Uint8Array): Uint8Array {
  return frame.subarray(ETHERNET_BYTES)
}
