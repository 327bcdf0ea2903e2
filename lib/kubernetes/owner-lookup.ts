// Who controls a controller: asked for one by one where a name does not prove it, so that nobody has to watch every ReplicaSet.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../host/clock.ts'
import type { Log } from '../host/log.ts'
import { type ApiRequest, type RequestCounts, readJson } from './api-answer.ts'
import { ApiFailure, asFailure, type MissingRule, ruleText } from './api-failure.ts'
import { BACK_OFF, type BackOffTimes, JitteredBackOff } from './back-off.ts'
import type { ClusterConnection } from './cluster-connection.ts'
import type { Owner } from './cluster-objects.ts'
import { fieldsOf, listOf, textOf } from './object-fields.ts'
import { controllerOf } from './object-parser.ts'

export interface OwnerLookupParts {
  readonly connection: ClusterConnection
  readonly log: Log
  readonly clock: Clock
  readonly times?: OwnerLookupTimes
}

export interface OwnerLookupTimes {
  readonly backOff: BackOffTimes
  /** Before what was forbidden, or not served, is asked for again. */
  readonly refusedMs: number
  readonly answerMs: number
}

const TIMES: OwnerLookupTimes = { backOff: BACK_OFF, refusedMs: 600_000, answerMs: 30_000 }
/** The second is for errors, which the server has in no other form: without it 404 becomes 406. */
const METADATA_ONLY = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=1,application/json'
/** At the same time. */
const REQUEST_LIMIT = 4
/** Owners that wait for their turn; who comes later has no answer. */
const WAITING_LIMIT = 10_000
const KNOWN_LIMIT = 20_000
const RESOURCES_LIMIT = 2_000
const REFUSED_LIMIT = 1_000
const KINDS_LIMIT = 200
const NOT_FOUND = 404
/** Of the client's errors those that may pass: not known to the server, too slow, too many. */
const PASSING = new Set([401, 408, 429])

/** What nearly all clusters ask for; everything else is found by discovery. */
const wellKnown: Readonly<Record<string, string>> = {
  'apps/v1 ReplicaSet': 'replicasets',
  'batch/v1 Job': 'jobs',
}

interface Kind {
  /** Plural, as in a path. */
  readonly resource: string
  readonly isNamespaced: boolean
}

export class OwnerLookup {
  readonly counts: RequestCounts = { requests: 0, bytes: 0 }
  readonly #parts: OwnerLookupParts
  readonly #times: OwnerLookupTimes
  readonly #closing = new AbortController()
  /** By UID: what it says about its own controller does not change. In the order of their coming. */
  readonly #known = new Map<string, Promise<Owner | undefined>>()
  readonly #kinds = new Map<string, ReadonlyMap<string, Kind>>()
  /** Monotonic ms until when it is not asked for again, by API version and kind. */
  readonly #refused = new Map<string, number>()
  readonly #missing = new Map<string, MissingRule>()
  readonly #turns: (() => void)[] = []
  #waiting = 0
  #requesting = 0

  constructor(parts: OwnerLookupParts) {
    this.#parts = parts
    this.#times = parts.times ?? TIMES
  }

