// When the API server told us ourselves of a version: a resolver that has not heard of it since is behind, whatever it says.
import { isLess } from './versions.ts'

interface Word {
  readonly version: string
  /** Wall clock, before we had heard of it. */
  readonly beforeMs: number
  /** Wall clock, when we had. */
  readonly heardMs: number
}

/** From our hearing to a resolver's. */
const LATE_MS = 2_000
const MOST_WORDS = 300

export class OwnWords {
  #words: Word[] = []
  #notedMs = Number.NEGATIVE_INFINITY

  /** To be called often, with the version of the newest change of this node's pods. */
  note(version: string | undefined, nowMs: number): void {
    const beforeMs = this.#notedMs
    this.#notedMs = nowMs
    if (version === undefined || version === this.#words.at(-1)?.version) return
    this.#words.push({ version, beforeMs, heardMs: nowMs })
    if (this.#words.length > MOST_WORDS) this.#words.shift()
  }

  /** Until when, wall clock, somebody who has heard of `version` can have heard of everything. */
  heardBy(version: string | undefined, nowMs: number): number {
    const heard = this.#words.findLastIndex(each => !isLess(version, each.version))
    if (heard > 0) this.#words = this.#words.slice(heard)
    const late = this.#words.find(each => isLess(version, each.version) && nowMs - each.heardMs > LATE_MS)
    return late ? late.beforeMs : Number.POSITIVE_INFINITY
  }
}
