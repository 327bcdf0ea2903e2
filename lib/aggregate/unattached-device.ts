// What a device counts while it is to be observed and is not: its own counters can be read all the same.
import type { Link, Place } from '../capture/flow-source.ts'
import type { InterfaceOwner } from './identity.ts'
import type { Direction } from './interface-account.ts'

type Counts = Record<Direction, number>

export class UnattachedDevice {
  readonly owner: InterfaceOwner
  /** Wall clock: nothing is counted before. */
  readonly sinceMs: number
  /** Wall clock: it is attached, or gone. */
  endedAtMs: number | undefined
  #last: Counts
  #unobserved: Counts = { transmit: 0, receive: 0 }

  constructor(owner: InterfaceOwner, counts: Counts, nowMs: number) {
    this.owner = owner
    this.sinceMs = nowMs
    this.#last = counts
  }

  /** Since it is to be observed. Never falls. */
  get unobserved(): Readonly<Counts> {
    return this.#unobserved
  }

  get hasCounted(): boolean {
    return this.#unobserved.transmit + this.#unobserved.receive > 0
  }

  /** A counter that fell has begun anew. */
  read(counts: Counts): void {
    for (const direction of ['transmit', 'receive'] as const) {
      const more = counts[direction] - this.#last[direction]
      this.#unobserved[direction] += more >= 0 ? more : counts[direction]
    }
    this.#last = counts
  }
}

/** As the pod sees it: what the host's end receives the pod has sent. undefined: nobody read them. */
export function countsOf({ transmitPackets, receivePackets }: Link, place: Place): Counts | undefined {
  if (transmitPackets === undefined || receivePackets === undefined) return undefined
  return place === 'pod'
    ? { transmit: transmitPackets, receive: receivePackets }
    : { transmit: receivePackets, receive: transmitPackets }
}
