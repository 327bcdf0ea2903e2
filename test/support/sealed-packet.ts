// Makes a built packet one that a kernel takes: Ethernet addresses and the checksums of IPv4, TCP and ICMP.
import { Protocol } from './packet.ts'

const ETHERNET_BYTES = 14
const CHECKSUM_AT = { [Protocol.tcp]: 16, [Protocol.icmp]: 2 } as const

/** Of an IPv4 packet without tags and options. */
export function sealed(packet: Uint8Array, from: { readonly mac: string }, to: { readonly mac: string }): Buffer {
  const frame = Buffer.from(packet)
  frame.set(macBytes(to.mac), 0)
  frame.set(macBytes(from.mac), 6)
  const ip = frame.subarray(ETHERNET_BYTES)
  const transport = ip.subarray(20)
  const protocol = ip[9] as keyof typeof CHECKSUM_AT
  ip.writeUInt16BE(0, 10)
  ip.writeUInt16BE(checksum([ip.subarray(0, 20)]), 10)
  const at = CHECKSUM_AT[protocol]
  const pseudo = Buffer.concat([
    ip.subarray(12, 20),
    Buffer.from([0, protocol, transport.length >> 8, transport.length]),
  ])
  transport.writeUInt16BE(0, at)
  transport.writeUInt16BE(checksum(protocol === Protocol.tcp ? [pseudo, transport] : [transport]), at)
  return frame
}

function macBytes(text: string): number[] {
  return text.split(':').map(byte => Number.parseInt(byte, 16))
}

/** RFC 1071. All parts but the last are of an even length. */
function checksum(parts: readonly Uint8Array[]): number {
  let sum = 0
  for (const part of parts) for (const [i, byte] of part.entries()) sum += i % 2 === 0 ? byte << 8 : byte
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000)
  return ~sum & 0xffff
}
