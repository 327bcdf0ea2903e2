// What a start tells: lines for a person at a terminal, log records for everyone else.
import { styleText } from 'node:util'
import type { Clock } from '../host/clock.ts'
import type { Log } from '../host/log.ts'

export class Story {
  readonly #stream: NodeJS.WriteStream
  readonly #log: Log
  readonly #clock: Clock
  #sinceMs: number

  constructor(stream: NodeJS.WriteStream, log: Log, clock: Clock) {
    this.#stream = stream
    this.#log = log
    this.#clock = clock
    this.#sinceMs = clock.monotonicMs()
  }

  begin(text: string): void {
    this.#tell(text, '')
  }

  /** Something is done; the time that it took goes with it. */
  step(text: string): void {
    const nowMs = this.#clock.monotonicMs()
    const tookMs = Math.round(nowMs - this.#sinceMs)
    this.#sinceMs = nowMs
    if (this.#stream.isTTY) this.#stream.write(`${styleText('green', '✔')} ${text.padEnd(70)} ${tookMs} ms\n`)
    else this.#log.info({ tookMs }, text)
  }

  note(text: string): void {
    this.#tell(text, '! ')
  }

  #tell(text: string, mark: string): void {
    if (this.#stream.isTTY) this.#stream.write(`${mark}${text}\n`)
    else this.#log.info(text)
  }
}
