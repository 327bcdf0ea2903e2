// TCP conversations for the fuzzers to change: each has something in it that the kernel programs follow.
import { icmp, tcp, udp } from '../test/support/packet.ts'
import { type RecordOptions, record } from './record.ts'

const ends = { from: '10.0.0.1', to: '10.0.0.2' }
export const out = { ...ends, sourcePort: 40_000, destinationPort: 80 }
const back = { from: ends.to, to: ends.from, sourcePort: out.destinationPort, destinationPort: out.sourcePort }

const ETHERNET_BYTES = 14
const WINDOW = 1000
const ROUND_TRIP_NS = 2 ** 20
const ends6 = { from: 'fd00::1', to: 'fd00::2' }
const UNREACHABLE = 3
const UNREACHABLE6 = 1
/** Maximum segment size, window scale 7 behind a NOP, selective acknowledgments. */
const SYN_OPTIONS = Uint8Array.of(2, 4, 5, 180, 1, 3, 3, 7, 4, 2, 0, 0)

interface Segment {
  readonly flags?: string
  readonly sequence?: number
  readonly acknowledgment?: number
  readonly window?: number
  readonly payload?: number
  readonly tcpOptionBytes?: Uint8Array
}

export const superPacket: RecordOptions = { gsoSize: 1448, gsoSegs: 5, zeros: 6400 }

const sends = (what: Segment, options: RecordOptions = {}) =>
  record(tcp({ ...out, window: WINDOW, ...what }), { elapsedNs: ROUND_TRIP_NS, ...options })
const gets = (what: Segment) =>
  record(tcp({ ...back, window: WINDOW, ...what }), { elapsedNs: ROUND_TRIP_NS, toPod: true })

/** The pod opens. What it sends next is `first` + 1, what it gets next 901. */
function handshake(options: RecordOptions = {}, first = 100): Uint8Array[] {
  return [
    sends({ flags: 'S', sequence: first, tcpOptionBytes: SYN_OPTIONS }, options),
    gets({ flags: 'SA', sequence: 900, acknowledgment: first + 1, tcpOptionBytes: SYN_OPTIONS }),
    sends({ sequence: first + 1, acknowledgment: 901 }),
  ]
}

/** From the first SYN to the last ACK. */
export function connection(options: RecordOptions = {}, first = 100): Uint8Array[] {
  const last = first + 6401
  return [
    ...handshake(options, first),
    sends({ flags: 'PA', sequence: first + 1, acknowledgment: 901 }, superPacket),
    gets({ sequence: 901, acknowledgment: last }),
    sends({ flags: 'FA', sequence: last, acknowledgment: 901 }),
    gets({ flags: 'FA', sequence: 901, acknowledgment: last + 1 }),
    sends({ sequence: last + 1, acknowledgment: 902 }),
  ]
}

/** Another one on the same addresses and ports. */
export function another(options: RecordOptions = {}): Uint8Array[] {
  return connection(options, 50_000)
}

/** By name; all use the same addresses and ports. */
export function conversations(): Map<string, Uint8Array[]> {
  const data = (sequence: number) => sends({ flags: 'PA', sequence, acknowledgment: 901, payload: 100 })
  const ack = (acknowledgment: number, window = WINDOW) => gets({ sequence: 901, acknowledgment, window })
  return new Map([
    ['a connection', connection()],
    ['another on the same ports', [...connection(), ...another({ elapsedNs: 2 ** 33 })]],
    ['another, which no FIN announces', [...handshake(), sends({ flags: 'S', sequence: 70_000 }), ...answer(70_000)]],
    ['data sent again', [...handshake(), data(101), data(101), data(201), ack(301), data(101)]],
    ['data out of order', [...handshake(), data(101), data(401), ack(201), ack(201), data(301), data(201), ack(501)]],
    ['a closed window', [...handshake(), data(101), ack(201, 0), sends({ flags: 'A', sequence: 200 }), ack(201)]],
    ['a keep-alive', [...handshake(), data(101), ack(201), sends({ sequence: 200, payload: 1 }), ack(201)]],
    ['a refusal', [sends({ flags: 'S', sequence: 100 }), gets({ flags: 'RA', acknowledgment: 101 })]],
    ['a reset', [...handshake(), gets({ flags: 'R', sequence: 901 }), sends({ flags: 'S', sequence: 5 })]],
    ['both open', [sends({ flags: 'S', sequence: 100 }), gets({ flags: 'S', sequence: 900 }), ...answer(100)]],
    ['no beginning', [data(101), ack(201), data(201), gets({ flags: 'FA', sequence: 901 })]],
    ['a datagram that nobody takes', refused(udp(out))],
    ['a datagram over IPv6 that nobody takes', refused(udp({ ...out, ...ends6 }))],
    ['a SYN that nobody takes', refused(tcp({ ...out, flags: 'S' }))],
  ])
}

function answer(sequence: number): Uint8Array[] {
  return [
    gets({ flags: 'SA', sequence: 80_000, acknowledgment: sequence + 1 }),
    sends({ sequence: sequence + 1, acknowledgment: 80_001 }),
  ]
}

/** A packet, and what a router says of it. */
function refused(packet: Uint8Array): Uint8Array[] {
  const quoted = { payload: packet.slice(ETHERNET_BYTES) }
  const error =
    packet[ETHERNET_BYTES]! >> 4 === 4
      ? icmp({ from: '10.0.0.254', to: ends.from, type: UNREACHABLE, ...quoted })
      : icmp({ from: 'fd00::fe', to: ends6.from, type: UNREACHABLE6, ...quoted })
  return [record(packet), record(error, { toPod: true })]
}
