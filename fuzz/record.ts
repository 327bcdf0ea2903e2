// Packets as the fuzz targets take them: a header that says how the kernel shows the packet, then its bytes (skb.h).

export interface RecordOptions {
  readonly toPod?: boolean
  /** The VLAN tag that a device took off the packet. */
  readonly tagInMetadata?: boolean
  readonly otherInterface?: boolean
  /** Absent: all of it. */
  readonly linearBytes?: number
  readonly gsoSize?: number
  readonly gsoSegs?: number
  /** Behind the packet, a multiple of `ZERO_UNIT_BYTES`. */
  readonly zeros?: number
  /** Before the packet, a power of two, ns. */
  readonly elapsedNs?: number
  /** The helper call before which another CPU handles the next record, or from which on the index takes nothing. */
  readonly interruptedAt?: number
  readonly indexFailsAt?: number
}

const Flag = { toPod: 1, tagInMetadata: 2, otherInterface: 4, retire: 8, freeRetired: 16, setDetail: 32, overwrite: 64 }
const HEADER_BYTES = 12
export const ZERO_UNIT_BYTES = 16
const ALL_LINEAR = 255
const NEXT_RECORD = 1 << 6
const INDEX_FAILS = 2 << 6

export function record(packet: Uint8Array, options: RecordOptions = {}): Uint8Array {
  const { linearBytes = ALL_LINEAR, elapsedNs = 0, gsoSize = 0, gsoSegs = 0, zeros = 0 } = options
  const header = Buffer.alloc(HEADER_BYTES)
  header[0] =
    (options.toPod ? Flag.toPod : 0) |
    (options.tagInMetadata ? Flag.tagInMetadata : 0) |
    (options.otherInterface ? Flag.otherInterface : 0)
  header[1] = linearBytes
  header[2] = elapsedNs ? Math.log2(elapsedNs) : 0
  if (options.interruptedAt) header[3] = NEXT_RECORD | options.interruptedAt
  if (options.indexFailsAt) header[3] = INDEX_FAILS | options.indexFailsAt
  header.writeUInt16LE(gsoSize, 4)
  header.writeUInt16LE(gsoSegs, 6)
  header.writeUInt16LE(zeros / ZERO_UNIT_BYTES, 8)
  header.writeUInt16LE(packet.length, 10)
  return Buffer.concat([header, packet])
}

/** User space begins to retire the flow of a slot. In drain.cc: one of the two interfaces goes, and another comes. */
export function retire(number: number): Uint8Array {
  return action(Flag.retire, number)
}

/** User space gives back the slots of the flows that it retires. In drain.cc: it drains. */
export function freeRetired(options: Pick<RecordOptions, 'elapsedNs' | 'interruptedAt'> = {}): Uint8Array {
  const { elapsedNs = 0, interruptedAt = 0 } = options
  const header = action(Flag.freeRetired, 0)
  header[2] = elapsedNs ? Math.log2(elapsedNs) : 0
  if (interruptedAt) header[3] = NEXT_RECORD | interruptedAt
  return header
}

/** User space turns following of TCP off (0) or on, in another epoch. */
export function setDetail(epoch: number): Uint8Array {
  return action(Flag.setDetail, epoch)
}

/** In drain.cc: bytes into the memory of slots. */
export function overwrite(offset: number, bytes: Uint8Array): Uint8Array {
  const header = action(Flag.overwrite, 0)
  header.writeUInt16LE(offset, 8)
  header.writeUInt16LE(bytes.length, 10)
  return Buffer.concat([header, bytes])
}

function action(flag: number, number: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  header.set([flag, number])
  return header
}
