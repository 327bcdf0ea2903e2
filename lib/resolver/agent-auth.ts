// Whether somebody who connects may ask: by a client certificate, a token of a list, or a service account's token.
import { createHash, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { TokenReviewConfig } from '../config/resolver.ts'
import type { Clock } from '../host/clock.ts'
import { Failure } from '../host/failure.ts'
import type { Log } from '../host/log.ts'
import { asFailure } from '../kubernetes/api-failure.ts'
import type { TokenReviews } from '../kubernetes/token-review.ts'

export interface Credentials {
  /** Its certificate is one of the authority that we trust. */
  readonly isCertified: boolean
  readonly authorization: string | undefined
}

/** Why somebody may not ask, as an HTTP status says it. */
export interface Refusal {
  readonly status: 401 | 403 | 429 | 503
  readonly reason: string
}

export interface AgentAuthParts {
  readonly tokenFile?: string
  readonly reviews?: Pick<TokenReviews, 'userOf'>
  readonly review?: TokenReviewConfig
  readonly log: Log
  readonly clock: Clock
}

const READ_AGAIN_MS = 10_000
const MOST_TOKENS = 10_000
const TOO_MANY = 429

export class AgentAuth {
  readonly #parts: AgentAuthParts
  readonly #allowed: ReadonlySet<string>
  #tokens: readonly Buffer[] = []
  #readAtMs: number

  /** Throws a Failure when the list of tokens can't be read. */
  constructor(parts: AgentAuthParts) {
    this.#parts = parts
    const accounts = parts.review?.serviceAccounts ?? []
    this.#allowed = new Set(accounts.map(each => `system:serviceaccount:${each.replace('/', ':')}`))
    this.#readAtMs = parts.clock.monotonicMs()
    if (parts.tokenFile !== undefined) this.#tokens = readTokens(parts.tokenFile)
  }

  /** undefined: it may. */
  async refusal({ isCertified, authorization }: Credentials): Promise<Refusal | undefined> {
    if (isCertified) return undefined
    const token = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
    if (token === undefined) return { status: 401, reason: 'neither a client certificate nor a token' }
    if (this.#isListed(token)) return undefined
    const { reviews } = this.#parts
    if (!reviews) return { status: 401, reason: 'the token is not listed' }
    try {
      const user = await reviews.userOf(token)
      if (user === undefined) return { status: 401, reason: 'nobody has this token, or it is not for the audience' }
      return this.#allowed.has(user) ? undefined : { status: 403, reason: `${user} may not ask` }
    } catch (error) {
      const { status, message } = asFailure(error)
      if (status === TOO_MANY) return { status: 429, reason: message }
      return { status: 503, reason: `the token can't be checked: ${message}` }
    }
  }

  /** Takes as long whichever of them it is. */
  #isListed(token: string): boolean {
    this.#readAgain()
    const digest = digestOf(token)
    return this.#tokens.reduce((isOne, each) => timingSafeEqual(each, digest) || isOne, false)
  }

  #readAgain(): void {
    const { tokenFile, clock, log } = this.#parts
    if (tokenFile === undefined || clock.monotonicMs() - this.#readAtMs < READ_AGAIN_MS) return
    this.#readAtMs = clock.monotonicMs()
    try {
      this.#tokens = readTokens(tokenFile)
    } catch (error) {
      log.error(`${(error as Error).message}; the tokens from before count`)
    }
  }
}

function readTokens(file: string): Buffer[] {
  try {
    const lines = readFileSync(file, 'utf8').split('\n')
    return lines
      .map(each => each.trim())
      .filter(Boolean)
      .slice(0, MOST_TOKENS)
      .map(digestOf)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const remedy = 'let the resolver read it, or name another file in resolver.token_file'
    throw new Failure({ step: 'read tokens', subject: file, cause: code ?? message, remedy })
  }
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
