// Numbers, bytes and packets by chance, the same ones for the same seed.
import type { Circumstances } from '../packet-model.ts'

export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** mulberry32. */
  u32(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let word = this.#state
    word = Math.imul(word ^ (word >>> 15), word | 1)
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61)
    return (word ^ (word >>> 14)) >>> 0
  }

  below(limit: number): number {
    return this.u32() % limit
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)]!
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.u32() & 255)
  }
}

const etherTypes = ['0800', '86dd', '8100', '88a8', '0806']
const protocols = [0, 1, 4, 6, 6, 17, 17, 33, 41, 43, 44, 47, 50, 51, 58, 60, 132, 136]
const tunnelPorts = [4789, 8472, 6081, 443]

/** Half of them have no meaning at all, the others claim to be something and lie in the details. */
export function randomPacket(random: Random): { bytes: Uint8Array } & Circumstances {
  const bytes = random.bytes(14 + random.below(140))
  const claim = random.below(6)
  if (claim > 0) bytes.set(Buffer.from(random.pick(etherTypes), 'hex'), 12)
  if (claim > 1) pretendIp(random, bytes)
  const isSuperPacket = bytes.length >= 60 && random.below(8) === 0
  return isSuperPacket ? { bytes, gsoSize: 1 + random.below(200), gsoSegs: random.below(5) } : { bytes }
}

function pretendIp(random: Random, bytes: Uint8Array): void {
  const isIPv6 = random.below(2) === 1
  const header = Buffer.alloc(isIPv6 ? 40 : 20)
  const rest = bytes.length - 14
  const lie = random.below(4) === 0 ? random.below(9) - 4 : 0
  if (isIPv6) {
    header[0] = 0x60
    header.writeUInt16BE(Math.max(0, rest - 40 + lie), 4)
    header[6] = random.pick(protocols)
  } else {
    header[0] = 0x40 | (random.below(4) === 0 ? random.below(16) : 5)
    header.writeUInt16BE(Math.max(0, rest + lie), 2)
    header[6] = random.below(8) === 0 ? random.below(256) : 0
    header[9] = random.pick(protocols)
  }
  const at = header.length + 14
  bytes.set(Buffer.from(isIPv6 ? '86dd' : '0800', 'hex'), 12)
  bytes.set(header.subarray(0, Math.max(0, rest)), 14)
  for (let i = at; i + 2 < bytes.length && i < at + 32; i += 8) {
    // What an extension header would have here, and often a length that fits.
    bytes[i] = random.pick(protocols)
    bytes[i + 1] = random.below(3)
  }
  const port = random.pick(tunnelPorts)
  if (random.below(3) === 0 && at + 4 <= bytes.length) bytes.set([port >> 8, port & 255], at + 2)
}
