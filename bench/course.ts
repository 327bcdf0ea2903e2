// The packets that programs are compared on: each course is one, and how bench/vary.bpf.c makes it another each time.
import { Tag, tcp, udp } from '../test/support/packet.ts'

const ETHERNET_BYTES = 14
const TAG_BYTES = 4
const IPV4_BYTES = 20
const IPV6_BYTES = 40
/** Wide open: a closed window is an event of its own. */
const WINDOW = 501
const OPTION_BYTES = 12
const SEGMENT_BYTES = 100

export const MANY_FLOWS = 65_536
/** More than a table holds: each packet is another flow's. */
const EACH_ANOTHER = 2 ** 24
const POD = '10.0.0.2'
const PEER = '11.0.0.1'

export interface Course {
  readonly name: string
  readonly packet: Uint8Array
  readonly flows: number
  readonly runs: number
  /** A round's value is the least of so many: short enough to fall between the machine's other work. */
  readonly windows: number
  /** What ratios are made of. In the cache a program has a floor, and what is above it is the machine's other work. */
  readonly by: 'minimum' | 'median of the rounds'
  /** `none`: the others' parser does not read these. */
  readonly compared: 'all' | 'baseline' | 'none'
  /** `struct course` of bench/vary.bpf.c. */
  readonly description: Uint8Array
}

interface Tcp {
  /** Bytes of each packet from the pod and to it. */
  readonly payload: readonly [number, number]
  /** Packets on the way until they are acknowledged. */
  readonly onTheWay: number
}

interface Shape {
  readonly packet: Uint8Array
  readonly ipAt?: number
  readonly ipOptionBytes?: number
  /** Courses with the same number and the same addresses have the same flows. */
  readonly peerPort: number
  readonly tcp?: Tcp
}

function inBigEndian(number: number): number {
  return ((number & 0xff) << 8) | (number >> 8)
}

/** 32-bit words behind the random number, in the order of the struct. */
function describe(flows: number, { packet, ipAt = ETHERNET_BYTES, ipOptionBytes = 0, peerPort, tcp }: Shape) {
  const isIPv6 = packet[ipAt]! >> 4 === 6
  const headerBytes = isIPv6 ? IPV6_BYTES : IPV4_BYTES + ipOptionBytes
  const lengthAt = ipAt + (isIPv6 ? 4 : 2)
  const most = tcp ? Math.max(...tcp.payload) : 0
  const full = (packet[lengthAt]! << 8) | packet[lengthAt + 1]!
  // Behind a shorter packet the frame goes on as padding.
  const lengths = (tcp?.payload ?? [0, 0]).map(payload => inBigEndian(full - most + payload))
  const words = [
    ...[0, 0, flows - 1, inBigEndian(peerPort)],
    ...(isIPv6 ? [ipAt + 20, ipAt + 36] : [ipAt + 12, ipAt + 16]),
    ...[lengthAt, ipAt + headerBytes],
    ...lengths,
    ...(tcp?.payload ?? [0, 0]),
    ...[most * (tcp?.onTheWay ?? 0), 0],
  ]
  return new Uint8Array(Uint32Array.of(0, 0, ...words).buffer)
}

function inTheCache(name: string, shape: Shape, compared: Course['compared'] = 'baseline'): Course {
  const description = describe(1, shape)
  return { name, packet: shape.packet, flows: 1, runs: 20_000, windows: 20, by: 'minimum', compared, description }
}

function manyFlows(name: string, shape: Shape, compared: Course['compared']): Course {
  const by = 'median of the rounds'
  const description = describe(MANY_FLOWS, shape)
  return { name, packet: shape.packet, flows: MANY_FLOWS, runs: 131_072, windows: 1, by, compared, description }
}

function newFlows(name: string, shape: Shape): Course {
  const by = 'median of the rounds'
  const description = describe(EACH_ANOTHER, shape)
  return { name, packet: shape.packet, flows: 0, runs: 60_000, windows: 1, by, compared: 'baseline', description }
}

const ports = { sourcePort: 1, destinationPort: 80 }
const between = { from: POD, to: PEER, ...ports }

function segment(payload: number, more: { tags?: number[]; optionBytes?: number; flags?: string } = {}): Uint8Array {
  const packet = Buffer.from(tcp({ ...between, tcpOptionBytes: OPTION_BYTES, payload, ...more }))
  packet.writeUInt16BE(WINDOW, packet.length - payload - OPTION_BYTES - 6)
  return packet
}

const segment6 = (() => {
  const addresses = { from: 'fd00::2', to: 'fd00::3' }
  const packet = Buffer.from(tcp({ ...addresses, ...ports, tcpOptionBytes: OPTION_BYTES, payload: SEGMENT_BYTES }))
  packet.writeUInt16BE(WINDOW, packet.length - SEGMENT_BYTES - OPTION_BYTES - 6)
  return packet
})()

const tagged = segment(SEGMENT_BYTES, { tags: [Tag.customer] })

/** Both sides send, and a round trip is sampled once in 32 packets of each, as bulk transfers have it. */
const streaming: Tcp = { payload: [SEGMENT_BYTES, SEGMENT_BYTES], onTheWay: 32 }
/** Every packet begins a sample or ends one. */
const sampled: Tcp = { payload: [SEGMENT_BYTES, 0], onTheWay: 0 }

/** Names of those that have a limit. */
export const IN_ORDER = 'TCP in order'
export const MANY = '64 k flows'

export const COURSES: readonly Course[] = [
  // 66 bytes, as an ACK has them that TCP sends with timestamps.
  inTheCache('ACKs', { packet: segment(0), peerPort: 80 }, 'all'),
  inTheCache(IN_ORDER, { packet: segment(SEGMENT_BYTES), peerPort: 81, tcp: streaming }),
  inTheCache('TCP, data and its ACK', { packet: segment(SEGMENT_BYTES), peerPort: 82, tcp: sampled }),
  inTheCache('TCP over IPv6', { packet: segment6, peerPort: 83, tcp: streaming }, 'none'),
  inTheCache('UDP', { packet: udp({ ...between, payload: SEGMENT_BYTES }), peerPort: 84 }),
  inTheCache('TCP, IPv4 options', {
    packet: segment(SEGMENT_BYTES, { optionBytes: 8 }),
    ipOptionBytes: 8,
    peerPort: 85,
    tcp: streaming,
  }),
  inTheCache('TCP, VLAN', { packet: tagged, ipAt: ETHERNET_BYTES + TAG_BYTES, peerPort: 86, tcp: streaming }, 'none'),
  manyFlows(MANY, { packet: segment(0), peerPort: 90 }, 'all'),
  // The same flows: the table has no room for as many again.
  manyFlows('64 k flows, data and its ACK', { packet: segment(SEGMENT_BYTES), peerPort: 90, tcp: sampled }, 'baseline'),
]

/** Each packet is another flow's first. */
export const NEW_FLOWS: readonly Course[] = [
  newFlows('new flows, UDP', { packet: udp({ ...between, payload: SEGMENT_BYTES }), peerPort: 91 }),
  newFlows('new flows, SYN', { packet: segment(0, { flags: 'S' }), peerPort: 92 }),
]
