// Metrics on their way to one receiver: collected on a clock of their own, told in as many requests as it takes, one under
// way at a time. What was not acknowledged is collected again, with newer values.

import type { RetryConfig } from '../config/exporter-delivery.ts'
import { LARGEST_REQUEST } from '../encode/encoded-request.ts'
import type { MetricEncoder } from '../encode/metric-encoder.ts'
import type { Clock } from '../host/clock.ts'
import type { Log } from '../host/log.ts'
import type { Collection } from '../signals/collection.ts'
import { ItemCounts } from './item-counts.ts'
import { OutageLog } from './outage-log.ts'
import { RetryBackOff } from './retry-back-off.ts'
import type { Sender, SendOutcome } from './sender.ts'
import { within } from './time-limit.ts'

export interface MetricSource {
  /** All that the receiver is to hear. Not asked again before the last request was answered. */
  collect(): Promise<Collection>
  /** The receiver has the whole of the newest collection. */
  delivered(): void
}

export interface MetricOutletParts {
  readonly id: string
  readonly source: MetricSource
  readonly encoder: MetricEncoder
  readonly sender: Sender
  readonly isDelta: boolean
  readonly intervalMs: number
  /** Points of one request; absent: as many as fit. */
  readonly largestItems?: number
  readonly retry: Pick<RetryConfig, 'enabled' | 'initialMs' | 'maxMs' | 'multiplier'>
  readonly log: Log
  readonly clock: Clock
}

/** What a receiver that was given up may still take, such as a disk that hangs. */
const GIVING_UP_MS = 500

interface Answer {
  /** It is not to be told again. */
  readonly isTaken: boolean
  /** false: the receiver is not there, or wants to be left alone. */
  readonly mayGoOn: boolean
  readonly afterMs?: number | undefined
}

export class MetricOutlet {
  readonly id: string
  readonly items = new ItemCounts()
  readonly #parts: MetricOutletParts
  readonly #outages: OutageLog
  readonly #backOff: RetryBackOff
  /** Monotonic: when to collect next. */
  #dueMs: number
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #failures = 0
  #acknowledgedAtMs: number | undefined
  #isClosing = false

  constructor(parts: MetricOutletParts) {
    const { id, log, clock, intervalMs, retry } = parts
    this.id = id
    this.#parts = parts
    this.#outages = new OutageLog({ id, consequence: 'the counts stay and go with the next request', log, clock })
    // Never longer than an interval: with the next collection they would come anyway.
    this.#backOff = new RetryBackOff({ ...retry, maxMs: Math.min(retry.maxMs, intervalMs) })
    this.#dueMs = clock.monotonicMs() + intervalMs
    this.#schedule()
  }

  /** Requests that failed since the start. */
  get failures(): number {
    return this.#failures
  }

  /** Wall clock, ms since 1970; undefined before the first acknowledgment. */
  get acknowledgedAtMs(): number | undefined {
    return this.#acknowledgedAtMs
  }

  /** Tells what there is now, whenever its turn would be. Ends with the last answer. */
  async flush(): Promise<void> {
    await this.#running
    await this.#run()
  }

  /** Tells what there is a last time, and closes: within the time also when the receiver never answers. */
  async close(timeoutMs: number): Promise<void> {
    this.#isClosing = true
    clearTimeout(this.#timer)
    await within(timeoutMs, this.flush())
    await within(GIVING_UP_MS, Promise.all([this.#parts.sender.close(), this.#running]))
  }

  #schedule(): void {
    if (this.#isClosing) return
    this.#timer = setTimeout(() => void this.#run(), Math.max(0, this.#dueMs - this.#parts.clock.monotonicMs()))
  }

  #run(): Promise<void> {
    clearTimeout(this.#timer)
    this.#running ??= this.#export().then(() => {
      this.#running = undefined
      this.#schedule()
    })
    return this.#running
  }

  async #export(): Promise<void> {
    const { source, clock, intervalMs, retry } = this.#parts
    const { isTaken, mayGoOn, afterMs } = await this.#collectAndTell()
    if (isTaken) source.delivered()
    const nowMs = clock.monotonicMs()
    if (mayGoOn) this.#backOff.reset()
    else if (retry.enabled || afterMs !== undefined) this.#dueMs = nowMs + this.#backOff.next(afterMs)
    while (this.#dueMs <= nowMs) this.#dueMs += intervalMs
  }

  async #collectAndTell(): Promise<Answer> {
    try {
      return await this.#tellAll(await this.#parts.source.collect())
    } catch (error) {
      this.#failed(error instanceof Error ? error : new Error(String(error)))
      return { isTaken: false, mayGoOn: true }
    }
  }

  /** Each request is acknowledged by itself. */
  async #tellAll(collection: Collection): Promise<Answer> {
    const { encoder, largestItems = Number.POSITIVE_INFINITY } = this.#parts
    // A series may be told by two points.
    const isFull = () => encoder.bytes >= LARGEST_REQUEST || encoder.items > largestItems - 2
    let isTaken = true
    for (let from = 0; from < collection.length; ) {
      const to = collection.write(encoder, from, isFull)
      const answer = await this.#tell()
      if (answer.isTaken) collection.acknowledge(from, to)
      isTaken &&= answer.isTaken
      if (!answer.mayGoOn) return answer
      from = to
    }
    return { isTaken, mayGoOn: true }
  }

  async #tell(): Promise<Answer> {
    const request = this.#parts.encoder.finish()
    const { items } = request
    const bytes = request.body.length
    this.items.begin(items, bytes)
    const outcome = await this.#parts.sender.send(request)
    this.items.end(items, bytes)
    return this.#judge(outcome, items)
  }

  #judge(outcome: SendOutcome, items: number): Answer {
    if (outcome.kind === 'delivered') {
      const { rejected, message } = outcome
      this.items.delivered += items - rejected
      this.items.lose(rejected, 'rejected')
      // Nobody says which: told again as sums they may be taken, as differences those that were taken would count twice.
      if (rejected > 0) this.#failed(new Error(rejectedText(rejected, message)))
      else this.#acknowledged()
      return { isTaken: rejected === 0 || this.#parts.isDelta, mayGoOn: true }
    }
    this.#failed(outcome.error)
    if (outcome.kind === 'refused') {
      this.items.lose(items, 'refused')
      return { isTaken: false, mayGoOn: true }
    }
    if (this.#isClosing) this.items.lose(items, 'shutdown')
    else this.items.superseded += items
    return { isTaken: false, mayGoOn: false, afterMs: outcome.afterMs }
  }

  #acknowledged(): void {
    this.#acknowledgedAtMs = this.#parts.clock.nowMs()
    this.#outages.delivered()
  }

  #failed(error: Error): void {
    this.#failures++
    this.#outages.failed(error)
  }
}

function rejectedText(points: number, message: string | undefined): string {
  return `the receiver took a request but rejected ${points} of its points${message ? `: ${message}` : ''}`
}
