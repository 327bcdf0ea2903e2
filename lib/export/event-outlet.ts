// One signal's way to all of its receivers. What goes to several in the same form is encoded once.
import { setImmediate } from 'node:timers/promises'
import { type EventForm, type OfTrace, partsOf } from './event-form.ts'
import type { RequestQueue } from './request-queue.ts'
import { within } from './time-limit.ts'

/** Some milliseconds of encoding: between one lot and the next others have their turn. */
const LOT = 1000

export class EventOutlet<Item extends OfTrace> {
  readonly #forms: readonly EventForm<Item>[]
  /** Ends with the last lot's way into its forms. */
  #pushing: Promise<unknown> = Promise.resolve()

  constructor(forms: readonly EventForm<Item>[]) {
    this.#forms = forms
  }

  get queues(): readonly RequestQueue[] {
    return this.#forms.flatMap(({ queues }) => queues)
  }

  /** Resolves when all of it waits where it is to wait: with a storage, on disk. One after the other. */
  async push(items: Iterable<Item>): Promise<void> {
    const kept: Promise<void>[] = []
    const pushed = this.#pushing.then(() => this.#pushLots(items, kept))
    this.#pushing = pushed
    await pushed
    await Promise.all(kept)
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
    for (const form of this.#forms) form.flush()
    await Promise.all(this.queues.map(queue => queue.close(timeoutMs)))
  }

  async #pushLots(items: Iterable<Item>, kept: Promise<void>[]): Promise<void> {
    for (const lot of partsOf(items, LOT)) {
      for (const form of this.#forms) kept.push(form.push(lot))
      await setImmediate()
    }
  }
}
