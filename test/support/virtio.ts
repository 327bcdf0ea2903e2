// The header in front of a frame on a packet socket with PACKET_VNET_HDR: how the kernel shall segment it.
const HEADER_BYTES = 10
const NEEDS_CHECKSUM = 1
const SEGMENTS = { tcp4: 1, tcp6: 4, udp: 5 } as const
const CHECKSUM_AT = { tcp4: 16, tcp6: 16, udp: 6 } as const

export interface Segmentation {
  readonly kind: keyof typeof SEGMENTS
  readonly size: number
  /** Where the TCP or UDP header begins in the frame. */
  readonly transportAt: number
  readonly headersEnd: number
}

/** Without segmentation the frame is a packet. */
export function behindVirtio(frame: Uint8Array, segmentation?: Segmentation): Uint8Array {
  const header = Buffer.alloc(HEADER_BYTES)
  if (segmentation) {
    const { kind, size, transportAt, headersEnd } = segmentation
    header[0] = NEEDS_CHECKSUM
    header[1] = SEGMENTS[kind]
    header.writeUInt16LE(headersEnd, 2)
    header.writeUInt16LE(size, 4)
    header.writeUInt16LE(transportAt, 6)
    header.writeUInt16LE(CHECKSUM_AT[kind], 8)
  }
  return Buffer.concat([header, frame])
}
