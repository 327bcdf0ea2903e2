// Why a request was not taken, on its way from a connection to the sender.
import type { SendOutcome } from './sender.ts'

export class SendFailure extends Error {
  readonly kind: 'retry' | 'refused'
  /** Not before, says the receiver. */
  readonly afterMs: number | undefined

  constructor(kind: 'retry' | 'refused', message: string, afterMs?: number) {
    super(message)
    this.name = 'SendFailure'
    this.kind = kind
    this.afterMs = afterMs
  }

  outcome(): SendOutcome {
    if (this.kind === 'refused') return { kind: 'refused', error: this }
    return { kind: 'retry', error: this, ...(this.afterMs !== undefined && { afterMs: this.afterMs }) }
  }
}
