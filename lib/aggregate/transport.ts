// Transport protocols by number, and the names that leave the program.

export const Protocol = { icmp: 1, tcp: 6, udp: 17, icmp6: 58, sctp: 132 } as const

/** ICMP of both families is `icmp`: `network.type` tells them apart. A protocol without a name is its number. */
export function transportOf(protocol: number): string {
  switch (protocol) {
    case Protocol.tcp:
      return 'tcp'
    case Protocol.udp:
      return 'udp'
    case Protocol.icmp:
    case Protocol.icmp6:
      return 'icmp'
    case Protocol.sctp:
      return 'sctp'
    default:
      return String(protocol)
  }
}

/** The key of an ICMP echo has its identifier where others have ports. */
export function hasPorts(protocol: number): boolean {
  return protocol !== Protocol.icmp && protocol !== Protocol.icmp6
}
