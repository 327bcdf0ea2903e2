// Lookups that wait for their answer, and those that waited too long: their answer may still come.

export interface OpenLookup {
  readonly interfaceSlot: number
  /** CLOCK_MONOTONIC of its first query, ms. */
  readonly sinceMs: number
  /** What was asked for. */
  readonly name: string
}

/** After its query: what comes later is no answer to it. */
const ANSWER_LIMIT_MS = 10_000
const OPEN_OF_POD = 1024
const OPEN_LIMIT = 16_384

export class OpenLookups {
  /** By what a query and its answer agree in, oldest first. */
  readonly #open = new Map<string, OpenLookup>()
  readonly #late = new Map<string, OpenLookup>()
  readonly #ofPod = new Map<number, number>()

  get size(): number {
    return this.#open.size
  }

  /** The key ends with the name. */
  begin(key: string, interfaceSlot: number, sinceMs: number): 'query' | 'query_repeated' | 'query_untracked' {
    if (this.#open.has(key)) return 'query_repeated'
    const ofPod = this.#ofPod.get(interfaceSlot) ?? 0
    if (ofPod >= OPEN_OF_POD || this.#open.size >= OPEN_LIMIT) return 'query_untracked'
    this.#late.delete(key)
    this.#ofPod.set(interfaceSlot, ofPod + 1)
    this.#open.set(key, { interfaceSlot, sinceMs, name: key.slice(key.lastIndexOf(' ') + 1) })
    return 'query'
  }

  /** Of a lookup that has not timed out. */
  sinceMs(key: string): number | undefined {
    return this.#open.get(key)?.sinceMs
  }

  /** undefined: nobody waits for this answer. */
  end(key: string, atMs: number): (OpenLookup & { isLate: boolean }) | undefined {
    const open = this.#close(key)
    if (open) return { ...open, isLate: false }
    const late = this.#late.get(key)
    this.#late.delete(key)
    return late && atMs - late.sinceMs <= ANSWER_LIMIT_MS ? { ...late, isLate: true } : undefined
  }

  /** From now on its answer is late. */
  timeOut(key: string): OpenLookup | undefined {
    const lookup = this.#close(key)
    if (lookup) this.#late.set(key, lookup)
    if (this.#late.size > OPEN_LIMIT) this.#late.delete(this.#late.keys().next().value!)
    return lookup
  }

  /** All that began before. */
  timeOutBefore(sinceMs: number): OpenLookup[] {
    const timedOut: OpenLookup[] = []
    for (const [key, lookup] of this.#open) {
      if (lookup.sinceMs > sinceMs) break
      this.timeOut(key)
      timedOut.push(lookup)
    }
    for (const [key, lookup] of this.#late) {
      if (lookup.sinceMs > sinceMs - ANSWER_LIMIT_MS / 2) break
      this.#late.delete(key)
    }
    return timedOut
  }

  /** Returns how many were open. */
  forget(interfaceSlot: number): number {
    const open = this.#ofPod.get(interfaceSlot) ?? 0
    for (const lookups of [this.#open, this.#late])
      for (const [key, lookup] of lookups) if (lookup.interfaceSlot === interfaceSlot) lookups.delete(key)
    this.#ofPod.delete(interfaceSlot)
    return open
  }

  #close(key: string): OpenLookup | undefined {
    const lookup = this.#open.get(key)
    if (!lookup) return undefined
    this.#open.delete(key)
    const left = this.#ofPod.get(lookup.interfaceSlot)! - 1
    if (left === 0) this.#ofPod.delete(lookup.interfaceSlot)
    else this.#ofPod.set(lookup.interfaceSlot, left)
    return lookup
  }
}
