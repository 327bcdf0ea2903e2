// What a soak gives to dispatchers of an interface that nobody uses: every kind of packet, in many flows.
import { arp, cut, ethernet, icmp, ip, Protocol, Tag, tcp, udp } from './packet.ts'

const POD = { v4: '10.5.0.2', v6: 'fd05::2' }

/** A whole connection, as its client's side sends it; with `remote` the other way round. */
function connection(i: number): Uint8Array[] {
  const between = { from: POD.v4, to: peer(i), sourcePort: 20_000 + (i % 20_000), destinationPort: 443 }
  return [
    tcp({ ...between, flags: 'S', sequence: i * 7919, tcpOptionBytes: 20 }),
    tcp({ ...between, flags: 'A', sequence: i * 7919 + 1, payload: 100 }),
    tcp({ ...between, flags: 'FA', sequence: i * 7919 + 101 }),
  ]
}

function others(i: number): Uint8Array[] {
  const v4 = { from: POD.v4, to: peer(i) }
  const v6 = { from: POD.v6, to: `fd05::${(1000 + (i % 5000)).toString(16)}` }
  const ports = { sourcePort: 1000 + (i % 60_000), destinationPort: 53 }
  const datagram = udp({ ...v4, ...ports, payload: i % 200 })
  return [
    datagram,
    udp({ ...v6, ...ports, payload: 64 }),
    tcp({ ...v6, ...ports, flags: 'A', payload: 10, extensions: [{ kind: 'hopByHop' }] }),
    udp({ ...v4, ...ports, tags: [Tag.service, Tag.customer] }),
    udp({ ...v4, ...ports, optionBytes: 12, payload: 30 }),
    icmp({ ...v4, type: 8, identifier: i }),
    ip(Protocol.udp, { ...v4, fragment: { offset: 1480, more: false }, payload: 50 }),
    ip(Protocol.gre, { ...v4, payload: 40 }),
    ip(Protocol.tcp, { ...v4, payload: 10 }),
    arp(),
    ethernet(0x88cc, [], new Uint8Array(40)),
    // A test run takes no frame that is shorter than its IP header.
    cut(datagram, 34 + (i % 8)),
    ethernet(0x0800, [], Uint8Array.of(0x42, ...new Uint8Array(39))),
  ]
}

function peer(i: number): string {
  return `10.6.${(i >> 8) & 0xff}.${i & 0xff}`
}

/** So many flows and more, and what belongs to none. */
export function soakPackets(flows: number): Uint8Array[] {
  return Array.from({ length: Math.ceil(flows / 8) }, (_, i) => [...connection(i), ...others(i)]).flat()
}
