// Ends one request when something does not come in its time, or when everything is closed.
import { ApiFailure } from './api-failure.ts'

export class Watchdog {
  readonly #controller = new AbortController()
  readonly #closing: AbortSignal
  readonly #timers: NodeJS.Timeout[] = []
  readonly #onClosing = () => this.#controller.abort()

  constructor(closing: AbortSignal) {
    this.#closing = closing
    if (closing.aborted) this.#controller.abort()
    closing.addEventListener('abort', this.#onClosing, { once: true })
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** `refresh` of the timer begins the time anew, `clearTimeout` calls it off. */
  within(ms: number, failure: string): NodeJS.Timeout {
    return this.after(ms, () => this.abort(new ApiFailure(0, failure)))
  }

  /** Unless it is over before. */
  after(ms: number, then: () => void): NodeJS.Timeout {
    const timer = setTimeout(then, ms)
    this.#timers.push(timer)
    return timer
  }

  /** Ends it now. */
  abort(failure: ApiFailure): void {
    this.#controller.abort(failure)
  }

  /** The error of a request that we ended is its reason. */
  reasonOf(error: unknown): unknown {
    const { reason } = this.#controller.signal as { reason?: unknown }
    return reason instanceof ApiFailure ? reason : error
  }

  end(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#closing.removeEventListener('abort', this.#onClosing)
  }
}
