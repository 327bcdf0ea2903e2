// How one resource's watch is doing: what status output and metrics show, and what the log is told once.
import type { Clock } from '../host/clock.ts'
import type { Log } from '../host/log.ts'
import { type ApiFailure, type MissingRule, ruleText } from './api-failure.ts'
import type { Resource } from './cluster-objects.ts'

/** What the API calls a resource. */
export interface WatchedResource {
  readonly resource: Resource
  readonly apiGroup: string
  /** `/api/v1/pods` */
  readonly path: string
  /** `spec.nodeName=node-1`; absent: all of them. */
  readonly fieldSelector?: string
  /** What is lost without it, for the log. */
  readonly gives: string
}

/** Of a resource that is watched, or of the resolver that is asked for others. */
export interface ResourceState {
  readonly resource: Resource | 'resolver'
  /** Wall clock, ms, since when everything is known; absent: it never was. */
  readonly syncedAtMs?: number
  readonly degraded?: { readonly sinceMs: number; readonly reason: string; readonly missingRule?: MissingRule }
  readonly requests: number
  /** Of answers, as they arrived. */
  readonly bytes: number
  /** Events, and items of lists. */
  readonly objects: number
  /** Objects that were too long, or could not be told from others. */
  readonly skipped: number
}

export interface WatchState extends ResourceState {
  readonly resource: Resource
}

/** One failed attempt is nothing: servers restart, and connections end. */
const FAILURES_THAT_COUNT = 2

export class WatchHealth {
  readonly #watched: WatchedResource
  readonly #log: Log
  readonly #clock: Clock
  requests = 0
  bytes = 0
  objects = 0
  skipped = 0
  #syncedAtMs: number | undefined
  #degraded: (NonNullable<ResourceState['degraded']> & { readonly status: number }) | undefined
  #failures = 0

  constructor(watched: WatchedResource, log: Log, clock: Clock) {
    this.#watched = watched
    this.#log = log
    this.#clock = clock
  }

  get state(): WatchState {
    const { requests, bytes, objects, skipped } = this
    const { sinceMs = 0, reason = '', missingRule } = this.#degraded ?? {}
    return {
      resource: this.#watched.resource,
      ...(this.#syncedAtMs !== undefined && { syncedAtMs: this.#syncedAtMs }),
      ...(this.#degraded && { degraded: { sinceMs, reason, ...(missingRule && { missingRule }) } }),
      ...{ requests, bytes, objects, skipped },
    }
  }

  synced(): void {
    this.#syncedAtMs = this.#clock.nowMs()
    this.works()
  }

  works(): void {
    this.#failures = 0
    if (!this.#degraded) return
    this.#degraded = undefined
    this.#log.info(`kubernetes: ${this.#watched.resource}: works again`)
  }

  /** The log hears of each kind of failure once until it works again. */
  failed(failure: ApiFailure): void {
    const { status, missingRule } = failure
    const isRefusal = status === 401 || status === 403
    if (++this.#failures < FAILURES_THAT_COUNT && !isRefusal) return
    const { resource, gives } = this.#watched
    const reason = missingRule ? `forbidden: the ClusterRole lacks ${ruleText(missingRule)}` : failure.message
    const isKnown = this.#degraded?.status === status
    const sinceMs = this.#degraded?.sinceMs ?? this.#clock.nowMs()
    this.#degraded = { sinceMs, reason, status, ...(missingRule && { missingRule }) }
    if (!isKnown) this.#log.warn(`kubernetes: ${resource}: ${reason}; until then ${gives}; trying again`)
  }
}
