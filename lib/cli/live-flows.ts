// Flows as they come, one line each, for a person who watches.
import { flowRow, headerRow, rowLayout } from '../export/flow-row.ts'
import type { FlowFeed, FlowRecord } from '../signals/flow-record.ts'

const MAX_LINES_PER_BATCH = 12

export class LiveFlows {
  readonly #out: NodeJS.WriteStream
  readonly #known = new Set<string>()

  constructor(out: NodeJS.WriteStream) {
    this.#out = out
  }

  follow(feed: FlowFeed): void {
    this.#out.write(`${headerRow(rowLayout(this.#out.columns))}\n`)
    feed.subscribe(records => this.#show(records))
  }

  /** Each flow once, when its conversation is first counted from the side that reports it. */
  #show(records: readonly FlowRecord[]): void {
    const layout = rowLayout(this.#out.columns)
    const fresh = records.filter(record => record.counted && this.#isNew(record))
    for (const record of fresh.slice(0, MAX_LINES_PER_BATCH)) this.#out.write(`${flowRow(record, layout, this.#out)}\n`)
    const hidden = fresh.length - MAX_LINES_PER_BATCH
    if (hidden > 0) this.#out.write(`          … and ${hidden} more\n`)
  }

  #isNew({ source, destination, transport }: FlowRecord): boolean {
    const key = `${source.address} ${destination.address} ${destination.port} ${transport}`
    if (this.#known.has(key)) return false
    this.#known.add(key)
    return true
  }
}
