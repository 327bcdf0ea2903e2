// Sends what waits of spans or log records to one receiver, one request at a time, until it has it. Nothing is given up by
// itself: the bounds of what waits decide what goes.
import type { QueueConfig, RetryConfig } from '../config/exporter-delivery.ts'
import type { Signal } from '../config/signal.ts'
import type { EncodedRequest } from '../encode/encoded-request.ts'
import type { Clock } from '../host/clock.ts'
import type { Log } from '../host/log.ts'
import type { ItemCounts } from './item-counts.ts'
import { OutageLog } from './outage-log.ts'
import { RetryBackOff } from './retry-back-off.ts'
import type { Sender, SendOutcome } from './sender.ts'
import type { SpoolFolder } from './spool-folder.ts'
import { within } from './time-limit.ts'
import { type Waiting, WaitingRequests } from './waiting-requests.ts'

export interface RequestQueueParts {
  /** The exporter's. */
  readonly id: string
  readonly signal: Signal
  /** Whoever made it closes it. */
  readonly sender: Sender
  readonly retry: RetryConfig
  readonly limits: Pick<QueueConfig, 'bytes' | 'items'>
  readonly spool?: SpoolFolder
  readonly log: Log
  readonly clock: Clock
  readonly random?: () => number
}

/** What a disk that hangs may take at the end. */
const WRITING_MS = 500

export class RequestQueue {
  readonly id: string
  readonly signal: Signal
  readonly #parts: RequestQueueParts
  readonly #waiting: WaitingRequests
  readonly #outages: OutageLog
  readonly #backOff: RetryBackOff
  #running: Promise<void> | undefined
  /** Of those that have been pushed. */
  #kept: Promise<void> = Promise.resolve()
  #endPause: (() => void) | undefined
  #state: 'open' | 'closing' | 'closed' = 'open'
  #failures = 0
  #acknowledgedAtMs: number | undefined

  constructor(parts: RequestQueueParts) {
    const { id, signal, retry, random, log, clock } = parts
    this.id = id
    this.signal = signal
    this.#parts = parts
    this.#backOff = new RetryBackOff(retry, random)
    const name = `${id}, ${signal}`
    this.#outages = new OutageLog({ id: name, consequence: 'what waits is kept, up to its bounds', log, clock })
    const consequence = 'what waits is kept in memory alone'
    const storageOutages = new OutageLog({ id: `${name}, storage`, consequence, log, clock })
    this.#waiting = new WaitingRequests({ ...parts, storageOutages })
    this.#start()
  }

  /** What became of its items. */
  get counts(): ItemCounts {
    return this.#waiting.counts
  }

  /** Requests that failed since the start. */
  get failures(): number {
    return this.#failures
  }

  /** Wall clock, ms since 1970; undefined before the first acknowledgment. */
  get acknowledgedAtMs(): number | undefined {
    return this.#acknowledgedAtMs
  }

  /** It is counted at once. Resolves when it waits where it is to wait: with a spool, on disk. */
  push(request: EncodedRequest): Promise<void> {
    const waiting = this.#waiting.add(request)
    if (this.#state === 'closed') this.#waiting.loseMemory()
    else this.#start()
    this.#kept = this.#waiting.keep(waiting)
    return this.#kept
  }

  /** Resolves when nothing waits any more. */
  async drained(): Promise<void> {
    while (this.#running) await this.#running
  }

  /**
   * Sends what there is, each once and without waiting in between; what is left then is on disk, or lost. The sender may be
   * closed afterwards.
   */
  async close(timeoutMs: number): Promise<void> {
    this.#state = 'closing'
    this.#endPause?.()
    await within(timeoutMs, this.drained())
    await within(WRITING_MS, this.#kept)
    this.#state = 'closed'
    this.#waiting.loseMemory()
  }

  #start(): void {
    if (!this.#waiting.first) return
    this.#running ??= this.#run().then(() => {
      this.#running = undefined
      // Pushed when all was sent already.
      if (this.#state === 'open') this.#start()
    })
  }

  async #run(): Promise<void> {
    for (let next = this.#waiting.first; next && this.#state !== 'closed'; next = this.#waiting.first) {
      const pauseMs = await this.#tell(next)
      if (pauseMs === undefined) continue
      if (this.#state !== 'open') return
      await this.#pause(pauseMs)
    }
  }

  /** undefined: go on at once. */
  async #tell(waiting: Waiting): Promise<number | undefined> {
    const { sender, clock } = this.#parts
    this.#waiting.underWay = waiting
    try {
      const body = await this.#waiting.bodyOf(waiting)
      if (!body) return undefined
      waiting.firstTriedMs ??= clock.monotonicMs()
      const outcome = await sender.send({ signal: this.signal, body, items: waiting.items })
      // Given up at the end, while its answer did not come.
      return this.#waiting.has(waiting) ? this.#judge(waiting, outcome) : undefined
    } finally {
      this.#waiting.underWay = undefined
    }
  }

  #judge(waiting: Waiting, outcome: SendOutcome): number | undefined {
    if (outcome.kind === 'retry') return this.#again(waiting, outcome.error, outcome.afterMs)
    this.#backOff.reset()
    if (outcome.kind === 'delivered') {
      this.#delivered(waiting, outcome.rejected, outcome.message)
      return undefined
    }
    this.#failed(outcome.error)
    this.#waiting.lose(waiting, 'refused')
    return undefined
  }

  #again(waiting: Waiting, error: Error, afterMs: number | undefined): number | undefined {
    const { retry, clock } = this.#parts
    const triedForMs = clock.monotonicMs() - waiting.firstTriedMs!
    this.#failed(error)
    if (!retry.enabled || (retry.maxElapsedMs > 0 && triedForMs >= retry.maxElapsedMs)) {
      this.#waiting.lose(waiting, 'given_up')
    }
    return retry.enabled ? this.#backOff.next(afterMs) : afterMs
  }

  #delivered(waiting: Waiting, rejected: number, message: string | undefined): void {
    this.#acknowledgedAtMs = this.#parts.clock.nowMs()
    this.#waiting.delivered(waiting, rejected)
    const why = message ? `: ${message}` : ''
    if (rejected === 0) this.#outages.delivered()
    else this.#failed(new Error(`the receiver took a request but rejected ${rejected} of its items${why}`))
  }

  #failed(error: Error): void {
    this.#failures++
    this.#outages.failed(error)
  }

  #pause(ms: number): Promise<void> {
    return new Promise(resolve => {
      const end = () => {
        clearTimeout(timer)
        this.#endPause = undefined
        resolve()
      }
      const timer = setTimeout(end, ms)
      this.#endPause = end
    })
  }
}
