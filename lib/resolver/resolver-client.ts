// An agent's way to a resolver: one conversation after the other, whatever happens between, and never more often than is good.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../host/clock.ts'
import type { Log } from '../host/log.ts'
import { ApiFailure, asFailure, beginningOf, parsedJson, statusMessage } from '../kubernetes/api-failure.ts'
import { BACK_OFF, type BackOffTimes, JitteredBackOff } from '../kubernetes/back-off.ts'
import type { ClusterConnection } from '../kubernetes/cluster-connection.ts'
import type { Resource } from '../kubernetes/cluster-objects.ts'
import { LineSplitter } from '../kubernetes/json-stream.ts'
import type { ResourceState } from '../kubernetes/watch-health.ts'
import { Watchdog } from '../kubernetes/watchdog.ts'
import { CONTENT_TYPE, type Hello, line, type MarkMessage, MOST, PATH, PROTOCOL, type Versions } from './messages.ts'
import { OwnWords } from './own-words.ts'
import { ResolverHealth } from './resolver-health.ts'
import { ResolverSession } from './resolver-session.ts'
import type { ToldCluster } from './told-cluster.ts'

export interface ResolverClientParts {
  readonly connection: ClusterConnection
  readonly told: ToldCluster
  readonly nodeName: string
  /** Keys of labels that are needed of pods elsewhere. */
  readonly labels: readonly string[]
  /** Of the newest change of this node's pods that the API server has told us. */
  readonly ownVersion: () => string | undefined
  readonly log: Log
  readonly clock: Clock
  readonly times?: ResolverTimes
}

export interface ResolverTimes {
  readonly backOff: BackOffTimes
  /** A conversation that lived that long begins the back-off anew. */
  readonly livedMs: number
  /** For which a drain waits for answers. */
  readonly waitMs: number
  /** Without an answer that is owed to us the other end is dead. */
  readonly silentMs: number
  /** Without anything to ask there is a mark so often. */
  readonly markEveryMs: number
  /** For the body of an answer that is no success. */
  readonly reasonMs: number
  /** What is older than what we know is as good as anything after so long without a resolver. */
  readonly forgetMs: number
}

export const RESOLVER_TIMES: ResolverTimes = {
  backOff: BACK_OFF,
  livedMs: 20_000,
  waitMs: 500,
  silentMs: 5_000,
  markEveryMs: 5_000,
  reasonMs: 5_000,
  forgetMs: 300_000,
}

const OK = 200

export class ResolverClient {
  readonly #parts: ResolverClientParts
  readonly #times: ResolverTimes
  readonly #backOff: JitteredBackOff
  readonly #health: ResolverHealth
  readonly #words = new OwnWords()
  readonly #closing = new AbortController()
  #running: Promise<void> | undefined
  #session: ResolverSession | undefined
  /** Of what we were told last. */
  #after: Versions = {}
  /** Monotonic ms, when there was one. */
  #servedAtMs: number

  constructor(parts: ResolverClientParts) {
    this.#parts = parts
    this.#times = parts.times ?? RESOLVER_TIMES
    this.#backOff = new JitteredBackOff(this.#times.backOff)
    this.#health = new ResolverHealth(parts.connection.server, parts.log, parts.clock)
    this.#servedAtMs = parts.clock.monotonicMs()
    parts.told.mark = () => this.mark()
  }

  get state(): ResourceState {
    return this.#health.state
  }

  /** Wall clock, since when what was asked for of a resource is known; undefined: it is old, or not known. */
  knownSince(resource: Resource): number | undefined {
    return this.#session ? this.#health.knownSince(resource) : undefined
  }

  /** A resolver answers. */
  get isConnected(): boolean {
    return this.#session !== undefined
  }

  start(): void {
    this.#running ??= this.#run()
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#running
  }

