// Says once that a receiver can't be reached, and once that it can again.
import type { Clock } from '../host/clock.ts'
import type { Log } from '../host/log.ts'

interface Outage {
  readonly sinceMs: number
  failures: number
  logged: boolean
}

const FAILURE_LINES_APART_MS = 60_000

export interface OutageLogParts {
  readonly id: string
  /** What becomes of what was not delivered. */
  readonly consequence: string
  readonly log: Log
  readonly clock: Clock
}

export class OutageLog {
  readonly #parts: OutageLogParts
  #outage: Outage | undefined
  #lastFailureLineMs = Number.NEGATIVE_INFINITY

  constructor(parts: OutageLogParts) {
    this.#parts = parts
  }

  delivered(): void {
    const { id, log, clock } = this.#parts
    const outage = this.#outage
    this.#outage = undefined
    if (!outage?.logged) return
    const seconds = Math.round((clock.monotonicMs() - outage.sinceMs) / 1000)
    log.info({ exporter: id, failures: outage.failures }, `exporter ${id}: delivers again after ${seconds} s`)
  }

  failed(error: Error): void {
    const { id, consequence, log, clock } = this.#parts
    const nowMs = clock.monotonicMs()
    this.#outage ??= { sinceMs: nowMs, failures: 0, logged: false }
    this.#outage.failures++
    if (this.#outage.logged || nowMs - this.#lastFailureLineMs < FAILURE_LINES_APART_MS) return
    this.#outage.logged = true
    this.#lastFailureLineMs = nowMs
    log.warn({ exporter: id }, `exporter ${id}: ${error.message}; ${consequence}`)
  }
}
