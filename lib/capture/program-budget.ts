// The brake: measures our programs in short windows, and gives TCP detail up while they take more of a core than they may.
import type { Clock } from '../host/clock.ts'
import type { Log } from '../host/log.ts'
import type { ProgramTime } from './flow-source.ts'

/** What the brake needs of a capture. */
export interface MeasuredPrograms {
  enableStatistics(): Promise<void>
  disableStatistics(): Promise<void>
  programTime(): Promise<ProgramTime>
  setTcpDetail(on: boolean): Promise<void>
}

export interface BudgetTimes {
  /** Statistics are on for so long, once in each period. */
  readonly windowMs: number
  readonly periodMs: number
  /** All windows of such a time must say the same. */
  readonly holdMs: number
}

export interface ProgramBudgetParts {
  readonly programs: MeasuredPrograms
  /** Share of a core, above 0. */
  readonly share: number
  readonly clock: Clock
  readonly log: Log
  readonly times?: BudgetTimes | undefined
}

const TIMES: BudgetTimes = { windowMs: 1_000, periodMs: 10_000, holdMs: 60_000 }
/**
 * Without detail the programs cost less. As long as that is not less than half, what comes back below this part of the
 * budget stays within it.
 */
const COMES_BACK_BELOW = 0.5

/** Decides from windows alone, one after the other. */
export class BudgetJudge {
  /** TCP detail is on. */
  detail = true
  readonly #share: number
  readonly #holdMs: number
  #sinceMs: number | undefined

  constructor(share: number, holdMs: number) {
    this.#share = share
    this.#holdMs = holdMs
  }

  /** A window from `fromMs` to `toMs`; true when `detail` has changed. */
  observe(share: number, fromMs: number, toMs: number): boolean {
    const speaksForChange = this.detail ? share > this.#share : share < this.#share * COMES_BACK_BELOW
    this.#sinceMs = speaksForChange ? (this.#sinceMs ?? fromMs) : undefined
    if (this.#sinceMs === undefined || toMs - this.#sinceMs < this.#holdMs) return false
    this.detail = !this.detail
    this.#sinceMs = undefined
    return true
  }
}

export class ProgramBudget {
  readonly #parts: ProgramBudgetParts
  readonly #times: BudgetTimes
  readonly #judge: BudgetJudge
  #sampled: ProgramTime = { runs: 0, nanoseconds: 0 }
  #brakingSinceMs: number | undefined
  #timer: NodeJS.Timeout | undefined
  #wake = () => {}
  #running: Promise<void> | undefined
  #stopped = false

  constructor(parts: ProgramBudgetParts) {
    this.#parts = parts
    this.#times = parts.times ?? TIMES
    this.#judge = new BudgetJudge(parts.share, this.#times.holdMs)
  }

  /** Wall clock; undefined while TCP detail is on. */
  get brakingSinceMs(): number | undefined {
    return this.#brakingSinceMs
  }

  /** Runs and time within all windows so far. */
  get sampled(): ProgramTime {
    return this.#sampled
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Resolves when the source is not used any more. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#wake()
    await this.#running
  }

  async #run(): Promise<void> {
    const { windowMs, periodMs } = this.#times
    try {
      for (;;) {
        await this.#sleep(periodMs - windowMs)
        if (this.#stopped) return
        await this.#window()
      }
    } catch (error) {
      if (!this.#stopped) this.#parts.log.warn(`cpu_budget: not watched: ${(error as Error).message}`)
    }
  }

  async #window(): Promise<void> {
    const { programs, clock } = this.#parts
    await programs.enableStatistics()
    try {
      const [before, fromMs] = [await programs.programTime(), clock.monotonicMs()]
      await this.#sleep(this.#times.windowMs)
      if (this.#stopped) return
      const [after, toMs] = [await programs.programTime(), clock.monotonicMs()]
      const nanoseconds = after.nanoseconds - before.nanoseconds
      const runs = this.#sampled.runs + after.runs - before.runs
      this.#sampled = { runs, nanoseconds: this.#sampled.nanoseconds + nanoseconds }
      await this.#decide(nanoseconds / 1e6 / (toMs - fromMs), fromMs, toMs)
    } finally {
      await programs.disableStatistics()
    }
  }

  async #decide(share: number, fromMs: number, toMs: number): Promise<void> {
    if (!this.#judge.observe(share, fromMs, toMs)) return
    const { programs, clock, log } = this.#parts
    const { detail } = this.#judge
    await programs.setTcpDetail(detail)
    this.#brakingSinceMs = detail ? undefined : clock.nowMs()
    const taken = `our programs take ${percent(share)} of a core`
    const budget = `cpu_budget is ${percent(this.#parts.share)}`
    if (detail) log.info({ share }, `${taken}, ${budget}: TCP detail is back`)
    else log.warn({ share }, `${taken}, ${budget}: TCP detail is off, packets, bytes and connections stay exact`)
  }

  #sleep(ms: number): Promise<void> {
    return new Promise(resolve => {
      this.#wake = () => {
        clearTimeout(this.#timer)
        resolve()
      }
      if (this.#stopped) return resolve()
      this.#timer = setTimeout(resolve, ms)
    })
  }
}

/** undefined: nobody can measure the programs, or they may take what they like (`share` 0). */
export function brake(
  programs: MeasuredPrograms | undefined,
  share: number,
  parts: Pick<ProgramBudgetParts, 'clock' | 'log' | 'times'>,
): ProgramBudget | undefined {
  return programs && share > 0 ? new ProgramBudget({ programs, share, ...parts }) : undefined
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(2))} %`
}
