// One conversation with one resolver: what we know is asked for anew, then what is new, with marks in between.
import type { Clock } from '../host/clock.ts'
import { ApiFailure } from '../kubernetes/api-failure.ts'
import { line, type MarkMessage, MOST, type PeerKey, PROTOCOL, type Versions, type WelcomeMessage } from './messages.ts'
import type { PeerQuestions } from './peer-questions.ts'
import { parseTelling } from './telling-parser.ts'
import type { ToldCluster } from './told-cluster.ts'

export interface ResolverSessionParts {
  readonly told: Pick<ToldCluster, 'told' | 'toldNodes' | 'toldNodePorts' | 'confirmed'>
  readonly questions: PeerQuestions
  readonly clock: Clock
  readonly send: (text: string) => void
  /** Up to when a resolver that has heard of these versions can have heard of everything, wall clock. */
  readonly heardBy: (versions: Versions) => number
  readonly onWelcome: (message: WelcomeMessage) => void
  readonly onAnswers: (count: number) => void
  readonly onMarked: (message: MarkMessage) => void
}

interface Mark {
  /** Wall clock, and one that never steps back. */
  readonly sentMs: number
  readonly sentAtMs: number
  readonly resolve: () => void
}

/** A better measurement of its clock than the best one counts for so long. */
const CLOCK_COUNTS_MS = 60_000
/** Marks without an answer: it is slow. */
const MOST_MARKS = 8

export class ResolverSession {
  readonly #parts: ResolverSessionParts
  readonly #beganAtMs: number
  readonly #marks = new Map<number, Mark>()
  #nextMark = 0
  #markedAtMs: number
  #isWelcome = false
  #hasAsked = false
  /** It had not heard of what the API server had told us ourselves. */
  #wasLate = false
  /** Its clock less ours, by the mark that came back fastest. */
  #offsetMs = 0
  #roundTripMs = Number.POSITIVE_INFINITY
  #measuredAtMs = 0
  /** Everything that was asked for at the beginning is answered. */
  hasAnswered = false

  constructor(parts: ResolverSessionParts) {
    this.#parts = parts
    this.#beganAtMs = this.#markedAtMs = parts.clock.monotonicMs()
  }

  /** Monotonic ms since when it owes us an answer; undefined: it does not. */
  get owesSinceMs(): number | undefined {
    if (!this.#isWelcome) return this.#beganAtMs
    const [oldest] = this.#marks.values()
    return oldest?.sentAtMs
  }

  get markedAtMs(): number {
    return this.#markedAtMs
  }

  /** Sends what is to be asked, and resolves when all of it is answered, at the latest after `limitMs`. */
  async mark(limitMs: number): Promise<void> {
    if (!this.#hasAsked) return
    this.#askWhatIsNew()
    const isSlow = this.#marks.size > 0
    if (this.#marks.size >= MOST_MARKS) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#sendMark(resolve)
    // Who has not answered in time before is not waited for until it has.
    if (isSlow || limitMs === 0) return
    const limit = setTimeout(resolve, limitMs)
    await promise
    clearTimeout(limit)
  }

  /** One line of the resolver's. Throws `ApiFailure` when it can't be understood. */
  receive(text: string): void {
    const message = parseTelling(text)
    if (!message) throw new ApiFailure(0, 'what came is no message of a resolver')
    if ('welcome' in message) return void this.#welcomed(message.welcome)
    if ('bye' in message) throw new ApiFailure(0, `the resolver said goodbye: ${message.bye}`)
    if (!this.#isWelcome) throw new ApiFailure(0, 'a resolver spoke before it was ready')
    const { told } = this.#parts
    if ('nodes' in message) told.toldNodes(message.nodes)
    else if ('nodePorts' in message) told.toldNodePorts(message.nodePorts.all, message.nodePorts.tag)
    else if ('told' in message) {
      this.#parts.onAnswers(message.told.size)
      const ours = (theirMs: number) => theirMs - this.#offsetMs
      for (const [key, answer] of message.told) told.told(key, answer, ours)
    } else this.#marked(message.answer)
  }

  /** Nobody waits for it any more. */
  close(): void {
    for (const { resolve } of this.#marks.values()) resolve()
    this.#marks.clear()
    this.#hasAsked = false
  }

  #welcomed(welcome: WelcomeMessage): void {
    if (welcome.protocol !== PROTOCOL) throw new ApiFailure(0, `the resolver speaks protocol ${welcome.protocol}`)
    this.#isWelcome = true
    this.#parts.onWelcome(welcome)
    // Times of its answers can be read as soon as its clock is known.
    this.#sendMark(() => {})
  }

  #marked(message: MarkMessage): void {
    const mark = this.#marks.get(message.mark)
    if (!mark) throw new ApiFailure(0, 'a resolver answered what was not asked')
    this.#marks.delete(message.mark)
    this.#measureClock(mark, message.now)
    if (this.#hasAsked) this.#confirm(mark, message)
    else this.#askEverything()
    this.#parts.onMarked(message)
    mark.resolve()
  }

  #measureClock({ sentMs, sentAtMs }: Mark, theirMs: number): void {
    const nowMs = this.#parts.clock.monotonicMs()
    const roundTripMs = nowMs - sentAtMs
    if (roundTripMs > this.#roundTripMs && nowMs - this.#measuredAtMs < CLOCK_COUNTS_MS) return
    this.#roundTripMs = roundTripMs
    this.#measuredAtMs = nowMs
    this.#offsetMs = theirMs - (sentMs + roundTripMs / 2)
  }

  #confirm({ sentMs }: Mark, { behind, since, heard }: MarkMessage): void {
    this.hasAnswered = true
    if (behind === null) return
    const heardByMs = this.#parts.heardBy(heard)
    const untilMs = Math.min(sentMs - behind, heardByMs)
    // It does not know itself of what it hears late: its times of that can't be believed.
    const sinceMs = this.#wasLate ? untilMs : since - this.#offsetMs
    this.#wasLate = heardByMs < sentMs - behind
    this.#parts.told.confirmed({ sinceMs, untilMs })
  }

  #askEverything(): void {
    const { questions } = this.#parts
    questions.take()
    this.#ask([...questions.all()])
    this.#hasAsked = true
    this.#sendMark(() => {})
  }

  #askWhatIsNew(): void {
    const { questions, send } = this.#parts
    const { ask, forget } = questions.take()
    for (let at = 0; at < forget.length; at += MOST.keysOfLine)
      send(line({ forget: forget.slice(at, at + MOST.keysOfLine) }))
    this.#ask(ask.map(key => [key, '']))
  }

  #ask(keys: readonly (readonly [PeerKey, string])[]): void {
    for (let at = 0; at < keys.length; at += MOST.keysOfLine)
      this.#parts.send(line({ ask: Object.fromEntries(keys.slice(at, at + MOST.keysOfLine)) }))
  }

  #sendMark(resolve: () => void): void {
    const { clock, send } = this.#parts
    this.#markedAtMs = clock.monotonicMs()
    this.#marks.set(this.#nextMark, { sentMs: clock.nowMs(), sentAtMs: this.#markedAtMs, resolve })
    send(line({ mark: this.#nextMark++ }))
  }
}
