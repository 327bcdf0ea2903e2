// The packets that every kernel gets and what each must be counted as, in the form that corpus_file.cc reads.
import { flowPackets, otherPackets, randomPackets } from '../ebpf/corpus.ts'
import { tcp, udp } from '../support/packet.ts'
import { type Gso, type Outcome, outcomeOf } from './outcome.ts'

const RANDOM_PACKETS = 400
const SEED = 510
const Direction = { fromPod: 0, toPod: 1 } as const

/** How a packet comes before the programs: by the kernel's test run, or from one end of a veth pair to the other. */
const Way = { testRun: 0, veth: 1 } as const

interface CorpusPacket {
  readonly name: string
  readonly packet: Uint8Array
  readonly gso?: Gso
}

interface Group {
  readonly fact: string
  readonly way: number
  readonly packets: readonly CorpusPacket[]
}

const v4 = { from: '10.0.0.1', to: '10.0.0.2', sourcePort: 40_000, destinationPort: 80 }
const v6 = { ...v4, from: 'fd00::1', to: 'fd00::2' }
const gsoPayload = 3000
const gsoSizes = [500, 999, 1000, 1001, 1448]
/** What the network stack would not let pass. */
const oddGsoSizes = [1, gsoPayload]
const random = randomPackets(RANDOM_PACKETS, SEED).map((packet, i) => ({ name: `${i}`, packet }))

const groups: readonly Group[] = [
  { fact: 'counts each packet of the corpus in its flow', way: Way.testRun, packets: named(flowPackets) },
  { fact: 'counts what is in no flow by itself', way: Way.testRun, packets: named(otherPackets) },
  {
    fact: 'counts a GSO buffer as the packets that it is',
    way: Way.testRun,
    packets: gsoPackets([...gsoSizes, ...oddGsoSizes]),
  },
  { fact: 'counts bytes without meaning', way: Way.testRun, packets: random },
  { fact: 'counts each packet of the corpus in its flow over a veth', way: Way.veth, packets: named(flowPackets) },
  { fact: 'counts what is in no flow by itself over a veth', way: Way.veth, packets: named(otherPackets) },
  { fact: 'counts a GSO buffer as the packets that it is over a veth', way: Way.veth, packets: gsoPackets(gsoSizes) },
  { fact: 'counts bytes without meaning over a veth', way: Way.veth, packets: random },
]

export const corpusFacts = groups.map(({ fact }) => fact)

/** See `struct CorpusRecord` of corpus_file.h. */
export function corpusFile(): Buffer {
  const parts = [u16(groups.length), ...corpusFacts.flatMap(text)]
  groups.forEach(({ way, packets }, fact) => {
    for (const packet of packets)
      for (const direction of Object.values(Direction)) parts.push(record(fact, way, packet, direction))
  })
  return Buffer.concat(parts)
}

function named(packets: ReadonlyMap<string, Uint8Array>): CorpusPacket[] {
  return [...packets].map(([name, packet]) => ({ name, packet }))
}

function gsoPackets(sizes: readonly number[]): CorpusPacket[] {
  const packets = [v4, v6].flatMap(end => {
    const options = { ...end, payload: gsoPayload }
    return [tcp(options), tcp({ ...options, tcpOptionBytes: 12 }), udp(options)]
  })
  return packets.flatMap((packet, i) =>
    sizes.map(size => ({
      name: `the ${i + 1}. packet in segments of ${size}`,
      packet,
      gso: { size, segments: Math.ceil(gsoPayload / size) },
    })),
  )
}

function record(fact: number, way: number, { name, packet, gso }: CorpusPacket, direction: number): Buffer {
  // A receiver takes the first tag off before the programs see the packet.
  const outcome = outcomeOf(packet, gso, way === Way.veth && direction === Direction.toPod)
  const nameBytes = Buffer.from(name)
  const sizes = [u16(nameBytes.length), u32(packet.length), u32(gso?.size ?? 0), u32(gso?.segments ?? 0)]
  return Buffer.concat([u16(fact), Buffer.of(way), ...sizes, expectation(outcome, direction), nameBytes, packet])
}

/** Local is the pod's end: the source of what it sends. */
function expectation({ packetClass, packets, bytes, flow }: Outcome, direction: number): Buffer {
  const counts = [Buffer.of(direction, packetClass), u32(packets), u32(bytes)]
  if (!flow) return Buffer.concat([...counts, Buffer.alloc(39)])
  const ends = [
    { port: flow.sourcePort, address: flow.source },
    { port: flow.destinationPort, address: flow.destination },
  ]
  const [local, remote] = direction === Direction.fromPod ? ends : ends.toReversed()
  const key = Buffer.of(flow.family, flow.protocol, flow.flags)
  return Buffer.concat([...counts, key, u16(local!.port), u16(remote!.port), local!.address, remote!.address])
}

function text(words: string): Buffer[] {
  const bytes = Buffer.from(words)
  return [u16(bytes.length), bytes]
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16LE(value)
  return bytes
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
