// When to look again: soon after something changed, again while something is unsettled, and now and then in any case.
import type { Clock } from '../host/clock.ts'

/** What a look left behind. */
export interface Settled {
  /** Something is to come of which no event tells: a namespace's first process, a pod's device. */
  readonly unsettled: boolean
  /** Some of that has only just appeared. */
  readonly young: boolean
  /** Something is wanted and can't be had yet. */
  readonly lacking: boolean
  /** How long looking took, without what was done about it. */
  readonly tookMs: number
}

export interface RescanTimes {
  /** A pod's start is several events in a row. */
  readonly settleMs: number
  /** From look to look while something is young. */
  readonly youngMs: number
  /** The first look again at what is unsettled; each further one comes after twice the time. */
  readonly againMs: number
  readonly lackingMs: number
  readonly regularMs: number
}

export const RESCAN_TIMES: RescanTimes = {
  settleMs: 20,
  againMs: 50,
  youngMs: 2_000,
  lackingMs: 5_000,
  regularMs: 30_000,
}

/** Looking takes at most a fifth of the time, however much is going on. */
const REST = 4
/** A long look has waited for locks of the kernel, and costs no more for it. */
const LONGEST_REST_MS = 100

export class Rescan {
  readonly #clock: Clock
  readonly #look: () => Promise<Settled>
  readonly #times: RescanTimes
  #timer: NodeJS.Timeout | undefined
  #dueMs = Number.POSITIVE_INFINITY
  #changedMs: number
  #restUntilMs = 0
  #isLooking = false
  #isChanged = false
  #stopped = false

  /** `look` must not reject. */
  constructor(clock: Clock, look: () => Promise<Settled>, times = RESCAN_TIMES) {
    this.#clock = clock
    this.#look = look
    this.#times = times
    this.#changedMs = clock.monotonicMs()
  }

  /** To be called when something changed. It delays no look that is due, so that a burst starves nobody. */
  changed(): void {
    this.#changedMs = this.#clock.monotonicMs()
    if (this.#isLooking) this.#isChanged = true
    else this.#arm(Math.max(this.#changedMs + this.#times.settleMs, this.#restUntilMs))
  }

  /** Looks at once. */
  async look(): Promise<void> {
    if (this.#isLooking || this.#stopped) {
      this.#isChanged = true
      return
    }
    this.#isLooking = true
    this.#isChanged = false
    clearTimeout(this.#timer)
    this.#dueMs = Number.POSITIVE_INFINITY
    const settled = await this.#look()
    const endedMs = this.#clock.monotonicMs()
    this.#restUntilMs = endedMs + Math.min(REST * settled.tookMs, LONGEST_REST_MS)
    this.#isLooking = false
    if (this.#isChanged) this.#arm(Math.max(endedMs + this.#times.settleMs, this.#restUntilMs))
    else this.#arm(endedMs + this.#pauseMs(settled, endedMs))
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  #pauseMs({ young, unsettled, lacking }: Settled, nowMs: number): number {
    const { youngMs, againMs, lackingMs, regularMs } = this.#times
    if (young) return youngMs
    if (!unsettled && !lacking) return regularMs
    return Math.min(Math.max(nowMs - this.#changedMs, againMs), lacking ? lackingMs : regularMs)
  }

  #arm(dueMs: number): void {
    if (this.#stopped || dueMs >= this.#dueMs) return
    clearTimeout(this.#timer)
    this.#dueMs = dueMs
    this.#timer = setTimeout(() => void this.look(), Math.max(dueMs - this.#clock.monotonicMs(), 0)).unref()
  }
}
