// Where fuzzing of packets begins: every packet that the tests of the kernel programs know, and conversations.
import { type Case, cases } from '../test/ebpf/corpus.ts'
import { udp } from '../test/support/packet.ts'
import { freeRetired, overwrite, type RecordOptions, record, retire, ZERO_UNIT_BYTES } from './record.ts'
import { another, connection, conversations, out } from './tcp-seeds.ts'

/** The Ethernet header and nothing else: whatever follows has to be loaded. */
const ETHERNET_BYTES = 14
const flow = (id: number) => record(udp({ ...out, sourcePort: id }))
/** Of each input that has them all together. */
const PACKETS_AT_ONCE = 24
/** Numbers of helper calls that something may happen at. */
const calls = Array.from({ length: 24 }, (_, i) => i + 1)

export function parseSeeds(): Map<string, Uint8Array> {
  const seeds = new Map<string, Uint8Array>()
  for (const [i, each] of [...cases({ series: false })].entries()) {
    seeds.set(`packet ${i}`, recordOf(each))
    seeds.set(`packet ${i}, not linear`, recordOf(each, { linearBytes: ETHERNET_BYTES, toPod: true }))
  }
  return seeds
}

export function observeSeeds(): Map<string, Uint8Array> {
  const again = (call: number) => another({ interruptedAt: call })
  return new Map([
    ...everyPacket(each => [recordOf(each), recordOf(each, { toPod: true, linearBytes: ETHERNET_BYTES })]),
    ...[...conversations()].map(([name, records]): [string, Uint8Array] => [name, table(8, ...records)]),
    ['connections in one slot', table(1, ...connection(), ...another({ elapsedNs: 2 ** 33 }))],
    ['a flow too many', table(1, flow(1), flow(2), flow(3), retire(0), freeRetired(), flow(2))],
    ['a flow that comes back', table(8, flow(1), retire(0), flow(1), freeRetired(), flow(1))],
    ...calls.flatMap((call): [string, Uint8Array][] => [
      [`two CPUs, one flow, call ${call}`, table(4, interrupted(call), flow(1))],
      [`two CPUs, one connection, call ${call}`, table(4, ...connection(), ...again(call))],
      [`retired meanwhile, call ${call}`, table(4, flow(1), interrupted(call), retire(0), freeRetired(), flow(1))],
      [`a connection retired meanwhile, call ${call}`, table(4, ...connection(), again(call)[0]!, retire(0))],
      [`an index that takes nothing, call ${call}`, table(4, ...connection(), ...another({ indexFailsAt: call }))],
    ]),
  ])
}

export function drainSeeds(): Map<string, Uint8Array> {
  const drain = freeRetired()
  const later = (log2: number) => freeRetired({ elapsedNs: 2 ** log2 })
  const all = [...conversations()]
  return new Map([
    ...everyPacket(each => [recordOf(each, { otherInterface: true })], [drain, later(44), drain]),
    ...all.map(([name, records]): [string, Uint8Array] => [
      `${name}, drained after each packet`,
      table(8, ...records.flatMap(packet => [packet, drain]), later(34), drain, later(42), drain),
    ]),
    ['an interface that goes', table(8, flow(1), drain, retire(0), flow(1), drain, flow(1), retire(0), drain)],
    ['connections in one slot', table(1, ...connection(), drain, ...another(), drain, later(33))],
    ['slots that any bytes are in', table(8, flow(1), drain, overwrite(0, Buffer.alloc(64, 0x46)), drain, later(44))],
    ...calls.flatMap((call): [string, Uint8Array][] => [
      [
        `a packet in the middle of a drain, call ${call}`,
        table(4, flow(1), flow(2), drain, freeRetired({ elapsedNs: 2 ** 35, interruptedAt: call }), flow(1), drain),
      ],
      [
        `a drain in the middle of a packet, call ${call}`,
        table(4, flow(1), flow(2), ...connection(), drain, interrupted(call, 2 ** 35), drain, flow(2), drain),
      ],
    ]),
  ])
}

/** So many slots, then the records. */
function table(slots: number, ...records: Uint8Array[]): Uint8Array {
  return Buffer.concat([Uint8Array.of(slots - 1), ...records])
}

/** By the next record. */
function interrupted(call: number, elapsedNs = 0): Uint8Array {
  return record(udp({ ...out, sourcePort: 1 }), { interruptedAt: call, elapsedNs })
}

/** The corpus in inputs of some packets. */
function everyPacket(records: (each: Case) => Uint8Array[], end: Uint8Array[] = []): [string, Uint8Array][] {
  const all = [...cases({ series: false })]
  return Array.from({ length: Math.ceil(all.length / PACKETS_AT_ONCE) }, (_, i) => {
    const some = all.slice(i * PACKETS_AT_ONCE, (i + 1) * PACKETS_AT_ONCE)
    return [`packets from ${i * PACKETS_AT_ONCE} on`, table(8, ...some.flatMap(records), ...end)]
  })
}

/** Zeros at a packet's end take no space. */
function recordOf(
  { bytes, gsoSize = 0, gsoSegs = 0, metadataTag = false }: Case,
  options: RecordOptions = {},
): Uint8Array {
  const zeros = bytes.length - (bytes.findLastIndex(byte => byte !== 0) + 1)
  const left = zeros - (zeros % ZERO_UNIT_BYTES)
  const how = { gsoSize, gsoSegs, tagInMetadata: metadataTag, zeros: left, ...options }
  return record(bytes.subarray(0, bytes.length - left), how)
}
