// The packets that every kernel gets and what each must be counted as, in the form that corpus_file.cc reads.
import { packetClasses } from '../../lib/capture/flow-batch.ts'
import type { Case } from '../ebpf/corpus/case.ts'
import { isSendable } from '../ebpf/corpus/passage.ts'
import { receivedOf } from '../ebpf/corpus/received.ts'
import { cases, randomCases } from '../ebpf/corpus.ts'
import { type Expected, expectedOf } from '../ebpf/packet-model.ts'
import { tcp, udp } from '../support/packet.ts'

const RANDOM_PACKETS = 400
const SEED = 510
const LARGEST_FRAME_BYTES = 1514
const Direction = { fromPod: 0, toPod: 1 } as const

/** How a packet comes before the programs: by the kernel's test run, or from one end of a veth pair to the other. */
const Way = { testRun: 0, veth: 1 } as const

interface Group {
  readonly fact: string
  readonly way: number
  readonly packets: readonly Case[]
}

const v4 = { from: '10.0.0.1', to: '10.0.0.2', sourcePort: 40_000, destinationPort: 80 }
const v6 = { ...v4, from: 'fd00::1', to: 'fd00::2' }
const gsoPayload = 3000
const gsoSizes = [500, 999, 1000, 1001, 1448]
/** A test run can't set a tag in metadata. */
const runnable = [...cases({ series: false })].filter(({ metadataTag }) => !metadataTag)
const superPackets = runnable.filter(({ gsoSize }) => gsoSize)
const inFlow = runnable.filter(({ gsoSize, expected }) => !gsoSize && expected.flow)
const other = runnable.filter(({ gsoSize, expected }) => !gsoSize && !expected.flow)
const random = randomCases(RANDOM_PACKETS, SEED)

const groups: readonly Group[] = [
  { fact: 'counts each packet of the corpus in its flow', way: Way.testRun, packets: inFlow },
  { fact: 'counts what is in no flow by itself', way: Way.testRun, packets: other },
  { fact: 'counts a GSO buffer as the packets that it is', way: Way.testRun, packets: superPackets },
  { fact: 'counts bytes without meaning', way: Way.testRun, packets: random },
  { fact: 'counts each packet of the corpus in its flow over a veth', way: Way.veth, packets: sendable(inFlow) },
  { fact: 'counts what is in no flow by itself over a veth', way: Way.veth, packets: sendable(other) },
  { fact: 'counts a GSO buffer as the packets that it is over a veth', way: Way.veth, packets: gsoPackets() },
  { fact: 'counts bytes without meaning over a veth', way: Way.veth, packets: sendable(random) },
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

function sendable(packets: readonly Case[]): Case[] {
  return packets.filter(each => isSendable(each) && !each.gsoSize && each.bytes.length <= LARGEST_FRAME_BYTES)
}

function gsoPackets(): Case[] {
  const packets = [v4, v6].flatMap(end => {
    const options = { ...end, payload: gsoPayload }
    return [tcp(options), tcp({ ...options, tcpOptionBytes: 12 }), udp(options)]
  })
  return packets.flatMap((bytes, i) =>
    gsoSizes.map(gsoSize => {
      const gso = { gsoSize, gsoSegs: Math.ceil(gsoPayload / gsoSize) }
      const name = `the ${i + 1}. packet in segments of ${gsoSize}`
      return { name, bytes, valid: true, ...gso, expected: expectedOf(bytes, gso) }
    }),
  )
}

function record(fact: number, way: number, sent: Case, direction: number): Buffer {
  const { name, bytes, gsoSize = 0, gsoSegs = 0 } = sent
  // A receiver takes the first tag off before the programs see the packet; what it drops there the guest leaves out.
  const seen = way === Way.veth && direction === Direction.toPod ? (receivedOf(sent) ?? sent) : sent
  const nameBytes = Buffer.from(name)
  const sizes = [u16(nameBytes.length), u32(bytes.length), u32(gsoSize), u32(gsoSegs)]
  return Buffer.concat([u16(fact), Buffer.of(way), ...sizes, expectation(seen.expected, direction), nameBytes, bytes])
}

/** Local is the pod's end: the source of what it sends. */
function expectation({ class: packetClass, packets, bytes, flow }: Expected, direction: number): Buffer {
  const counts = [Buffer.of(direction, packetClasses.indexOf(packetClass)), u32(packets), u32(bytes)]
  if (!flow) return Buffer.concat([...counts, Buffer.alloc(39)])
  const ends = [
    { port: flow.sourcePort, address: flow.source },
    { port: flow.destinationPort, address: flow.destination },
  ]
  const [local, remote] = direction === Direction.fromPod ? ends : ends.toReversed()
  const key = Buffer.of(flow.family, flow.protocol, flow.flags)
  const addresses = [local, remote].map(end => address(end!.address))
  return Buffer.concat([...counts, key, u16(local!.port), u16(remote!.port), ...addresses])
}

/** An IPv4 address in the first four of sixteen bytes. */
function address(hexadecimal: string): Buffer {
  return Buffer.from(hexadecimal.padEnd(32, '0'), 'hex')
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
