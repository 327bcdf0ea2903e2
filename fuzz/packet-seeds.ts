// Where fuzzing of packets begins: every packet that the tests of the kernel programs know, and conversations.
import { allPackets } from '../test/ebpf/corpus.ts'
import { udp } from '../test/support/packet.ts'
import { freeRetired, overwrite, record, retire } from './record.ts'
import { another, connection, conversations, out, superPacket } from './tcp-seeds.ts'
import { tunnels } from './tunnel-seeds.ts'

/** The Ethernet header and nothing else: whatever follows has to be loaded. */
const ETHERNET_BYTES = 14
const flow = (id: number) => record(udp({ ...out, sourcePort: id }))
const every = [...allPackets.values()].map(packet => record(packet))
/** Numbers of helper calls that something may happen at. */
const calls = Array.from({ length: 24 }, (_, i) => i + 1)

export function parseSeeds(): Map<string, Uint8Array> {
  const seeds = tunnels()
  for (const [name, packet] of allPackets) {
    seeds.set(name, record(packet))
    seeds.set(`${name}, not linear`, record(packet, { linearBytes: ETHERNET_BYTES, toPod: true }))
    seeds.set(`${name}, segments`, record(packet, { ...superPacket, tagInMetadata: true }))
  }
  return seeds
}

export function observeSeeds(): Map<string, Uint8Array> {
  const again = (call: number) => another({ interruptedAt: call })
  return new Map([
    ['every packet', table(8, ...every)],
    ['every tunnel', table(8, ...tunnels().values())],
    ['every packet, both ways', table(8, ...[...allPackets.values()].flatMap(packet => both(packet)))],
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
    ['every packet', table(8, ...every, drain, later(44), drain)],
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

function both(packet: Uint8Array): Uint8Array[] {
  return [record(packet, { otherInterface: true }), record(packet, { toPod: true, linearBytes: ETHERNET_BYTES })]
}
