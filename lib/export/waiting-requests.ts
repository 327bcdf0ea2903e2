// What waits for one receiver, the oldest first, and what became of it. Bounded: beyond the bounds the oldest gives way. With
// a spool it is on disk, and there for the next agent.
import type { QueueConfig } from '../config/exporter-delivery.ts'
import type { EncodedRequest } from '../encode/encoded-request.ts'
import type { Log } from '../host/log.ts'
import { ItemCounts } from './item-counts.ts'
import type { OutageLog } from './outage-log.ts'
import type { SpooledRequest, SpoolFolder } from './spool-folder.ts'

/** Beside what a receiver says. */
export type LossReason = 'queue_full' | 'storage_full' | 'rejected' | 'refused' | 'given_up' | 'unreadable' | 'shutdown'

export interface Waiting {
  readonly items: number
  readonly bytes: number
  /** Absent: on disk. */
  body: Uint8Array | undefined
  /** Absent: in memory alone. */
  spooled: SpooledRequest | undefined
  /** Monotonic. */
  firstTriedMs?: number
}

export interface WaitingRequestsParts {
  readonly limits: Pick<QueueConfig, 'bytes' | 'items'>
  readonly spool?: SpoolFolder
  readonly storageOutages: OutageLog
  readonly log: Log
}

export class WaitingRequests {
  readonly counts = new ItemCounts()
  readonly #parts: WaitingRequestsParts
  /** In the order in which they are sent. */
  readonly #waiting = new Set<Waiting>()
  readonly #onDisk = new Map<SpooledRequest, Waiting>()
  /** One after the other. */
  #writing: Promise<void> = Promise.resolve()
  /** With the receiver now: it may have it already, so it does not give way. */
  underWay: Waiting | undefined

  constructor(parts: WaitingRequestsParts) {
    this.#parts = parts
    if (parts.spool) this.#takeOver(parts.spool)
  }

  get first(): Waiting | undefined {
    return this.#waiting.values().next().value
  }

  has(waiting: Waiting): boolean {
    return this.#waiting.has(waiting)
  }

  add({ body, items }: EncodedRequest): Waiting {
    const waiting: Waiting = { items, bytes: body.length, body, spooled: undefined }
    this.counts.begin(items, body.length)
    this.#waiting.add(waiting)
    this.#holdBounds()
    return waiting
  }

  /** Resolves when it is on disk, where there is a spool and a disk that takes it. */
  async keep(waiting: Waiting): Promise<void> {
    const { spool } = this.#parts
    if (!spool) return
    this.#writing = this.#writing.then(() => this.#write(waiting, spool))
    await this.#writing
  }

  /** undefined: it could not be read, and is lost. */
  async bodyOf(waiting: Waiting): Promise<Uint8Array | undefined> {
    const { spool, log } = this.#parts
    if (waiting.body || !spool || !waiting.spooled) return waiting.body
    try {
      waiting.body = await spool.read(waiting.spooled)
    } catch (error) {
      log.error(`storage ${spool.path}: ${waiting.items} items can't be read: ${(error as Error).message}`)
      this.lose(waiting, 'unreadable')
    }
    return waiting.body
  }

  delivered(waiting: Waiting, rejected: number): void {
    this.counts.delivered += waiting.items - rejected
    this.counts.lose(rejected, 'rejected' satisfies LossReason)
    this.#remove(waiting)
  }

  lose(waiting: Waiting, reason: LossReason): void {
    this.counts.lose(waiting.items, reason)
    this.#remove(waiting)
  }

  /** What is not on disk ends with the process. */
  loseMemory(): void {
    for (const waiting of this.#waiting) if (!waiting.spooled) this.lose(waiting, 'shutdown')
  }

  #takeOver(spool: SpoolFolder): void {
    for (const spooled of spool.requests) {
      const waiting = { items: spooled.items, bytes: spooled.bytes, body: undefined, spooled }
      this.counts.begin(spooled.items, spooled.bytes)
      this.#waiting.add(waiting)
      this.#onDisk.set(spooled, waiting)
    }
    spool.isHeld = request => this.underWay?.spooled === request
    spool.onGivenWay = request => {
      const waiting = this.#onDisk.get(request)
      if (waiting) this.lose(waiting, 'storage_full')
    }
    this.#holdBounds()
  }

  #holdBounds(): void {
    const { bytes, items } = this.#parts.limits
    const { queue } = this.counts
    for (const waiting of this.#waiting) {
      if (queue.bytes <= bytes && queue.items <= items) return
      if (waiting !== this.underWay) this.lose(waiting, 'queue_full')
    }
  }

  async #write(waiting: Waiting, spool: SpoolFolder): Promise<void> {
    const { storageOutages } = this.#parts
    const { body, items } = waiting
    if (!body || !this.has(waiting)) return
    try {
      const spooled = await spool.write(items, body)
      storageOutages.delivered()
      if (this.has(waiting)) this.#written(waiting, spooled)
      // Delivered, or gone, while it was written.
      else await spool.remove(spooled)
    } catch (error) {
      storageOutages.failed(error as Error)
    }
  }

  #written(waiting: Waiting, spooled: SpooledRequest): void {
    waiting.spooled = spooled
    this.#onDisk.set(spooled, waiting)
    // What is sent next need not be read again.
    if (waiting !== this.first) waiting.body = undefined
  }

  #remove(waiting: Waiting): void {
    const { items, bytes, spooled } = waiting
    this.#waiting.delete(waiting)
    this.counts.end(items, bytes)
    if (!spooled) return
    this.#onDisk.delete(spooled)
    void this.#parts.spool?.remove(spooled)
  }
}
