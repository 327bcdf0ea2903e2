// Kernel programs that take as much of a core as a test says.
import type { MeasuredPrograms } from '../../lib/capture/program-budget.ts'
import { systemClock } from '../../lib/host/clock.ts'

/** Programs that take this share of a core while statistics are on, and what was asked of them. */
export class PretendPrograms implements MeasuredPrograms {
  share: number
  detail = true
  statistics = false
  windows = 0
  #nanoseconds = 0
  #sinceMs = 0

  constructor(share: number) {
    this.share = share
  }

  async enableStatistics(): Promise<void> {
    this.statistics = true
    this.windows++
    this.#sinceMs = systemClock.monotonicMs()
  }

  async disableStatistics(): Promise<void> {
    await this.programTime()
    this.statistics = false
  }

  async programTime() {
    const nowMs = systemClock.monotonicMs()
    if (this.statistics) this.#nanoseconds += (nowMs - this.#sinceMs) * 1e6 * this.share
    this.#sinceMs = nowMs
    return { runs: Math.round(this.#nanoseconds / 100), nanoseconds: this.#nanoseconds }
  }

  async setTcpDetail(on: boolean): Promise<void> {
    this.detail = on
  }
}
