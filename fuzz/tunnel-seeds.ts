// Packets in packets, as GSO leaves them: how many they stand for is told by the innermost headers.
import { ip, tcp, udp } from '../test/support/packet.ts'
import { record } from './record.ts'
import { superPacket } from './tcp-seeds.ts'

const ETHERNET_BYTES = 14
const ETHER_TYPE = { ipv4: 0x0800, ipv6: 0x86dd, bridging: 0x6558 }
const IPV4_IN_IP = 4
const IPV6_IN_IP = 41
const GRE = 47
const GRE_CHECKSUM_AND_KEY = 0xa000
const GENEVE_OPTION_WORD = 0x0100
const ports = { sourcePort: 40_000, destinationPort: 80 }
const outer = { from: '172.16.0.1', to: '172.16.0.2' }
const frames = new Map([
  ['TCP', tcp({ from: '10.0.0.1', to: '10.0.0.2', ...ports })],
  ['TCP over IPv6', tcp({ from: 'fd00::1', to: 'fd00::2', ...ports })],
  ['UDP', udp({ from: '10.0.0.1', to: '10.0.0.2', ...ports })],
])

export function tunnels(): Map<string, Uint8Array> {
  const seeds = new Map<string, Uint8Array>()
  for (const [name, frame] of frames) {
    const packet = frame.slice(ETHERNET_BYTES)
    const [protocol, type] = name.includes('IPv6') ? [IPV6_IN_IP, ETHER_TYPE.ipv6] : [IPV4_IN_IP, ETHER_TYPE.ipv4]
    const add = (tunnel: string, bytes: Uint8Array) => seeds.set(`${name} in ${tunnel}`, record(bytes, superPacket))
    add('IP', ip(protocol, { ...outer, payload: packet }))
    add('GRE', ip(GRE, { ...outer, payload: behind([0, type], packet) }))
    add('GRE with a key', ip(GRE, { ...outer, payload: behind([GRE_CHECKSUM_AND_KEY, type, 0, 0, 0, 7], packet) }))
    for (const destinationPort of [4789, 8472])
      add(`VXLAN ${destinationPort}`, datagram(destinationPort, behind([0x0800, 0, 0, 0x100], frame)))
    add('Geneve', datagram(6081, behind([GENEVE_OPTION_WORD, ETHER_TYPE.bridging, 0, 0, 0, 0], frame)))
    add('Geneve without Ethernet', datagram(6081, behind([0, type, 0, 0], packet)))
    add('a tunnel that we do not know', datagram(51820, frame))
  }
  return seeds
}

function datagram(destinationPort: number, payload: Uint8Array): Uint8Array {
  return udp({ ...outer, sourcePort: 50_000, destinationPort, payload })
}

/** Words in network order, then the rest. */
function behind(words: readonly number[], rest: Uint8Array): Uint8Array {
  const header = Buffer.alloc(2 * words.length)
  words.forEach((word, i) => {
    header.writeUInt16BE(word, 2 * i)
  })
  return Buffer.concat([header, rest])
}
