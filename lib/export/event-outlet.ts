// One signal's way to all of its receivers. What goes to several in the same form is encoded once.
import { setImmediate } from 'node:timers/promises'
import type { EventEncoder } from '../encode/encoded-request.ts'
import type { RequestQueue } from './request-queue.ts'
import { within } from './time-limit.ts'

/** An encoder, and the queues of those who want its form. */
export interface EventForm<Item> {
  readonly encoder: EventEncoder<Item>
  readonly queues: readonly RequestQueue[]
}

interface OfTrace {
  readonly traceId?: string
}

/** Some milliseconds of encoding: between one lot and the next others have their turn. */
const LOT = 1000

export class EventOutlet<Item extends OfTrace> {
  readonly #forms: readonly EventForm<Item>[]
  #pushing: Promise<unknown> = Promise.resolve()

  constructor(forms: readonly EventForm<Item>[]) {
    this.#forms = forms
  }

  get queues(): readonly RequestQueue[] {
    return this.#forms.flatMap(({ queues }) => queues)
  }

  /** Resolves when all of it waits where it is to wait: with a storage, on disk. One after the other. */
  push(items: Iterable<Item>): Promise<void> {
    const pushed = this.#pushing.then(() => this.#pushLots(items))
    this.#pushing = pushed
    return pushed
  }

  /** Items that were to be told and could not be made. */
  lost(items: number, reason: string): void {
    for (const { counts } of this.queues) {
      counts.produced += items
      counts.lose(items, reason)
    }
  }

  /** What is left in the time is on disk, or lost. */
  async close(timeoutMs: number): Promise<void> {
    await within(timeoutMs, this.#pushing)
    await Promise.all(this.queues.map(queue => queue.close(timeoutMs)))
  }

  async #pushLots(items: Iterable<Item>): Promise<void> {
    const kept: Promise<void>[] = []
    for (const lot of lotsOf(items)) {
      for (const { encoder, queues } of this.#forms)
        for (const request of encoder.encode(lot)) kept.push(...queues.map(queue => queue.push(request)))
      await setImmediate()
    }
    await Promise.all(kept)
  }
}

/** Both ends of an edge, which follow each other, stay together. */
function* lotsOf<Item extends OfTrace>(items: Iterable<Item>): Generator<Item[]> {
  let lot: Item[] = []
  for (const item of items) {
    if (lot.length >= LOT && (item.traceId === undefined || item.traceId !== lot.at(-1)!.traceId)) {
      yield lot
      lot = []
    }
    lot.push(item)
  }
  if (lot.length > 0) yield lot
}