  /** Rules that owners could not be looked up without. */
  get missingRules(): readonly MissingRule[] {
    return [...this.#missing.values()]
  }

  /** The controller of `owner`, itself an object in `namespace`; undefined: none, or nobody may tell us. It waits while the server is away. */
  ownerOf(namespace: string, owner: Owner): Promise<Owner | undefined> {
    // Static pods belong to their node.
    if (owner.kind === 'Node' || !canBeAskedFor(namespace, owner) || this.#isRefused(owner))
      return Promise.resolve(undefined)
    const known = this.#known.get(owner.uid)
    if (known) return known
    if (this.#waiting >= WAITING_LIMIT) return Promise.resolve(undefined)
    const found = this.#lookUp(namespace, owner)
    this.#remember(owner.uid, found)
    return found
  }

  /** What was asked for comes to undefined. */
  close(): void {
    this.#closing.abort()
    for (const turn of this.#turns.splice(0)) turn()
  }

  #remember(uid: string, found: Promise<Owner | undefined>): void {
    this.#known.set(uid, found)
    if (this.#known.size <= KNOWN_LIMIT) return
    const [oldest] = this.#known.keys()
    this.#known.delete(oldest!)
  }

  async #lookUp(namespace: string, owner: Owner): Promise<Owner | undefined> {
    const backOff = new JitteredBackOff(this.#times.backOff)
    const { signal } = this.#closing
    this.#waiting++
    try {
      while (!signal.aborted) {
        try {
          return await this.#inTurn(() => this.#ask(namespace, owner))
        } catch (error) {
          const failure = asFailure(error)
          const { status } = failure
          if (status >= 400 && status < 500 && !PASSING.has(status)) return this.#refuse(owner, failure)
          const pauseMs = Math.max(failure.retryAfterMs ?? 0, backOff.next())
          await sleep(pauseMs, undefined, { signal }).catch(() => {})
        }
      }
    } finally {
      this.#waiting--
    }
    return undefined
  }

  /** Throws `ApiFailure`. */
  async #ask(namespace: string, owner: Owner): Promise<Owner | undefined> {
    if (this.#isRefused(owner)) return undefined
    const { apiVersion, name, uid } = owner
    const kind = await this.#kindOf(owner)
    if (!kind) throw new ApiFailure(NOT_FOUND, `${apiVersion} has no ${owner.kind}`)
    const scope = kind.isNamespaced ? `/namespaces/${encodeURIComponent(namespace)}` : ''
    const path = `${pathOf(apiVersion)}${scope}/${kind.resource}/${encodeURIComponent(name)}`
    const rule = { apiGroup: groupOf(apiVersion), resource: kind.resource, verb: 'get' }
    try {
      const metadata = fieldsOf(fieldsOf(await this.#read({ path, accept: METADATA_ONLY, rule })).metadata)
      // Another one of the same name says nothing about it.
      return metadata.uid === uid ? controllerOf(metadata) : undefined
    } catch (error) {
      // It is gone, and so is what it knew.
      if (asFailure(error).status === NOT_FOUND) return undefined
      throw error
    }
  }

  async #kindOf({ apiVersion, kind }: Owner): Promise<Kind | undefined> {
    const resource = wellKnown[`${apiVersion} ${kind}`]
    if (resource !== undefined) return { resource, isNamespaced: true }
    let kinds = this.#kinds.get(apiVersion)
    if (!kinds) {
      const rule = { apiGroup: groupOf(apiVersion), resource: '*', verb: 'get' }
      kinds = kindsOf(await this.#read({ path: pathOf(apiVersion), accept: 'application/json', rule }))
      if (this.#kinds.size >= KINDS_LIMIT) this.#kinds.clear()
      this.#kinds.set(apiVersion, kinds)
    }
    return kinds.get(kind)
  }

  #read(request: Omit<ApiRequest, 'reasonMs'>): Promise<unknown> {
    const asked = { ...request, reasonMs: this.#times.answerMs }
    return readJson(this.#parts.connection, asked, this.#closing.signal, this.counts)
  }

  /** Its kind is not asked for again for a while; the log hears of a missing rule once. */
  #refuse(owner: Owner, { message, missingRule }: ApiFailure): undefined {
    const { clock, log } = this.#parts
    this.#known.delete(owner.uid)
    // Anybody who may make pods can name owners of kinds that there are not, any number of them.
    if (this.#refused.size >= REFUSED_LIMIT) this.#refused.clear()
    this.#refused.set(kindKey(owner), clock.monotonicMs() + this.#times.refusedMs)
    if (!missingRule) return void log.debug(`kubernetes: owners: ${message}`)
    const text = ruleText(missingRule)
    if (this.#missing.has(text)) return
    this.#missing.set(text, missingRule)
    log.warn(`kubernetes: owners: forbidden: the ClusterRole lacks ${text}; until then names end at ${owner.kind}`)
  }

  #isRefused(owner: Owner): boolean {
    const untilMs = this.#refused.get(kindKey(owner))
    if (untilMs === undefined) return false
    if (this.#parts.clock.monotonicMs() < untilMs) return true
    this.#refused.delete(kindKey(owner))
    return false
  }

  async #inTurn<T>(request: () => Promise<T>): Promise<T> {
    if (this.#requesting >= REQUEST_LIMIT) await new Promise<void>(turn => this.#turns.push(turn))
    else this.#requesting++
    try {
      return await request()
    } finally {
      const next = this.#turns.shift()
      if (next) next()
      else this.#requesting--
    }
  }
}

/** Nothing that would make another path of it. */
function canBeAskedFor(namespace: string, { apiVersion, name }: Owner): boolean {
  const isName = (text: string) => /^[a-z0-9]/.test(text)
  return isName(name) && (namespace === '' || isName(namespace)) && apiVersion.split('/', 3).every(isName)
}

function kindKey({ apiVersion, kind }: Owner): string {
  return `${apiVersion} ${kind}`
}

/** `apps/v1` is a group and its version, `v1` is of the core, whose group has no name. */
function groupOf(apiVersion: string): string {
  return apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''
}

function pathOf(apiVersion: string): string {
  const parts = apiVersion.split('/').map(encodeURIComponent)
  return parts.length === 1 ? `/api/${parts[0]}` : `/apis/${parts.join('/')}`
}

/** Of an `APIResourceList`. Subresources are no resources of their own. */
function kindsOf(list: unknown): ReadonlyMap<string, Kind> {
  const kinds = new Map<string, Kind>()
  for (const each of listOf(fieldsOf(list).resources, RESOURCES_LIMIT)) {
    const { kind, name, namespaced } = fieldsOf(each)
    const resource = textOf(name)
    if (/^[a-z0-9-]+$/.test(resource)) kinds.set(textOf(kind), { resource, isNamespaced: namespaced === true })
  }
  return kinds
}
