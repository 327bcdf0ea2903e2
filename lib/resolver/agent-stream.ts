// The HTTP/2 stream of one agent: who it is, its greeting, then its session until either side has had enough.
import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../host/log.ts'
import { LineSplitter } from '../kubernetes/json-stream.ts'
import type { AgentAuth, Refusal } from './agent-auth.ts'
import { AgentSession } from './agent-session.ts'
import { parseAsking } from './asking-parser.ts'
import type { Freshness } from './freshness.ts'
import { CONTENT_TYPE, type Hello, line, MOST, PROTOCOL, type Versions } from './messages.ts'
import type { NodeFacts } from './node-facts.ts'
import type { Subscriptions } from './subscriptions.ts'
import { behindIn } from './versions.ts'

export interface AgentStreamParts {
  readonly auth: AgentAuth
  readonly subscriptions: Subscriptions
  readonly nodes: NodeFacts
  readonly freshness: Pick<Freshness, 'of'>
  /** Keys of labels that are kept. */
  readonly labels: readonly string[]
  /** Why nobody can be answered yet; undefined: everybody can. */
  readonly notReady: () => string | undefined
  readonly heard: () => Versions
  readonly resolver: string
  readonly log: Log
  readonly times?: AgentStreamTimes
}

export interface AgentStreamTimes {
  /** For the greeting. */
  readonly helloMs: number
  /** Until as much is known as the agent has heard from another resolver. */
  readonly behindMs: number
  /** Without a line from the agent. */
  readonly silentMs: number
  /** Until it reads again. */
  readonly blockedMs: number
  /** For the last words. */
  readonly leaveMs: number
  /** Agents are sent on after a while, so that those of a resolver that was away come back to it. */
  readonly ageMs: readonly [least: number, most: number]
}

export const AGENT_STREAM_TIMES: AgentStreamTimes = {
  helloMs: 10_000,
  behindMs: 3_000,
  silentMs: 90_000,
  blockedMs: 30_000,
  leaveMs: 1_000,
  ageMs: [1_800_000, 3_600_000],
}

const BEHIND_AGAIN_MS = 50
const RETRY_AFTER_S = 2
/** An agent asks once a drain, and for what is new. */
const LINES_A_SECOND = 200

interface Refused {
  readonly status: Refusal['status'] | 400 | 409
  readonly reason: string
}

export class AgentStream {
  readonly #parts: AgentStreamParts
  readonly #times: AgentStreamTimes
  readonly #stream: ServerHttp2Stream
  readonly #lines = new LineSplitter(MOST.askLineBytes)
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #greeting = Promise.withResolvers<string | undefined>()
  #session: AgentSession | undefined
  #silence: NodeJS.Timeout | undefined
  #blocked: NodeJS.Timeout | undefined
  #ofSecond = 0
  /** Lines that came with the greeting. */
  #early: string[] = []

