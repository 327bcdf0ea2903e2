// Frames of one device as a BPF program saw them right behind Podweir's own, written as a capture file.
import { parseAddress } from '../../lib/capture/address.ts'
import { CaptureFile } from './capture-file.ts'
import { type HookPlace, KernelObject, key32, readMap } from './kernel.ts'

const FRAME_HEAD_BYTES = 16

export interface TcpNumbers {
  /** As process.hrtime() has it. */
  readonly monotonicMs: number
  readonly sequence: number
  /** Behind data, SYN and FIN. */
  readonly next: number
  readonly acknowledgment: number
  readonly sourcePort: number
}

export class Recorder {
  readonly #object = new KernelObject('recorder')

  /** Of both directions, at the end of the chain. */
  constructor({ netns, device }: Omit<HookPlace, 'direction'>) {
    try {
      for (const direction of ['ingress', 'egress'] as const)
        this.#object.hook('record', { ...(netns !== undefined && { netns }), device, direction, where: 'tcx-tail' })
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** Frames seen so far; fails when there were more than it keeps. */
  get frames(): number {
    const value = readMap(this.#object.maps.recorded!, key32(0))!
    const count = new DataView(value.buffer, value.byteOffset).getUint32(0, true)
    if (count > 0 && !readMap(this.#object.maps.frames!, key32(count - 1))) throw new Error(`${count} frames`)
    return count
  }

  /** Its beginning, up to 96 bytes, from the Ethernet header on. */
  frame(number: number): Buffer {
    const frame = this.#read(number)
    return frame.subarray(FRAME_HEAD_BYTES, FRAME_HEAD_BYTES + frame.readUInt32LE(12))
  }

  /** Of the newest TCP packet over plain IPv4 from this address. */
  lastTcp(from: string): TcpNumbers {
    const source = Buffer.from(parseAddress(from)!)
    for (let i = this.frames - 1; i >= 0; i--) {
      const frame = this.frame(i)
      if (frame.readUInt16BE(12) !== 0x0800 || frame[23] !== 6 || !frame.subarray(26, 30).equals(source)) continue
      const headers = 20 + (frame[46]! >> 4) * 4
      const length = frame.readUInt16BE(16) - headers + (frame[47]! & 1) + ((frame[47]! >> 1) & 1)
      const sequence = frame.readUInt32BE(38)
      const monotonicMs = Number(this.#read(i).readBigUInt64LE(0)) / 1e6
      return {
        monotonicMs,
        sequence,
        next: (sequence + length) >>> 0,
        acknowledgment: frame.readUInt32BE(42),
        sourcePort: frame.readUInt16BE(34),
      }
    }
    throw new Error(`no TCP packet from ${from}`)
  }

  /** The times are those since the machine has started. */
  write(file: string): void {
    const capture = new CaptureFile(file)
    for (let i = 0; i < this.frames; i++) {
      const frame = this.#read(i)
      capture.add(frame.readBigUInt64LE(0), this.frame(i), frame.readUInt32LE(8))
    }
    capture.close()
  }

  close(): void {
    this.#object.close()
  }

  #read(number: number): Buffer {
    return Buffer.from(readMap(this.#object.maps.frames!, key32(number))!)
  }
}
