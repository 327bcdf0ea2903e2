// Whether there is memory for more spans and log records: what the processor `memory_limiter` does.
import type { MemoryLimiterConfig } from '../config/processors.ts'
import type { Clock } from '../host/clock.ts'
import type { Log } from '../host/log.ts'

export interface MemoryLimiterParts {
  readonly config: MemoryLimiterConfig
  readonly log: Log
  readonly clock: Clock
  /** Bytes of the process that are in memory. */
  readonly residentBytes?: () => number
}

export class MemoryLimiter {
  readonly #parts: MemoryLimiterParts
  readonly #residentBytes: () => number
  #checkedAtMs = Number.NEGATIVE_INFINITY
  #isOver = false

  constructor(parts: MemoryLimiterParts) {
    this.#parts = parts
    this.#residentBytes = parts.residentBytes ?? (() => process.memoryUsage.rss())
  }

  /** Looks again when the last look is old enough. */
  get refuses(): boolean {
    const { config, clock } = this.#parts
    const nowMs = clock.monotonicMs()
    if (nowMs - this.#checkedAtMs < config.checkIntervalMs) return this.#isOver
    this.#checkedAtMs = nowMs
    const bytes = this.#residentBytes()
    const isOver = bytes > config.limitBytes - config.spikeLimitBytes
    if (isOver !== this.#isOver) this.#tell(isOver, bytes)
    this.#isOver = isOver
    return isOver
  }

  #tell(isOver: boolean, bytes: number): void {
    const { config, log } = this.#parts
    const used = `the agent takes ${mebibytes(bytes)} MiB of ${mebibytes(config.limitBytes - config.spikeLimitBytes)}`
    if (isOver) log.warn(`${config.id}: ${used}: spans and log records are left out and counted until it is less`)
    else log.info(`${config.id}: ${used}: spans and log records are taken again`)
  }
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0)
}
