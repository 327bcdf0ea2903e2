// Two ends of a TCP connection that number what they say as TCP does; a test changes the number where it is about that.
import { tcp } from '../support/packet.ts'
import type { CountedInterface } from './counted-interface.ts'

export type End = 'pod' | 'peer'

export interface Ends {
  readonly podPort?: number
  readonly peerPort?: number
  /** Initial sequence numbers. */
  readonly podStart?: number
  readonly peerStart?: number
}

export interface Segment {
  /** Another number than the next one: a retransmission, a gap. */
  readonly sequence?: number
  readonly acknowledgment?: number
  readonly payload?: number
  readonly window?: number
}

const ADDRESS = { pod: '10.0.0.1', peer: '10.0.0.2' }
const other = (end: End): End => (end === 'pod' ? 'peer' : 'pod')

export class Conversation {
  /** The number of the next byte of either end. */
  readonly next: Record<End, number>
  readonly ports: Readonly<Record<End, number>>
  readonly #counted: CountedInterface

  constructor(counted: CountedInterface, ends: Ends = {}) {
    this.#counted = counted
    this.next = { pod: ends.podStart ?? 1000, peer: ends.peerStart ?? 500_000 }
    this.ports = { pod: ends.podPort ?? 40_000, peer: ends.peerPort ?? 80 }
  }

  packet(end: End, flags: string, segment: Segment = {}): Uint8Array {
    const { sequence = this.next[end], acknowledgment = this.next[other(end)], payload = 0, window } = segment
    return tcp({
      from: ADDRESS[end],
      to: ADDRESS[other(end)],
      sourcePort: this.ports[end],
      destinationPort: this.ports[other(end)],
      flags,
      sequence,
      acknowledgment: flags.includes('A') ? acknowledgment : 0,
      payload,
      ...(window === undefined ? {} : { window }),
    })
  }

  says(end: End, flags: string, segment: Segment = {}): void {
    const packet = this.packet(end, flags, segment)
    if (end === 'pod') this.#counted.send(packet)
    else this.#counted.receive(packet)
    if (segment.sequence !== undefined) return
    this.next[end] = (this.next[end] + (segment.payload ?? 0) + count(flags, 'S') + count(flags, 'F')) >>> 0
  }

  pod(flags: string, segment?: Segment): void {
    this.says('pod', flags, segment)
  }

  peer(flags: string, segment?: Segment): void {
    this.says('peer', flags, segment)
  }

  /** The whole handshake. */
  open(opener: End): void {
    this.says(opener, 'S')
    this.says(other(opener), 'SA')
    this.says(opener, 'A')
  }

  close(first: End): void {
    this.says(first, 'FA')
    this.says(other(first), 'FA')
    this.says(first, 'A')
  }
}

function count(flags: string, flag: string): number {
  return flags.includes(flag) ? 1 : 0
}
