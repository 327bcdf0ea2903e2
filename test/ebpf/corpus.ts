// The corpus: a packet of every class and kind, its neighbours, and random bytes, each with what it counts as.
import { Addresses, type Case, Chapter, caseOf, type Written } from './corpus/case.ts'
import { writeIPv4 } from './corpus/internet4.ts'
import { writeIPv6 } from './corpus/internet6.ts'
import { writeFrames } from './corpus/link.ts'
import { mutations, truncations, variants } from './corpus/neighbours.ts'
import { Random, randomPacket } from './corpus/random.ts'
import { writeSuperPackets } from './corpus/super-packets.ts'
import { writeTransports } from './corpus/transports.ts'
import { expectedOf } from './packet-model.ts'

export type { Case } from './corpus/case.ts'

const SEED = 20_261_121
const RANDOM_PACKETS = 10_000
const chapters = {
  frame: writeFrames,
  'internet 4': writeIPv4,
  'internet 6': writeIPv6,
  transport: writeTransports,
  'super-packet': writeSuperPackets,
}

/** As they are written down, with the class by hand. */
export function writtenCases(): Written[] {
  const addresses = new Addresses()
  return Object.entries(chapters).flatMap(([title, write]) => {
    const chapter = new Chapter(title, addresses)
    write(chapter)
    return chapter.cases
  })
}

/** Each kind once: some thousand packets. Without `series` only a few of those that differ in one field. */
export function* cases({ series = true } = {}): Generator<Case> {
  for (const written of writtenCases()) if (series || !written.inSeries) yield caseOf(written)
}

/** By chance, and the same ones for the same seed. */
export function randomCases(count: number, seed = SEED): Case[] {
  const random = new Random(seed)
  return Array.from({ length: count }, (_, i) => {
    const packet = randomPacket(random)
    return { name: `random packet ${i}`, valid: false, ...packet, expected: expectedOf(packet.bytes, packet) }
  })
}

/** A case, and all that lies beside it. */
export interface Group {
  readonly name: string
  readonly members: readonly Case[]
}

/** The whole corpus: what is written down with its neighbours, then packets by chance. */
export function* groups(): Generator<Group> {
  for (const [i, written] of writtenCases().entries()) {
    const first = caseOf(written)
    const beside = written.inSeries ? [] : [...variants(first), ...mutations(first, SEED + i), ...truncations(first)]
    yield { name: first.name, members: [first, ...beside] }
  }
  yield { name: 'random packets', members: randomCases(RANDOM_PACKETS) }
}
