// What the rest of the program needs of the module "dns": the messages between pods and their DNS servers.

/** Row i of every column is one message, in the order in which they passed the interfaces. Arrays belong to the receiver. */
export interface DnsBatch {
  readonly length: number
  /** CLOCK_MONOTONIC, ms. */
  readonly monotonicMs: Float64Array
  /** Added to `monotonicMs` it is ms since 1970. */
  readonly wallMinusMonotonicMs: number
  readonly interfaceSlot: Uint16Array
  /** 1: the pod sent it, to port 53; 0: the pod got it, from port 53. */
  readonly fromPod: Uint8Array
  /** 4 or 6. */
  readonly family: Uint8Array
  /** IPPROTO_TCP or IPPROTO_UDP. */
  readonly protocol: Uint8Array
  /** 1: the datagram or segment was longer than what is here. */
  readonly cut: Uint8Array
  /** The pod's. */
  readonly localPort: Uint16Array
  /** 16 bytes a row, IPv4 in the first 4. */
  readonly localAddress: Uint8Array
  readonly remoteAddress: Uint8Array
  /** Where the row's payload ends in `bytes`; it begins where the one before ends. */
  readonly end: Uint32Array
  /** UDP: a message; TCP: what one segment carries, with the length before each message. */
  readonly bytes: Uint8Array
  /** Messages that found no room on the way here, since loading. */
  readonly lost: number
}

export interface DnsSource {
  /** Everything that passed before this call and since the one before. */
  read(): Promise<DnsBatch>
}
