// Words of the API server on their way to who keeps them, with when they may be of where they come late.
import type { Clock } from '../host/clock.ts'
import type { ClusterListener, ClusterObjects, Resource } from '../kubernetes/cluster-objects.ts'

export interface LateWordsParts {
  readonly listener: ClusterListener
  /** Wall clock, until when everything has been heard of. */
  readonly surelyAtMs: () => number | undefined
  readonly clock: Clock
}

/** It is looked once a second whether everything has been heard of. */
export const LOOK_MS = 1_000
const LATE_MS = 2 * LOOK_MS

export class LateWords implements ClusterListener {
  readonly #parts: LateWordsParts

  constructor(parts: LateWordsParts) {
    this.#parts = parts
  }

  changed<R extends Resource>(resource: R, object: ClusterObjects[R], atMs: number): void {
    this.#parts.listener.changed(resource, object, atMs, this.#sinceMs)
  }

  deleted(resource: Resource, uid: string, atMs: number): void {
    this.#parts.listener.deleted(resource, uid, atMs, this.#sinceMs)
  }

  synced(resource: Resource, uids: ReadonlySet<string>, atMs: number): void {
    this.#parts.listener.synced(resource, uids, atMs, this.#sinceMs)
  }

  get #sinceMs(): number | undefined {
    const { surelyAtMs, clock } = this.#parts
    const sinceMs = surelyAtMs()
    return sinceMs === undefined || clock.nowMs() - sinceMs < LATE_MS ? undefined : sinceMs
  }
}
