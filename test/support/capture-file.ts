// Capture files of Ethernet frames: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html
import { closeSync, openSync, writeSync } from 'node:fs'

/** Little-endian, with nanoseconds, version 2.4. */
const MAGIC = 0xa1b23c4d
const FILE_HEAD_BYTES = 24
const RECORD_HEAD_BYTES = 16
const MOST_BYTES = 1 << 18
const LINKTYPE_ETHERNET = 1
const NS_PER_SECOND = 1_000_000_000n

export class CaptureFile {
  readonly #descriptor: number

  constructor(path: string) {
    this.#descriptor = openSync(path, 'w')
    const head = Buffer.alloc(FILE_HEAD_BYTES)
    head.writeUInt32LE(MAGIC, 0)
    head.writeUInt16LE(2, 4)
    head.writeUInt16LE(4, 6)
    head.writeUInt32LE(MOST_BYTES, 16)
    head.writeUInt32LE(LINKTYPE_ETHERNET, 20)
    writeSync(this.#descriptor, head)
  }

  /** `wireBytes`: of the whole frame, of which `data` may be the beginning. */
  add(ns: bigint, data: Uint8Array, wireBytes = data.length): void {
    const head = Buffer.alloc(RECORD_HEAD_BYTES)
    head.writeUInt32LE(Number(ns / NS_PER_SECOND), 0)
    head.writeUInt32LE(Number(ns % NS_PER_SECOND), 4)
    head.writeUInt32LE(data.length, 8)
    head.writeUInt32LE(wireBytes, 12)
    writeSync(this.#descriptor, Buffer.concat([head, data]))
  }

  close(): void {
    closeSync(this.#descriptor)
  }
}
