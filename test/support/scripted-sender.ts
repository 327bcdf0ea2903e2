// A sender that answers what a test tells it, when it tells it.
import type { EncodedRequest } from '../../lib/encode/encoded-request.ts'
import type { Sender, SendOutcome } from '../../lib/export/sender.ts'

export const delivered: SendOutcome = { kind: 'delivered', rejected: 0 }
export const refused: SendOutcome = { kind: 'refused', error: new Error('never') }
export const retry: SendOutcome = { kind: 'retry', error: new Error('not now') }

export function retryAfter(afterMs: number): SendOutcome {
  return { kind: 'retry', error: new Error('later'), afterMs }
}

export class ScriptedSender implements Sender {
  /** Of all that was sent, also again. */
  readonly sent: EncodedRequest[] = []
  /** For each request; absent ones are delivered. */
  readonly script: (SendOutcome | Promise<SendOutcome>)[] = []
  /** What answers when the script is at its end. */
  otherwise: (request: EncodedRequest) => SendOutcome | Promise<SendOutcome> = () => delivered
  mostUnderWay = 0
  #underWay = 0

  async send(request: EncodedRequest): Promise<SendOutcome> {
    this.sent.push(request)
    this.mostUnderWay = Math.max(this.mostUnderWay, ++this.#underWay)
    const outcome = await (this.script.shift() ?? this.otherwise(request))
    this.#underWay--
    return outcome
  }

  /** What was in the bodies. */
  get texts(): string[] {
    return this.sent.map(({ body }) => Buffer.from(body).toString())
  }

  async close(): Promise<void> {}
}

/** Answered when the test says so. */
export function later(): { promise: Promise<SendOutcome>; resolve: (outcome: SendOutcome) => void } {
  return Promise.withResolvers<SendOutcome>()
}

export function textRequest(text: string, items = 1): EncodedRequest {
  return { signal: 'traces', body: Buffer.from(text), items }
}
