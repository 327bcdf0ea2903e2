// Sends flows to one client as JSON lines, and never keeps more for it than a bound.
import type { Writable } from 'node:stream'
import type { FlowFeed, FlowRecord } from '../signals/flow-record.ts'

/** `slow`: the client left too much unread. */
export type StreamEnd = 'done' | 'gone' | 'slow'

const portionChars = 64 * 1024
const unreadLimitBytes = 4 * 1024 * 1024
const stallLimitMs = 30_000

export class FlowStream {
  readonly #out: Writable
  /** What changed while the snapshot is still being sent. */
  #held: string[] = []
  #heldChars = 0
  #live = false
  #end: StreamEnd | undefined
  #finish: (end: StreamEnd) => void = () => {}

  constructor(out: Writable) {
    this.#out = out
  }

  async send(feed: FlowFeed, follow: boolean): Promise<StreamEnd> {
    const ended = new Promise<StreamEnd>(resolve => {
      this.#finish = end => {
        this.#end ??= end
        resolve(this.#end)
      }
    })
    this.#out.once('close', () => this.#finish('gone'))
    this.#out.once('error', () => this.#finish('gone'))
    // Before the snapshot, so that nothing is missed between the two.
    const unsubscribe = follow ? feed.subscribe(records => this.#changed(records)) : () => {}
    try {
      await Promise.race([this.#snapshot(feed.snapshot()), ended])
      if (!follow) this.#finish('done')
      this.#goLive()
      return await ended
    } finally {
      unsubscribe()
    }
  }

  async #snapshot(records: Iterable<FlowRecord>): Promise<void> {
    let portion = ''
    for (const record of records) {
      portion += line(record)
      if (portion.length < portionChars) continue
      if (!(await this.#sent(portion))) return
      portion = ''
    }
    if (portion !== '') await this.#sent(portion)
  }

  /** Resolves when the client has taken enough of it; false when it never will. */
  #sent(text: string): boolean | Promise<boolean> {
    if (this.#end) return false
    if (this.#out.write(text)) return true
    return new Promise(resolve => {
      const settle = (end?: StreamEnd) => {
        clearTimeout(stalled)
        this.#out.off('drain', drained).off('close', closed)
        if (end) this.#finish(end)
        resolve(this.#end === undefined)
      }
      const drained = () => settle()
      const closed = () => settle('gone')
      const stalled = setTimeout(() => settle('slow'), stallLimitMs)
      this.#out.once('drain', drained).once('close', closed)
    })
  }

  #changed(records: readonly FlowRecord[]): void {
    // Judged before adding: one batch may be larger than the bound, and a client that reads gets it.
    const unreadBytes = this.#out.writableLength + this.#heldChars
    if (unreadBytes > unreadLimitBytes) this.#finish('slow')
    if (this.#end || records.length === 0) return
    const text = records.map(line).join('')
    if (this.#live) this.#out.write(text)
    else {
      this.#held.push(text)
      this.#heldChars += text.length
    }
  }

  #goLive(): void {
    if (!this.#end) for (const text of this.#held) this.#out.write(text)
    this.#held = []
    this.#heldChars = 0
    this.#live = true
  }
}

function line(record: FlowRecord): string {
  return `${JSON.stringify(record)}\n`
}
