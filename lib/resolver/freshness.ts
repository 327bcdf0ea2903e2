// How much of what happened in the cluster a resolver has surely heard: asked anew whenever an agent wants to know.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../host/clock.ts'
import type { KubernetesWatch } from '../kubernetes/kubernetes-watch.ts'
import type { MarkMessage } from './messages.ts'
import type { WatchedState } from './watched-state.ts'

export interface FreshnessParts {
  /** The watch on which names depend in time: that of pods. */
  readonly pods: Pick<KubernetesWatch, 'isCurrent' | 'state'>
  readonly watched: Pick<WatchedState, 'versions' | 'lacks' | 'old'>
  readonly clock: Clock
  readonly limitMs?: number
}

/** Where the API server does not answer in this time, agents are told since when it does not. */
const LIMIT_MS = 300
/** The same while it has not answered before. */
const IMPATIENT_MS = 30
const AGAIN_MS = 20

export class Freshness {
  readonly #parts: FreshnessParts
  #surelyMs: number | undefined
  /** The same by the wall clock. */
  #surelyAtMs: number | undefined
  #isLate = false
  #running: Promise<void> | undefined
  #next: Promise<void> | undefined

  constructor(parts: FreshnessParts) {
    this.#parts = parts
  }

  /** Wall clock, until when everything has been heard of; undefined: it never was. */
  get surelyAtMs(): number | undefined {
    return this.#surelyAtMs
  }

  async of(): Promise<Omit<MarkMessage, 'mark'>> {
    const { clock, watched, pods } = this.#parts
    const askedMs = clock.monotonicMs()
    await this.#sure()
    const behind = this.#surelyMs === undefined ? null : Math.max(0, Math.ceil(askedMs - this.#surelyMs))
    const { versions, lacks, old } = watched
    return {
      ...{ now: clock.nowMs(), behind, since: pods.state.syncedAtMs ?? clock.nowMs(), ...versions },
      ...(Object.keys(lacks).length > 0 && { lacks }),
      ...(Object.keys(old).length > 0 && { old }),
    }
  }

  /** One question for all who ask at the same time; one that is under way is older than they are. */
  #sure(): Promise<void> {
    this.#next ??= (this.#running ?? Promise.resolve()).then(() => {
      this.#running = this.#next
      this.#next = undefined
      return this.#ask()
    })
    return this.#next
  }

  async #ask(): Promise<void> {
    const { clock, pods } = this.#parts
    const limitMs = this.#isLate ? IMPATIENT_MS : (this.#parts.limitMs ?? LIMIT_MS)
    this.#isLate = true
    const beginMs = clock.monotonicMs()
    const beganAtMs = clock.nowMs()
    const limit = new AbortController()
    const isLate = sleep(limitMs, true, { signal: limit.signal }).catch(() => true)
    const isOver = () => clock.monotonicMs() - beginMs >= limitMs
    try {
      while (!isOver()) {
        const isCurrent = await Promise.race([pods.isCurrent().catch(() => false), isLate.then(() => undefined)])
        if (isCurrent) {
          this.#isLate = false
          this.#surelyMs = beginMs
          this.#surelyAtMs = beganAtMs
        }
        if (isCurrent !== false) return
        await sleep(AGAIN_MS)
      }
    } finally {
      limit.abort()
    }
  }
}