  constructor(parts: AgentStreamParts, stream: ServerHttp2Stream) {
    this.#parts = parts
    this.#times = parts.times ?? AGENT_STREAM_TIMES
    this.#stream = stream
    stream.on('error', () => {})
    stream.once('close', () => this.#closed())
    stream.on('data', (chunk: Buffer) => this.#received([...this.#lines.push(chunk)]))
  }

  /** Keys that it asks for. */
  get keys(): number {
    return this.#session?.keys ?? 0
  }

  get session(): AgentSession | undefined {
    return this.#session
  }

  /** undefined: it is served from now on. Else why not, which it has been told. */
  async serve(headers: IncomingHttpHeaders, isCertified: boolean): Promise<Refused | undefined> {
    const refused = await this.#admit(headers, isCertified)
    if (refused) this.#refuse(refused)
    return refused
  }

  /** `reason` for the agent, which then looks for another resolver. */
  end(reason: string): void {
    this.#session?.close()
    if (this.#stream.destroyed || this.#stream.writableEnded) return
    this.#stream.end(line({ bye: reason }))
    this.#after(this.#times.leaveMs, () => this.#stream.close())
  }

  async #admit(headers: IncomingHttpHeaders, isCertified: boolean): Promise<Refused | undefined> {
    const { auth, notReady } = this.#parts
    const refusal = await auth.refusal({ isCertified, authorization: headers.authorization })
    if (refusal) return refusal
    const hello = await this.#hello()
    if (!hello) return { status: 400, reason: 'no greeting came, or none that can be understood' }
    if (hello.protocol !== PROTOCOL) return { status: 400, reason: `protocol ${PROTOCOL} is spoken here` }
    const reason = notReady()
    if (reason !== undefined) return { status: 503, reason }
    const missing = hello.labels.find(each => !this.#parts.labels.includes(each))
    if (missing !== undefined)
      return {
        status: 409,
        reason: `label ${missing} is not kept: add it to the resolver's receivers.podweir.kubernetes.labels`,
      }
    const behind = await this.#behind(hello)
    if (behind !== undefined)
      return { status: 503, reason: `less is known here of ${behind} than another resolver has told` }
    if (!this.#stream.destroyed) this.#welcome(hello)
    return undefined
  }

  async #hello(): Promise<Hello | undefined> {
    const limit = this.#after(this.#times.helloMs, () => this.#greeting.resolve(undefined))
    const text = await this.#greeting.promise
    clearTimeout(limit)
    const message = text === undefined ? undefined : parseAsking(text)
    return message && 'hello' in message ? message.hello : undefined
  }

  async #behind({ after }: Hello): Promise<string | undefined> {
    for (let waitedMs = 0; ; waitedMs += BEHIND_AGAIN_MS) {
      const behind = behindIn(this.#parts.heard(), after)
      if (behind === undefined || waitedMs >= this.#times.behindMs || this.#stream.destroyed) return behind
      await sleep(BEHIND_AGAIN_MS)
    }
  }

  #welcome(hello: Hello): void {
    const { subscriptions, nodes, freshness, resolver } = this.#parts
    const stream = this.#stream
    stream.respond({ ':status': 200, 'content-type': CONTENT_TYPE })
    const session = new AgentSession({
      ...{ subscriptions, nodes, freshness: () => freshness.of() },
      send: text => this.#send(text),
      end: reason => this.end(reason),
    })
    this.#session = session
    const [leastMs, mostMs] = this.#times.ageMs
    this.#after(leastMs + Math.random() * (mostMs - leastMs), () => this.end('go to another one'))
    this.#silence = this.#after(this.#times.silentMs, () => this.end('nothing was heard of you'))
    const timer = setInterval(() => {
      this.#ofSecond = 0
      stream.resume()
    }, 1_000)
    this.#timers.add(timer)
    stream.on('drain', () => {
      clearTimeout(this.#blocked)
      this.#blocked = undefined
      session.drained()
    })
    session.welcome({ protocol: PROTOCOL, resolver }, hello)
    this.#received(this.#early.splice(0))
    stream.resume()
  }

  #received(lines: readonly string[]): void {
    if (!this.#session) return void this.#greeted(lines)
    this.#silence?.refresh()
    if (this.#lines.isTooLong) return void this.end('a line is too long')
    for (const text of lines) {
      const message = parseAsking(text)
      if (!message) return void this.end('it can’t be understood')
      this.#session.receive(message)
    }
    this.#ofSecond += lines.length
    if (this.#ofSecond > LINES_A_SECOND) this.#stream.pause()
  }

  /** The first line is the greeting; what comes with it waits until it is answered. */
  #greeted(lines: readonly string[]): void {
    this.#early.push(...lines)
    if (this.#lines.isTooLong) this.#greeting.resolve(undefined)
    if (this.#early.length === 0) return
    this.#stream.pause()
    this.#greeting.resolve(this.#early.shift())
  }

  #send(text: string): boolean {
    if (this.#stream.destroyed || this.#stream.writableEnded) return false
    const goesOn = this.#stream.write(text)
    // It is not read: nothing more is kept for it than what it asks for.
    if (!goesOn) this.#blocked ??= setTimeout(() => this.#stream.destroy(), this.#times.blockedMs)
    return goesOn
  }

  #refuse({ status, reason }: Refused): void {
    if (this.#stream.destroyed) return
    const headers: OutgoingHttpHeaders = { ':status': status, 'content-type': 'application/json' }
    if (status === 503 || status === 429) headers['retry-after'] = String(RETRY_AFTER_S)
    this.#stream.respond(headers)
    this.#stream.end(JSON.stringify({ message: reason }))
    this.#after(this.#times.leaveMs, () => this.#stream.close())
  }

  #after(ms: number, then: () => void): NodeJS.Timeout {
    const timer = setTimeout(then, ms)
    this.#timers.add(timer)
    return timer
  }

  #closed(): void {
    this.#session?.close()
    this.#greeting.resolve(undefined)
    clearTimeout(this.#blocked)
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }
}
