// One agent that asks a resolver, from its greeting to its end; what carries its lines is somebody else's concern.
import { type Asking, type Hello, line, type MarkMessage, MOST, type PeerKey, type WelcomeMessage } from './messages.ts'
import type { NodeChanges, NodeFacts } from './node-facts.ts'
import type { Subscriber, Subscriptions, Told } from './subscriptions.ts'

export interface AgentSessionParts {
  readonly subscriptions: Subscriptions
  readonly nodes: NodeFacts
  /** What is surely known; to find that out takes a moment. */
  readonly freshness: () => Promise<Omit<MarkMessage, 'mark'>>
  /** false: nothing more, until `drained`. */
  readonly send: (text: string) => boolean
  /** Ends it for a reason that the agent is told of. */
  readonly end: (reason: string) => void
}

/** Of answers; a line may be longer by one answer. */
const LINE_BYTES = 64 * 1024

export class AgentSession implements Subscriber {
  readonly #parts: AgentSessionParts
  readonly #keys = new Set<PeerKey>()
  /** To be told, unless it is as by the tag: an agent that is slow is told once of what has changed often. */
  readonly #waiting = new Map<PeerKey, string>()
  /** What is left of all nodes. */
  #nodeLines: readonly string[] = []
  #areNodesOld = false
  #areNodePortsOld = false
  #marks: number[] = []
  #isAsking = false
  #isBlocked = false
  #isOver = false

  constructor(parts: AgentSessionParts) {
    this.#parts = parts
  }

  get keys(): number {
    return this.#keys.size
  }

  welcome(welcome: WelcomeMessage, { nodes, nodePorts }: Hello): void {
    this.#send(line({ welcome }))
    this.#areNodesOld = nodes !== this.#parts.nodes.nodes.tag
    this.#areNodePortsOld = nodePorts !== this.#parts.nodes.nodePorts.tag
    this.pump()
  }

  receive(message: Asking): void {
    if (this.#isOver) return
    if ('ask' in message) this.#ask(message.ask)
    else if ('forget' in message) for (const key of message.forget) this.#forget(key)
    else if ('mark' in message) this.#mark(message.mark)
    else this.#parts.end('it says hello twice')
    this.pump()
  }

  changed(key: PeerKey, told: Told): void {
    if (this.#isBlocked || this.#waiting.size > 0) this.#waiting.set(key, '')
    else this.#send(`{"told":{${told.text}}}\n`)
  }

  nodesChanged({ nodes, areNodePortsOld }: NodeChanges): void {
    if (areNodePortsOld) this.#areNodePortsOld = true
    if (nodes !== undefined && !this.#isBlocked && this.#nodeLines.length === 0) this.#send(nodes)
    else if (nodes !== undefined) this.#areNodesOld = true
    this.pump()
  }

  drained(): void {
    this.#isBlocked = false
    this.pump()
  }

  /** Sends what waits, as far as it is taken. */
  pump(): void {
    while (!this.#isBlocked && !this.#isOver && this.#sendNext()) {}
    if (!this.#isBlocked && !this.#isOver && this.#marks.length > 0 && !this.#isAsking) void this.#answerMarks()
  }

  /** Nothing is sent afterwards. */
  close(): void {
    this.#isOver = true
    for (const key of this.#keys) this.#parts.subscriptions.remove(key, this)
    this.#keys.clear()
    this.#waiting.clear()
  }

  /** false: there is nothing. */
  #sendNext(): boolean {
    const { nodes } = this.#parts
    if (this.#nodeLines.length > 0) {
      const [next, ...rest] = this.#nodeLines
      this.#nodeLines = rest
      this.#send(next!)
    } else if (this.#areNodesOld) {
      this.#areNodesOld = false
      this.#nodeLines = nodes.nodes.lines
    } else if (this.#areNodePortsOld) {
      this.#areNodePortsOld = false
      this.#send(nodes.nodePorts.lines.join(''))
    } else if (this.#waiting.size > 0) this.#tellWaiting()
    else return false
    return true
  }

  #ask(asked: ReadonlyMap<PeerKey, string>): void {
    const { subscriptions, end } = this.#parts
    for (const [key, tag] of asked) {
      if (!this.#keys.has(key)) {
        if (this.#keys.size >= MOST.keys) return void end('it asks for too much')
        if (subscriptions.isFull) return void end('all agents together ask for too much')
        this.#keys.add(key)
        subscriptions.add(key, this)
      }
      this.#waiting.set(key, tag)
    }
  }

  #forget(key: PeerKey): void {
    this.#waiting.delete(key)
    if (this.#keys.delete(key)) this.#parts.subscriptions.remove(key, this)
  }

  #mark(mark: number): void {
    if (this.#marks.length >= MOST.marks) this.#parts.end('it marks without waiting for an answer')
    else this.#marks.push(mark)
  }

  /** What was asked for before a mark is answered before it, and what happened before is told before it. */
  async #answerMarks(): Promise<void> {
    const marks = this.#marks
    this.#marks = []
    this.#isAsking = true
    const fresh = await this.#parts.freshness()
    this.#isAsking = false
    if (this.#isOver) return
    this.#parts.subscriptions.tell()
    while (!this.#isBlocked && this.#sendNext()) {}
    if (this.#isBlocked) this.#marks = [...marks, ...this.#marks]
    else for (const mark of marks) this.#send(line({ mark, ...fresh }))
    this.pump()
  }

  #tellWaiting(): void {
    const texts: string[] = []
    let bytes = 0
    for (const [key, tag] of this.#waiting) {
      if (bytes >= LINE_BYTES || texts.length >= MOST.keysOfLine) break
      this.#waiting.delete(key)
      const told = this.#parts.subscriptions.told(key)
      if (told.tag === tag) continue
      texts.push(told.text)
      bytes += told.text.length
    }
    if (texts.length > 0) this.#send(`{"told":{${texts.join()}}}\n`)
  }

  #send(text: string): void {
    this.#isBlocked = !this.#parts.send(text)
  }
}
