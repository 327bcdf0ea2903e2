// Whose a bearer token is: the API server is asked, and believed for a while.
import { hash } from 'node:crypto'
import type { Clock } from '../host/clock.ts'
import type { Log } from '../host/log.ts'
import { type RequestCounts, readJson } from './api-answer.ts'
import { ApiFailure, asFailure, ruleText } from './api-failure.ts'
import type { ClusterConnection } from './cluster-connection.ts'
import { fieldsOf, listOf, textOf } from './object-fields.ts'

export interface TokenReviewsParts {
  readonly connection: ClusterConnection
  /** A token for anybody else is nobody's. */
  readonly audiences: readonly string[]
  readonly log: Log
  readonly clock: Clock
}

interface Known {
  readonly untilMs: number
  readonly user: Promise<string | undefined>
}

const PATH = '/apis/authentication.k8s.io/v1/tokenreviews'
const RULE = { apiGroup: 'authentication.k8s.io', resource: 'tokenreviews', verb: 'create' }
const ANSWER_MS = 5_000
/** As long as API servers believe their own webhooks. */
const BELIEVED_MS = 120_000
/** What is nobody's may be somebody's soon. */
const REFUSED_MS = 10_000
/** The longest service account tokens have some 4 kB. */
const TOKEN_LIMIT = 16_384
const KNOWN_LIMIT = 20_000
/** Who guesses tokens must not make the API server work. */
const MOST_A_SECOND = 100
const TOO_MANY = 429
const FORBIDDEN = 403

export class TokenReviews {
  readonly counts: RequestCounts = { requests: 0, bytes: 0 }
  readonly #parts: TokenReviewsParts
  readonly #closing = new AbortController()
  /** By the token's hash, in the order of asking. */
  readonly #known = new Map<string, Known>()
  #second = 0
  #ofSecond = 0
  #isForbidden = false

  constructor(parts: TokenReviewsParts) {
    this.#parts = parts
  }

  /** The user's name; undefined: nobody's. Throws `ApiFailure` when the API server does not say. */
  async userOf(token: string): Promise<string | undefined> {
    if (token === '' || token.length > TOKEN_LIMIT) return undefined
    const key = hash('sha256', token, 'base64')
    const nowMs = this.#parts.clock.monotonicMs()
    const known = this.#known.get(key)
    if (known && nowMs < known.untilMs) return known.user
    this.#countOne(nowMs)
    const user = this.#ask(token)
    this.#remember(key, { untilMs: nowMs + BELIEVED_MS, user })
    try {
      const found = await user
      if (found === undefined) this.#remember(key, { untilMs: nowMs + REFUSED_MS, user })
      return found
    } catch (error) {
      this.#known.delete(key)
      throw asFailure(error)
    }
  }

  close(): void {
    this.#closing.abort()
  }

  #countOne(nowMs: number): void {
    const second = Math.floor(nowMs / 1000)
    if (second !== this.#second) this.#ofSecond = 0
    this.#second = second
    if (++this.#ofSecond > MOST_A_SECOND) throw new ApiFailure(TOO_MANY, 'too many tokens to ask for')
  }

  #remember(key: string, known: Known): void {
    this.#known.delete(key)
    this.#known.set(key, known)
    if (this.#known.size <= KNOWN_LIMIT) return
    const [oldest] = this.#known.keys()
    this.#known.delete(oldest!)
  }

  async #ask(token: string): Promise<string | undefined> {
    const { connection, audiences } = this.#parts
    const kind = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview' }
    const body = JSON.stringify({ ...kind, spec: { token, audiences } })
    const request = { path: PATH, accept: 'application/json', body, rule: RULE, reasonMs: ANSWER_MS }
    try {
      const review = await readJson(connection, request, this.#closing.signal, this.counts)
      this.#isForbidden = false
      const status = fieldsOf(fieldsOf(review).status)
      // A server that knows no audiences says nothing of them, and its tokens are for everybody.
      const isOurs = listOf(status.audiences, 100).some(each => audiences.includes(String(each)))
      const user = textOf(fieldsOf(status.user).username)
      return status.authenticated === true && isOurs && user !== '' ? user : undefined
    } catch (error) {
      this.#tell(asFailure(error))
      throw error
    }
  }

  /** The log hears of a missing rule once. */
  #tell({ status, message }: ApiFailure): void {
    const { log } = this.#parts
    if (status !== FORBIDDEN) return void log.debug(`kubernetes: tokens: ${message}`)
    if (!this.#isForbidden)
      log.warn(
        `kubernetes: tokens: forbidden: the ClusterRole lacks ${ruleText(RULE)}; until then agents with a service account’s token are refused`,
      )
    this.#isForbidden = true
  }
}
