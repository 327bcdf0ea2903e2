// Who is attached next: one at a time and no faster than the pace, because each attach holds RTNL, which others need too.
import type { Clock } from '../host/clock.ts'

export interface AttachQueueParts {
  /** From the beginning of one turn to that of the next of the backlog, ms; 0: as fast as it goes. */
  readonly paceMs: number
  readonly clock: Clock
}

interface Turn {
  readonly key: string
  /** Must not reject. 'free': it held nothing that others wait for, and the next one need not wait either. */
  readonly run: () => Promise<unknown>
}

export class AttachQueue {
  readonly #parts: AttachQueueParts
  /** What was there at the start, and what is tried again: oldest first, and no faster than the pace. */
  #backlog: Turn[] = []
  /** What came later, newest last: a pod that begins now has packets that nobody saw, one that waits has lost them already. */
  #arrivals: Turn[] = []
  readonly #delayed = new Map<string, NodeJS.Timeout>()
  #working: Promise<void> | undefined
  #lastTurnMs = Number.NEGATIVE_INFINITY
  #endPause = () => {}
  #stopped = false

  constructor(parts: AttachQueueParts) {
    this.#parts = parts
  }

  addToBacklog(key: string, run: Turn['run']): void {
    this.#backlog.push({ key, run })
    this.#work()
  }

  /** Overtakes everything that waits, and the pace: pods come no faster than whoever makes them holds RTNL himself. */
  addArrival(key: string, run: Turn['run']): void {
    this.#arrivals.push({ key, run })
    this.#endPause()
    this.#work()
  }

  /** Joins the backlog in so many ms. */
  addLater(key: string, run: Turn['run'], delayMs: number): void {
    if (this.#stopped) return
    this.remove(key)
    const timer = setTimeout(() => {
      this.#delayed.delete(key)
      this.addToBacklog(key, run)
    }, delayMs)
    this.#delayed.set(key, timer)
  }

  has(key: string): boolean {
    return this.#delayed.has(key) || [...this.#arrivals, ...this.#backlog].some(turn => turn.key === key)
  }

  remove(key: string): void {
    clearTimeout(this.#delayed.get(key))
    this.#delayed.delete(key)
    this.#arrivals = this.#arrivals.filter(turn => turn.key !== key)
    this.#backlog = this.#backlog.filter(turn => turn.key !== key)
  }

  /** Resolves when nobody waits for a turn but those that were put off. */
  async settled(): Promise<void> {
    while (this.#working) await this.#working
  }

  /** Resolves when the turn that is being taken is over; no other one comes. */
  async stop(): Promise<void> {
    this.#stopped = true
    for (const timer of this.#delayed.values()) clearTimeout(timer)
    this.#delayed.clear()
    this.#backlog = []
    this.#arrivals = []
    this.#endPause()
    await this.settled()
  }

  #work(): void {
    if (this.#stopped) return
    this.#working ??= this.#takeTurns().finally(() => {
      this.#working = undefined
    })
  }

  async #takeTurns(): Promise<void> {
    const { clock, paceMs } = this.#parts
    // Leaves the caller first: a turn must not begin inside of what adds it.
    await undefined
    while (this.#arrivals.length + this.#backlog.length > 0) {
      const pauseMs = this.#lastTurnMs + paceMs - clock.monotonicMs()
      if (pauseMs > 0 && this.#arrivals.length === 0) {
        // Who comes during the pause ends it.
        await this.#pause(pauseMs)
        continue
      }
      const turn = this.#arrivals.pop() ?? this.#backlog.shift()!
      this.#lastTurnMs = clock.monotonicMs()
      if ((await turn.run()) === 'free') this.#lastTurnMs = Number.NEGATIVE_INFINITY
    }
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, ms)
      this.#endPause = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
