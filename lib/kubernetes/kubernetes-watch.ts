// One resource of the API server, listed and watched for ever: each object once, then each change, whatever happens between.
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../host/clock.ts'
import type { Log } from '../host/log.ts'
import { readAnswer } from './api-answer.ts'
import { ApiFailure, asFailure, parsedJson, statusMessage } from './api-failure.ts'
import type { ApiResponse } from './api-transport.ts'
import { JitteredBackOff } from './back-off.ts'
import type { ClusterConnection } from './cluster-connection.ts'
import type { ClusterListener } from './cluster-objects.ts'
import { LineSplitter } from './json-stream.ts'
import { fieldsOf, textOf } from './object-fields.ts'
import type { ObjectParser } from './object-parser.ts'
import { type ListReading, PagedList, VERSION_LIMIT } from './paged-list.ts'
import { type WatchedResource, WatchHealth, type WatchState } from './watch-health.ts'
import { WATCH_TIMES, type WatchTimes } from './watch-times.ts'
import { Watchdog } from './watchdog.ts'

/** Of what we have heard of; of the newest change or list among it; of the newest change alone. */
export interface ResourceVersions {
  readonly heard: string | undefined
  readonly changed: string | undefined
  readonly event: string | undefined
}

export interface WatchParts {
  readonly watched: WatchedResource
  readonly connection: ClusterConnection
  readonly parser: ObjectParser
  readonly listener: ClusterListener
  readonly log: Log
  readonly clock: Clock
  readonly times?: WatchTimes
}

/** A watch that has begun. */
interface Watching {
  readonly sinceMs: number
  readonly answer: ApiResponse
}

/** From a change of an object to our hearing of it, where all are well. */
const WORDS_TAKE_MS = 100
const INITIAL_EVENTS_END = 'k8s.io/initial-events-end'
const GONE = 410
const FORBIDDEN = 403
/** Of what was allowed before. */
const EARLY_REFUSALS = 3
const GATEWAY_TIMEOUT = 504
/** How servers that have no WatchList refuse `sendInitialEvents`. */
const REFUSALS = new Set([400, 422, 501])
/** A server that neither refuses nor ever tells all has it not either. */
const UNFINISHED_LIMIT = 2

export class KubernetesWatch {
  readonly #parts: WatchParts
  readonly #times: WatchTimes
  readonly #backOff: JitteredBackOff
  readonly #health: WatchHealth
  readonly #closing = new AbortController()
  #running: Promise<void> | undefined
  /** From where a watch goes on; undefined: everything has to be told first. */
  #version: string | undefined
  /** The newest that we have heard of: a list must not be older. */
  #heardVersion: string | undefined
  /** UIDs that a watch has told of at its beginning; undefined: that is over. */
  #initial: Set<string> | undefined
  #unfinished = 0
  /** In a row. */
  #refusals = 0
  #listsUntilMs = Number.NEGATIVE_INFINITY
  #watching: Watching | undefined
  #changedVersion: string | undefined
  #eventVersion: string | undefined

  constructor(parts: WatchParts) {
    this.#parts = parts
    this.#times = parts.times ?? WATCH_TIMES
    this.#backOff = new JitteredBackOff(this.#times.backOff)
    this.#health = new WatchHealth(parts.watched, parts.log, parts.clock)
  }

  get state(): WatchState {
    return this.#health.state
  }

