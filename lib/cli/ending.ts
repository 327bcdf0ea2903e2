// How a verb that changes the machine ends: in order by the first signal, at once by a second one or by a mistake of ours,
// but never without undoing what it did.
import type { Log } from '../host/log.ts'

const UNDO_LIMIT_MS = 2_000

export class Ending {
  readonly signalled: Promise<NodeJS.Signals>
  #signal: NodeJS.Signals | undefined
  #log: Log | undefined
  #undo: () => Promise<void> = async () => {}

  /** Listens from now on. */
  constructor() {
    const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>()
    this.signalled = promise
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.on(signal, () => {
        if (this.#signal !== undefined) return this.#abandon(`${signal} again: ending at once`)
        this.#signal = signal
        resolve(signal)
      })
    process.once('uncaughtException', error => this.#abandon(`a mistake of ours: ${error?.stack ?? error}`))
  }

  /** The signal that came, if one did. */
  get signal(): NodeJS.Signals | undefined {
    return this.#signal
  }

  /** What is to be undone when there is no time for more. */
  undoBy(log: Log, undo: () => Promise<void>): void {
    this.#log = log
    this.#undo = undo
  }

  #abandon(why: string): void {
    if (this.#log) this.#log.fatal(why)
    else process.stderr.write(`podweir: ${why}\n`)
    setTimeout(() => process.exit(1), UNDO_LIMIT_MS)
    void this.#undo().finally(() => process.exit(1))
  }
}
