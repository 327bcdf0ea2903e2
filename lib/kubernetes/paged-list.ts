// A list of the API server in pages, each item by item: for servers that have no WatchList.
import { ApiFailure, asFailure, parsedJson } from './api-failure.ts'
import { ListSplitter } from './json-stream.ts'
import { fieldsOf, textOf } from './object-fields.ts'
import type { Watchdog } from './watchdog.ts'

/** Sends one request and reads its answer. */
export type ListReading = (
  query: string,
  onBegin: (dog: Watchdog) => void,
  onChunk: (chunk: Buffer) => void,
) => Promise<void>

interface Page {
  readonly version: string
  /** Empty: it was the last one. */
  readonly next: string
}

const PAGE_ITEMS = 500
export const VERSION_LIMIT = 128
/** The API server's own holds about a hundred. */
const CONTINUE_LIMIT = 16_384
const GONE = 410

export class PagedList {
  /** Items that were too long. */
  skipped = 0
  readonly #uids: Set<string>
  readonly #onItem: (text: string) => void

  /** `uids`: of all items, when it has been read. */
  constructor(uids: Set<string>, onItem: (text: string) => void) {
    this.#uids = uids
    this.#onItem = onItem
  }

  /** Not older than `heardVersion`; the version that it is of. Throws `ApiFailure`. */
  async read(heardVersion: string | undefined, stalledMs: number, read: ListReading): Promise<string> {
    const since = `resourceVersion=${encodeURIComponent(heardVersion ?? '0')}&resourceVersionMatch=NotOlderThan`
    let page = await this.#page(`limit=${PAGE_ITEMS}&${since}`, stalledMs, read)
    while (page.next !== '') {
      try {
        page = await this.#page(`limit=${PAGE_ITEMS}&continue=${encodeURIComponent(page.next)}`, stalledMs, read)
      } catch (error) {
        if (asFailure(error).status !== GONE) throw error
        // We were too slow for it in pages.
        this.#uids.clear()
        page = await this.#page(since, stalledMs, read)
      }
    }
    return page.version
  }

  async #page(query: string, stalledMs: number, read: ListReading): Promise<Page> {
    const list = new ListSplitter()
    let stalled: NodeJS.Timeout | undefined
    const onBegin = (dog: Watchdog) => {
      stalled = dog.within(stalledMs, `a list stalled for ${stalledMs / 1000} s`)
    }
    const onChunk = (chunk: Buffer) => {
      stalled?.refresh()
      for (const item of list.push(chunk)) this.#onItem(item)
    }
    try {
      await read(query, onBegin, onChunk)
    } finally {
      this.skipped += list.skipped
    }
    const metadata = list.isComplete ? fieldsOf(fieldsOf(parsedJson(list.envelope() ?? '')).metadata) : {}
    const version = textOf(metadata.resourceVersion, VERSION_LIMIT)
    if (version === '') throw new ApiFailure(0, 'what came is not a whole list')
    return { version, next: textOf(metadata.continue, CONTINUE_LIMIT) }
  }
}
