// What the rest of the program needs of the sockets of the agent's network namespace: who serves there.

/** Row i of every column is one socket that listens, or takes datagrams from anybody. Arrays belong to the receiver. */
export interface Sockets {
  readonly length: number
  /** IPPROTO_TCP or IPPROTO_UDP. */
  readonly protocol: Uint8Array
  /** 4 or 6. */
  readonly family: Uint8Array
  /** 1: an IPv6 socket that takes no IPv4. */
  readonly onlyIpv6: Uint8Array
  readonly port: Uint16Array
  /** 16 bytes a row, IPv4 in the first 4; all zero: any. */
  readonly address: Uint8Array
  /** Place in `cgroups`. */
  readonly cgroup: Uint32Array
  /** Paths in cgroup v2; empty: not known. */
  readonly cgroups: readonly string[]
}

export interface SocketSource {
  /** Those at one of the endpoints, as they are now. */
  socketsAt(protocols: Uint8Array, ports: Uint16Array): Promise<Sockets>
}
