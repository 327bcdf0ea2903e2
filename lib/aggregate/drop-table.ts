// Packets that the kernel dropped, by interface and by its reason: what the module "drops" has read so far.
import { type DropReading, OtherWatch } from '../capture/drop-source.ts'
import type { Attachment } from '../capture/flow-source.ts'
import type { InterfaceOwner } from './identity.ts'

/** Whose drops they are, as it was named when its watch began. */
export interface WatchedInterface {
  readonly attachment: Attachment
  readonly owner: InterfaceOwner | undefined
}

export type DropPlace = WatchedInterface | keyof typeof OtherWatch

/** One reason at one place. Grows in place, until its end. */
export interface DropCounter {
  readonly at: DropPlace
  readonly reason: string
  packets: number
  /** Set by the last reading of an interface that is gone. */
  endedAtMs: number | undefined
}

/** New counters for one reader, each once. */
export interface CounterQueue {
  take(): DropCounter[]
}

interface Watch {
  readonly at: DropPlace
  readonly counters: Map<string, DropCounter>
}

export class DropTable {
  readonly #watches = new Map<number, Watch>()
  readonly #queues: DropCounter[][] = []
  #uncounted = 0

  /** Of all packets those that are in no counter. */
  get uncounted(): number {
    return this.#uncounted
  }

  constructor() {
    for (const at of ['node', 'unknown'] as const) this.watched(OtherWatch[at], at)
  }

  watched(watch: number, at: DropPlace): void {
    this.#watches.set(watch, { at, counters: new Map() })
  }

  /** `ended`: the watches for which this reading is the last. */
  apply(reading: DropReading, readAtMs: number, ended: readonly number[] = []): void {
    this.#uncounted = reading.uncounted
    for (const { watch, reason, packets } of reading.counts) {
      const counter = this.#counter(watch, reason)
      if (counter) counter.packets = packets
    }
    for (const watch of ended) {
      for (const counter of this.#watches.get(watch)?.counters.values() ?? []) counter.endedAtMs = readAtMs
      this.#watches.delete(watch)
    }
  }

  /** Starts with the counters that there are. */
  counterQueue(): CounterQueue {
    let queue = [...this.#watches.values()].flatMap(({ counters }) => [...counters.values()])
    this.#queues.push(queue)
    const index = this.#queues.length - 1
    return {
      take: () => {
        const taken = queue
        this.#queues[index] = queue = []
        return taken
      },
    }
  }

  #counter(watch: number, reason: string): DropCounter | undefined {
    const found = this.#watches.get(watch)
    // Its last reading was the one before.
    if (!found) return undefined
    const known = found.counters.get(reason)
    if (known) return known
    const counter = { at: found.at, reason, packets: 0, endedAtMs: undefined }
    found.counters.set(reason, counter)
    for (const queue of this.#queues) queue.push(counter)
    return counter
  }
}