  get versions(): ResourceVersions {
    return { heard: this.#heardVersion, changed: this.#changedVersion, event: this.#eventVersion }
  }

  /** Resolves when everything has been heard that had happened before; false: that can't be said now. */
  async isCurrent(): Promise<boolean> {
    const watching = this.#watching
    if (!watching || this.#initial) return false
    const ageMs = this.#parts.clock.monotonicMs() - watching.sinceMs
    // What it had missed comes right behind its beginning.
    if (ageMs < WORDS_TAKE_MS) await sleep(WORDS_TAKE_MS - ageMs)
    const answers = (await watching.answer.ping?.()) ?? true
    // What came before the answer to the ping is read before the next turn.
    await turn()
    return answers && this.#watching === watching
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** The listener hears nothing afterwards. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing
    while (!signal.aborted) {
      const failure = await this.#attempt()
      if (signal.aborted) return
      const pauseMs = this.#pauseMs(failure)
      this.#watching = undefined
      await sleep(pauseMs, undefined, { signal }).catch(() => {})
    }
  }

  /** One list where there has to be one, then one watch. */
  async #attempt(): Promise<ApiFailure | undefined> {
    try {
      const { clock } = this.#parts
      if (this.#version === undefined && clock.monotonicMs() < this.#listsUntilMs) await this.#list()
      await this.#watch()
      return undefined
    } catch (error) {
      return asFailure(error)
    }
  }

  /** What comes of an attempt, and how long it is to the next one. */
  #pauseMs(failure: ApiFailure | undefined): number {
    const { clock } = this.#parts
    const livedMs = this.#watching ? clock.monotonicMs() - this.#watching.sinceMs : 0
    if (livedMs >= this.#times.livedMs) this.#backOff.reset()
    this.#refusals = failure?.status === FORBIDDEN ? this.#refusals + 1 : 0
    // It has lived for long enough, and what happens now waits to be told.
    if (!failure) return 0
    const pauseMs = this.#backOff.next()
    const { status, retryAfterMs = 0 } = failure
    if (this.#noteWatchList(failure)) return pauseMs
    if (status === GONE || status === GATEWAY_TIMEOUT) this.#version = undefined
    // The server's answer to a version that it has not reached: its store was set back.
    if (status === GATEWAY_TIMEOUT) this.#heardVersion = undefined
    if (status !== GONE) this.#health.failed(failure)
    if (status === FORBIDDEN && !this.#maySoonBeAllowed()) return this.#times.forbiddenMs + pauseMs
    return Math.max(retryAfterMs, pauseMs)
  }

  /** A server that has just started refuses what it has not read its roles for. */
  #maySoonBeAllowed(): boolean {
    return this.#heardVersion !== undefined && this.#refusals <= EARLY_REFUSALS
  }

  /** true: it failed only because the server has no WatchList. */
  #noteWatchList({ status }: ApiFailure): boolean {
    if (!this.#initial) return false
    this.#initial = undefined
    const hasBegun = this.#watching !== undefined
    if (!REFUSALS.has(status) && !(hasBegun && ++this.#unfinished >= UNFINISHED_LIMIT)) return false
    this.#unfinished = 0
    this.#listsUntilMs = this.#parts.clock.monotonicMs() + this.#times.listingMs
    return true
  }

  async #list(): Promise<void> {
    const uids = new Set<string>()
    const list = new PagedList(uids, item => this.#changed(objectOf(item), uids))
    const read: ListReading = async (query, onBegin, onChunk) => {
      const dog = new Watchdog(this.#closing.signal)
      await this.#read(query, 'list', dog, () => onBegin(dog), onChunk)
    }
    try {
      this.#synced(await list.read(this.#heardVersion, this.#times.stalledMs, read), uids)
    } finally {
      this.#health.skipped += list.skipped
    }
  }

  /** Without a version it tells everything first, then goes on: WatchList. */
  async #watch(): Promise<void> {
    const { connection } = this.#parts
    const [leastMs, mostMs] = (await connection.hasPings()) ? this.#times.watchMs : this.#times.watchWithoutPingsMs
    const seconds = Math.ceil((leastMs + Math.random() * (mostMs - leastMs)) / 1000)
    const dog = new Watchdog(this.#closing.signal)
    this.#initial = this.#version === undefined ? new Set() : undefined
    let stalled: NodeJS.Timeout | undefined
    const onBegin = (answer: ApiResponse) => {
      this.#watching = { sinceMs: this.#parts.clock.monotonicMs(), answer }
      stalled = this.#guardWatch(dog, seconds)
    }
    const lines = new LineSplitter()
    const from =
      this.#version === undefined
        ? 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan'
        : `resourceVersion=${encodeURIComponent(this.#version)}`
    const onChunk = (chunk: Buffer) => {
      if (this.#initial) stalled?.refresh()
      for (const line of lines.push(chunk)) this.#event(line)
      if (!this.#initial) clearTimeout(stalled)
    }
    try {
      const query = `watch=1&allowWatchBookmarks=true&timeoutSeconds=${seconds}&${from}`
      await this.#read(query, 'watch', dog, onBegin, onChunk)
    } finally {
      this.#health.skipped += lines.skipped
    }
    if (this.#initial) throw new ApiFailure(0, 'a watch ended before it had told everything')
    const livedMs = this.#parts.clock.monotonicMs() - (this.#watching?.sinceMs ?? 0)
    if (livedMs < this.#times.livedMs) throw new ApiFailure(0, 'the server ended its watch at once')
  }

  /** From its beginning on: that it ends, and that it does not stall before it has told everything. */
  #guardWatch(dog: Watchdog, seconds: number): NodeJS.Timeout | undefined {
    const { overdueMs, stalledMs, worksMs } = this.#times
    dog.within(seconds * 1000 + overdueMs, `the server did not end its watch after ${seconds} s`)
    if (this.#initial) return dog.within(stalledMs, `a watch stalled for ${stalledMs / 1000} s at its beginning`)
    dog.after(worksMs, () => this.#health.works())
    return undefined
  }

  async #read(
    query: string,
    verb: 'list' | 'watch',
    dog: Watchdog,
    onBegin: (answer: ApiResponse) => void,
    onChunk: (chunk: Buffer) => void,
  ): Promise<void> {
    const { watched, connection } = this.#parts
    const { path, fieldSelector, apiGroup, resource } = watched
    const selected = fieldSelector === undefined ? '' : `&fieldSelector=${encodeURIComponent(fieldSelector)}`
    const request = {
      path: `${path}?${query}${selected}`,
      accept: 'application/json',
      rule: { apiGroup, resource, verb },
      reasonMs: this.#times.reasonMs,
    }
    await readAnswer(connection, request, dog, this.#health, onChunk, onBegin)
  }

  #event(line: string): void {
    const { type, object } = fieldsOf(objectOf(line))
    if (type === 'ERROR') throw new ApiFailure(Number(fieldsOf(object).code) || 0, statusMessage(object, 0))
    const metadata = fieldsOf(fieldsOf(object).metadata)
    const version = textOf(metadata.resourceVersion, VERSION_LIMIT)
    if (type === 'ADDED' || type === 'MODIFIED') this.#changed(object, this.#initial)
    else if (type === 'DELETED') this.#deleted(textOf(metadata.uid))
    else if (type !== 'BOOKMARK') throw new ApiFailure(0, 'what came is no event of a watch')
    if (!this.#initial) {
      if (version !== '') this.#version = this.#heardVersion = version
      if (version !== '' && type !== 'BOOKMARK') this.#changedVersion = this.#eventVersion = version
      this.#health.works()
      return
    }
    const isEnd = type === 'BOOKMARK' && fieldsOf(metadata.annotations)[INITIAL_EVENTS_END] === 'true'
    if (isEnd) this.#synced(version, this.#initial)
  }

  #changed(object: unknown, uids: Set<string> | undefined): void {
    const { parser, listener, watched, clock } = this.#parts
    this.#health.objects++
    const record = parser.parse(watched.resource, object)
    if (!record) {
      this.#health.skipped++
      return
    }
    uids?.add(record.uid)
    listener.changed(watched.resource, record, clock.nowMs())
  }

  #deleted(uid: string): void {
    const { listener, watched, clock } = this.#parts
    this.#health.objects++
    this.#initial?.delete(uid)
    if (uid !== '') listener.deleted(watched.resource, uid, clock.nowMs())
  }

  #synced(version: string, uids: Set<string>): void {
    const { listener, watched, clock } = this.#parts
    this.#version = this.#heardVersion = this.#changedVersion = version
    this.#initial = undefined
    this.#unfinished = 0
    listener.synced(watched.resource, uids, clock.nowMs())
    this.#health.synced()
  }
}

function objectOf(text: string): unknown {
  const value = parsedJson(text)
  if (value === undefined) throw new ApiFailure(0, 'what came is not JSON')
  return value
}
