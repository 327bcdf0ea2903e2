// Reads what pods ask their DNS servers and keeps what they learn, and tells each lookup under its owner's name.
import type { Identity, InterfaceOwner } from '../aggregate/identity.ts'
import { LookupTable } from '../aggregate/lookup-table.ts'
import type { DnsSource } from '../capture/dns-source.ts'
import type { Clock } from '../host/clock.ts'
import type { Log } from '../host/log.ts'
import { DnsLookups, type EndedLookup } from './dns-lookups.ts'
import { DnsNames } from './dns-names.ts'

export interface DnsWatchParts {
  readonly source: DnsSource
  readonly owner: (interfaceSlot: number) => InterfaceOwner | undefined
  readonly log: Log
  readonly clock: Clock
}

/** A pod's first lookups come before its name is known. */
const NAMING_MS = 5_000
const WAITING_LIMIT = 4096
const UNCLAIMED: Identity = { class: 'unknown', name: 'unknown', ports: new Set() }

export class DnsWatch {
  readonly names = new DnsNames()
  readonly table = new LookupTable()
  readonly #parts: DnsWatchParts
  readonly #lookups: DnsLookups
  /** Ended, and their owner has no name yet. */
  #waiting: EndedLookup[] = []

  constructor(parts: DnsWatchParts) {
    this.#parts = parts
    const ended = (lookup: EndedLookup) => this.#waiting.push(lookup)
    this.#lookups = new DnsLookups({ names: this.names, table: this.table, ended })
  }

  /** Lookups that wait for their answer, or for their owner's name. */
  get open(): number {
    return this.#lookups.open + this.#waiting.length
  }

  /** To be called between a drain and the naming of its flows. Never rejects: what failed is in the log. */
  async drain(): Promise<void> {
    const { source, clock, log } = this.#parts
    try {
      const batch = await source.read()
      const nowMs = clock.nowMs()
      this.#lookups.apply(batch, nowMs)
      this.#tell(nowMs)
    } catch (error) {
      log.error((error as Error).message)
    }
  }

  /** To be called when the interface's last row has been read. */
  ended(interfaceSlot: number): void {
    this.#lookups.forget(interfaceSlot)
    this.#waiting = this.#waiting.filter(lookup => {
      if (lookup.interfaceSlot !== interfaceSlot) return true
      this.#add(lookup, UNCLAIMED)
      return false
    })
  }

  #tell(nowMs: number): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const [i, lookup] of waiting.entries()) {
      const identity = this.#parts.owner(lookup.interfaceSlot)?.identity ?? UNCLAIMED
      const isNamed = identity.class !== 'unknown' || identity.name !== 'unknown'
      const mayWait = nowMs - lookup.sinceMs < NAMING_MS + lookup.seconds * 1000 && waiting.length - i <= WAITING_LIMIT
      if (!isNamed && mayWait) this.#waiting.push(lookup)
      else this.#add(lookup, identity)
    }
  }

  #add({ suffix, error, seconds, sinceMs }: EndedLookup, owner: Identity): void {
    if (owner.outOfScope) this.table.excluded++
    else this.table.add(owner, suffix, error, seconds, sinceMs)
  }
}
