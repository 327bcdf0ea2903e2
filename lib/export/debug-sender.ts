// Writes requests to stdout.
import type { Writable } from 'node:stream'
import type { EncodedRequest } from '../encode/encoded-request.ts'
import type { Sender, SendOutcome } from './sender.ts'

export class DebugSender implements Sender {
  readonly #out: Writable

  constructor(out: Writable = process.stdout) {
    this.#out = out
  }

  send({ body }: EncodedRequest): Promise<SendOutcome> {
    return new Promise(resolve => {
      this.#out.write(body, error => resolve(error ? { kind: 'retry', error } : { kind: 'delivered', rejected: 0 }))
    })
  }

  async close(): Promise<void> {}
}
