// What lies beside a case: one byte of its headers changed, its end cut off, the same as a super-packet or tagged.
import { type Circumstances, expectedOf } from '../packet-model.ts'
import type { Case } from './case.ts'
import { Random } from './random.ts'

/** Headers end before; what is behind them nobody reads. */
const MUTATED_BYTES = 144
const ETHERNET_BYTES = 14
/** The kernel makes no test skb that is shorter than the IP header which it announces, and cuts no super-packet. */
const SHORTEST_SUPER_PACKET = 60
const FLIP_ALL = 0xff

/** Each byte with all its bits flipped, and again with one of them. */
export function* mutations(of: Case, seed: number): Generator<Case> {
  const random = new Random(seed)
  for (let at = 0; at < Math.min(of.bytes.length, MUTATED_BYTES); at++)
    for (const bits of [FLIP_ALL, 1 << random.below(8)]) {
      const bytes = new Uint8Array(of.bytes)
      bytes[at]! ^= bits
      yield neighbour(of, `${of.name}, byte ${at} ^ ${bits}`, bytes)
    }
}

/** At every length. */
export function* truncations(of: Case): Generator<Case> {
  if (of.gsoSize) return
  for (let length = ETHERNET_BYTES; length < Math.min(of.bytes.length, MUTATED_BYTES); length++)
    yield neighbour(of, `${of.name}, the first ${length} bytes`, of.bytes.subarray(0, length))
}

/** As a super-packet of any segment size, and with its tag taken off. */
export function* variants(of: Case): Generator<Case> {
  if (of.gsoSize || of.bytes.length < SHORTEST_SUPER_PACKET) return
  for (const gsoSize of [1, 7, 1448, 0xffff])
    for (const gsoSegs of [0, 3]) yield variant(of, `${of.name}, segments of ${gsoSize}`, { gsoSize, gsoSegs })
  if (!of.metadataTag) yield variant(of, `${of.name}, tagged`, { metadataTag: true })
}

function variant(of: Case, name: string, circumstances: Circumstances): Case {
  const changed = { ...of, ...circumstances, name }
  return { ...changed, expected: expectedOf(of.bytes, changed) }
}

function neighbour(of: Case, name: string, bytes: Uint8Array): Case {
  const changed = { ...of, name, bytes }
  return { ...changed, valid: false, expected: expectedOf(bytes, of) }
}