  /** Resolves when what there was to ask is answered; at once while there is no resolver, or one that is slow. */
  async mark(): Promise<void> {
    const { ownVersion, clock } = this.#parts
    this.#words.note(ownVersion(), clock.nowMs())
    await this.#session?.mark(this.#times.waitMs)
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing
    while (!signal.aborted) {
      const beganAtMs = this.#parts.clock.monotonicMs()
      const failure = await this.#attempt()
      if (signal.aborted) return
      if (this.#parts.clock.monotonicMs() - beganAtMs >= this.#times.livedMs) this.#backOff.reset()
      this.#health.failed(failure)
      const pauseMs = Math.max(failure.retryAfterMs ?? 0, this.#backOff.next())
      await sleep(pauseMs, undefined, { signal }).catch(() => {})
    }
  }

  /** One conversation to its end, and why it ended. */
  async #attempt(): Promise<ApiFailure> {
    const { connection, told } = this.#parts
    const dog = new Watchdog(this.#closing.signal)
    let failure: unknown
    try {
      this.#health.requests++
      const answer = await connection.converse(PATH, CONTENT_TYPE, line({ hello: this.#hello() }), dog.signal)
      if (answer.status !== OK) {
        dog.within(this.#times.reasonMs, `HTTP status ${answer.status}`)
        const text = await beginningOf(answer.body)
        const message = statusMessage(parsedJson(text) ?? text, answer.status)
        throw new ApiFailure(answer.status, message, { retryAfterMs: answer.retryAfterMs })
      }
      await this.#converse(answer, dog)
    } catch (error) {
      failure = dog.reasonOf(error)
    } finally {
      dog.end()
      this.#session?.close()
      this.#session = undefined
      told.interrupted()
    }
    // Whatever else: the next one is to be another one, over a connection of its own.
    connection.abandon()
    return asFailure(failure ?? new ApiFailure(0, 'the resolver ended the conversation'))
  }

  async #converse({ body, sending }: Awaited<ReturnType<ClusterConnection['converse']>>, dog: Watchdog): Promise<void> {
    const { told, clock } = this.#parts
    const session = new ResolverSession({
      ...{ told, questions: told.questions, clock },
      send: text => void sending.write(text),
      heardBy: ({ pods }) => this.#words.heardBy(pods, clock.nowMs()),
      onWelcome: ({ resolver }) => this.#health.welcomed(resolver),
      onAnswers: count => {
        this.#health.objects += count
      },
      onMarked: message => this.#marked(session, message),
    })
    this.#session = session
    const timer = setInterval(() => this.#look(session, dog), this.#times.silentMs / 5)
    const lines = new LineSplitter(MOST.answerLineBytes)
    try {
      for await (const chunk of body) {
        if (dog.signal.aborted) break
        this.#health.bytes += (chunk as Buffer).length
        for (const text of lines.push(chunk as Buffer)) session.receive(text)
        if (lines.isTooLong) throw new ApiFailure(0, 'a line of a resolver was too long')
      }
    } finally {
      clearInterval(timer)
      body.destroy()
    }
  }

  #marked(session: ResolverSession, { changed, lacks = {}, old = {} }: MarkMessage): void {
    this.#health.lacks({ ...lacks, ...old })
    this.#parts.told.lacks = lacks
    if (!session.hasAnswered) return
    this.#after = changed
    this.#servedAtMs = this.#parts.clock.monotonicMs()
    this.#health.works()
  }

  /** Whether it is still there; who does not drain has questions, too. */
  #look(session: ResolverSession, dog: Watchdog): void {
    const { silentMs, markEveryMs } = this.#times
    const nowMs = this.#parts.clock.monotonicMs()
    const { owesSinceMs } = session
    if (owesSinceMs !== undefined && nowMs - owesSinceMs > silentMs)
      dog.abort(new ApiFailure(0, `the resolver did not answer within ${silentMs / 1000} s`))
    else if (nowMs - session.markedAtMs >= markEveryMs) void session.mark(0)
  }

  #hello(): Hello {
    const { clock, nodeName, labels, told } = this.#parts
    if (clock.monotonicMs() - this.#servedAtMs > this.#times.forgetMs) this.#after = {}
    return { protocol: PROTOCOL, node: nodeName, labels, after: this.#after, ...told.tags }
  }
}
