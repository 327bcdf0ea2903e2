// Flows as they come, a few lines per drain, for a person who watches.
import { flowRow, headerRow, rowLayout } from '../export/flow-row.ts'
import type { FlowFeed, FlowRecord } from '../signals/flow-record.ts'

const LINES_PER_BATCH = 6
/** A conversation that goes on is shown again after this time. */
const AGAIN_MS = 8_000

export class LiveFlows {
  readonly #out: NodeJS.WriteStream
  readonly #shownMs = new Map<string, number>()
  #begun = false

  constructor(out: NodeJS.WriteStream) {
    this.#out = out
  }

  /** The result ends it. */
  follow(feed: FlowFeed): () => void {
    return feed.subscribe(records => this.#show(records))
  }

  /** Each conversation from the side that reports it; those that were not shown for longest come first. */
  #show(records: readonly FlowRecord[]): void {
    const due = records
      .filter(record => record.counted && isConversation(record))
      .map(record => ({ record, key: keyOf(record), atMs: Date.parse(record.time) }))
      .map(each => ({ ...each, shownMs: this.#shownMs.get(each.key) ?? 0 }))
      .filter(each => each.atMs - each.shownMs >= AGAIN_MS)
      .toSorted((a, b) => a.shownMs - b.shownMs)
    const seen = new Set<string>()
    const layout = rowLayout(this.#out.columns)
    for (const { record, key, atMs } of due) {
      if (seen.has(key) || seen.size >= LINES_PER_BATCH) continue
      seen.add(key)
      this.#shownMs.set(key, atMs)
      if (!this.#begun) this.#out.write(`\n${headerRow(layout)}\n`)
      this.#begun = true
      this.#out.write(`${flowRow(record, layout, this.#out)}\n`)
    }
  }
}

/** Neighbour discovery and multicast reports are counted like everything else, and tell a reader nothing. */
function isConversation({ transport, confidence, destination }: FlowRecord): boolean {
  if (destination.name === 'multicast') return false
  return transport !== 'icmp' || confidence === 'handshake'
}

function keyOf({ source, destination, transport }: FlowRecord): string {
  return `${source.address} ${destination.address} ${destination.port} ${transport}`
}
