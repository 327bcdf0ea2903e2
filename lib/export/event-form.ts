// Spans or log records in the form that some receivers want: processed as their pipeline says, encoded once, put into their queues.
import type { EventEncoder } from '../encode/encoded-request.ts'
import { type Attributed, fitting, named } from '../signals/processed-events.ts'
import type { EventProcessing } from '../signals/processing.ts'
import type { MemoryLimiter } from './memory-limiter.ts'
import type { RequestQueue } from './request-queue.ts'

export interface OfTrace extends Attributed {
  readonly traceId?: string
}

export interface EventFormParts<Item> {
  readonly encoder: EventEncoder<Item>
  readonly queues: readonly RequestQueue[]
  readonly processing: EventProcessing
  /** Absent: there is always memory. */
  readonly limiter?: MemoryLimiter
}

/** Why items are lost. */
const NO_MEMORY = 'memory'

export class EventForm<Item extends OfTrace> {
  readonly queues: readonly RequestQueue[]
  readonly #parts: EventFormParts<Item>
  #batch: Item[] = []
  /** Of what is in the batch: resolves when it waits where it is to wait. */
  #flushed = Promise.withResolvers<void>()
  #timer: NodeJS.Timeout | undefined

  constructor(parts: EventFormParts<Item>) {
    this.#parts = parts
    this.queues = parts.queues
  }

  /** Resolves when they wait where they are to wait: with a storage, on disk. */
  push(lot: readonly Item[]): Promise<void> {
    const { processing, limiter } = this.#parts
    const items = this.#processed(lot)
    if (limiter?.refuses) return this.#lose(items.length)
    if (!processing.batch) return this.#tell(items)
    for (const item of items) this.#batch.push(item)
    const { promise } = this.#flushed
    if (this.#batch.length >= processing.batch.sendBatchSize) this.flush()
    else if (items.length > 0) this.#timer ??= setTimeout(() => this.flush(), processing.batch.timeoutMs)
    return items.length === 0 ? Promise.resolve() : promise
  }

  /** Nothing waits for more any longer. */
  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const { resolve, reject } = this.#flushed
    const items = this.#batch
    this.#batch = []
    this.#flushed = Promise.withResolvers<void>()
    this.#tell(items).then(resolve, reject)
  }

  #processed(lot: readonly Item[]): readonly Item[] {
    const { fits, naming } = this.#parts.processing
    const chosen = fits ? fitting(lot, fits) : lot
    return naming ? named(chosen, naming) : chosen
  }

  async #lose(items: number): Promise<void> {
    for (const { counts } of this.queues) {
      counts.produced += items
      counts.lose(items, NO_MEMORY)
    }
  }

  async #tell(items: readonly Item[]): Promise<void> {
    const { encoder, processing } = this.#parts
    const kept: Promise<void>[] = []
    for (const part of partsOf(items, processing.largestItems ?? Number.POSITIVE_INFINITY))
      for (const request of encoder.encode(part)) kept.push(...this.queues.map(queue => queue.push(request)))
    await Promise.all(kept)
  }
}

/** Parts of at most so many. Both ends of an edge follow each other, and stay together. */
export function* partsOf<Item extends OfTrace>(items: Iterable<Item>, largest: number): Generator<Item[]> {
  let part: Item[] = []
  for (const together of tracesOf(items, largest)) {
    if (part.length > 0 && part.length + together.length > largest) {
      yield part
      part = []
    }
    part.push(...together)
  }
  if (part.length > 0) yield part
}

function* tracesOf<Item extends OfTrace>(items: Iterable<Item>, largest: number): Generator<Item[]> {
  let together: Item[] = []
  for (const item of items) {
    const last = together.at(-1)
    const isOther = last && (item.traceId === undefined || item.traceId !== last.traceId)
    if (isOther || together.length >= largest) {
      yield together
      together = []
    }
    together.push(item)
  }
  if (together.length > 0) yield together
}
