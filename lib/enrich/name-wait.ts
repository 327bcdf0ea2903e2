// A new pod's flows wait in the kernel until somebody knows whose they are: its first process comes after its device.
import type { FlowSource } from '../capture/flow-source.ts'
import type { Log } from '../host/log.ts'

/** Who has no name by then is told as `unknown`. */
const WAIT_MS = 2_000

export interface NameWaitParts {
  readonly source: Pick<FlowSource, 'release'>
  readonly log: Log
}

export class NameWait {
  readonly #parts: NameWaitParts
  readonly #timers = new Map<number, NodeJS.Timeout>()

  constructor(parts: NameWaitParts) {
    this.#parts = parts
  }

  /** To be called with an interface that was attached `held`. */
  begin(interfaceSlot: number): void {
    this.#timers.set(
      interfaceSlot,
      setTimeout(() => void this.release(interfaceSlot), WAIT_MS),
    )
  }

  /** To be called when its owner is known, as often as one likes. Never rejects. */
  async release(interfaceSlot: number): Promise<void> {
    if (!this.#timers.has(interfaceSlot)) return
    this.forget(interfaceSlot)
    try {
      await this.#parts.source.release(interfaceSlot)
    } catch (error) {
      this.#parts.log.warn((error as Error).message)
    }
  }

  /** To be called when it is detached: its last rows are told in any case. */
  forget(interfaceSlot: number): void {
    clearTimeout(this.#timers.get(interfaceSlot))
    this.#timers.delete(interfaceSlot)
  }

  /** Nobody will learn a name any more. */
  async stop(): Promise<void> {
    await Promise.all([...this.#timers.keys()].map(interfaceSlot => this.release(interfaceSlot)))
  }
}
