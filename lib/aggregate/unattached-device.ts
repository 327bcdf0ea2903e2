// What a device counts while it is to be observed and is not: its own counters can be read all the same.
import type { Link, Place } from '../capture/flow-source.ts'
import type { InterfaceOwner } from './identity.ts'
import { type Direction, directions } from './interface-account.ts'

type Counts = Record<Direction, number>

export interface UnattachedDeviceParts {
  readonly owner: InterfaceOwner
  readonly subject: string
  /** It is there since it is to be observed, so that all it has counted was missed. Else what it counts from now on. */
  readonly isNew: boolean
  readonly nowMs: number
}

export class UnattachedDevice {
  /** A pod's name may be found after its device. */
  owner: InterfaceOwner
  /** Stands for its name while it has none; no two have the same. */
  readonly subject: string
  /** Wall clock: nothing is counted before. */
  readonly sinceMs: number
  /** Wall clock: it is attached, or gone. */
  endedAtMs: number | undefined
  readonly #isNew: boolean
  #last: Counts
  #unobserved: Counts = { transmit: 0, receive: 0 }

  constructor(counts: Counts, { owner, subject, isNew, nowMs }: UnattachedDeviceParts) {
    this.owner = owner
    this.subject = subject
    this.sinceMs = nowMs
    this.#isNew = isNew
    this.#last = { transmit: 0, receive: 0 }
    if (isNew) this.read(counts)
    else this.#last = counts
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
    for (const direction of directions) {
      const more = counts[direction] - this.#last[direction]
      this.#unobserved[direction] += more >= 0 ? more : counts[direction]
    }
    this.#last = counts
  }

  /** What the pod's device had counted when it was attached. `place`: of the device whose counts were read before. */
  readLast(counts: Counts, place: Place): void {
    // A new one's two ends both began at 0; of an old one the readings of two devices can't be compared.
    if (this.#isNew) for (const direction of directions) this.#atLeast(direction, counts[direction])
    else if (place === 'pod') this.read(counts)
  }

  #atLeast(direction: Direction, count: number): void {
    this.#unobserved[direction] = Math.max(this.#unobserved[direction], count)
  }
}

/** As the pod sees it: what the host's end receives the pod has sent. undefined: nobody read them. */
export function countsOf({ transmitPackets, receivePackets }: Link, place: Place): Counts | undefined {
  if (transmitPackets === undefined || receivePackets === undefined) return undefined
  return place === 'pod'
    ? { transmit: transmitPackets, receive: receivePackets }
    : { transmit: receivePackets, receive: transmitPackets }
}
