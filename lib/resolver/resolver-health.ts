// How an agent's way to a resolver is doing: what status output shows, and what the log is told once.
import type { Clock } from '../host/clock.ts'
import type { Log } from '../host/log.ts'
import type { ApiFailure } from '../kubernetes/api-failure.ts'
import type { Resource } from '../kubernetes/cluster-objects.ts'
import type { ResourceState } from '../kubernetes/watch-health.ts'
import type { Reasons } from './messages.ts'

/** One end is nothing: resolvers are replaced, and send agents on. */
const FAILURES_THAT_COUNT = 2
const GIVES = 'addresses of other nodes that are new are unknown, and others keep the names that they had'

export class ResolverHealth {
  readonly #server: string
  readonly #log: Log
  readonly #clock: Clock
  requests = 0
  bytes = 0
  objects = 0
  #syncedAtMs: number | undefined
  #degraded: { readonly sinceMs: number; readonly reason: string; readonly status: number } | undefined
  #resolver = ''
  #lacks: Reasons = {}
  #failures = 0

  constructor(server: string, log: Log, clock: Clock) {
    this.#server = server
    this.#log = log
    this.#clock = clock
  }

  get state(): ResourceState {
    const { requests, bytes, objects } = this
    const { sinceMs = this.#syncedAtMs ?? 0, reason = textOf(this.#lacks) } = this.#degraded ?? {}
    return {
      resource: 'resolver',
      ...(this.#syncedAtMs !== undefined && { syncedAtMs: this.#syncedAtMs }),
      ...(reason !== '' && { degraded: { sinceMs, reason } }),
      ...{ requests, bytes, objects, skipped: 0 },
    }
  }

  /** Wall clock, since when what was asked for of a resource is known; undefined: it is old, or not known. */
  knownSince(resource: Resource): number | undefined {
    return this.#degraded || this.#lacks[resource] !== undefined ? undefined : this.#syncedAtMs
  }

  welcomed(resolver: string): void {
    this.#resolver = resolver
  }

  /** The log hears of each resource once until something is another one. */
  lacks(lacks: Reasons): void {
    const before = Object.keys(this.#lacks).join()
    this.#lacks = lacks
    if (Object.keys(lacks).length > 0 && Object.keys(lacks).join() !== before)
      this.#log.warn(`resolver: ${this.#resolver} does not know everything: ${textOf(lacks)}`)
  }

  /** What was asked for is answered. */
  works(): void {
    this.#failures = 0
    this.#syncedAtMs ??= this.#clock.nowMs()
    if (!this.#degraded) return
    this.#degraded = undefined
    this.#syncedAtMs = this.#clock.nowMs()
    this.#log.info('resolver: works again')
  }

  /** The log hears of each kind of failure once until it works again. */
  failed({ status, message }: ApiFailure): void {
    const isRefusal = status >= 400 && status < 500
    if (++this.#failures < FAILURES_THAT_COUNT && !isRefusal) return
    const isKnown = this.#degraded?.status === status
    const sinceMs = this.#degraded?.sinceMs ?? this.#clock.nowMs()
    this.#degraded = { sinceMs, reason: message, status }
    if (!isKnown) this.#log.warn(`resolver: ${this.#server}: ${message}; until then ${GIVES}; trying again`)
  }
}

function textOf(lacks: Reasons): string {
  return Object.entries(lacks)
    .map(([resource, reason]) => `${resource}: ${reason}`)
    .join('; ')
}
