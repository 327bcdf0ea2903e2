// Who is to be told of what: agents by the keys that they have asked for.
import { Shared } from '../enrich/shared.ts'
import type { Answer, PeerKey } from './messages.ts'

export interface Subscriber {
  /** An answer differs from the one before. */
  changed(key: PeerKey, told: Told): void
  /** Called after each round of changes. */
  pump(): void
}

/** An answer as it is sent. */
export interface Told {
  readonly tag: string
  /** `"10.0.0.1":{…}` */
  readonly text: string
}

/** What comes within it is told at once: a pod that begins is changed a few times in a row. */
const ROUND_MS = 5
/** Of all agents together; each is some 60 bytes. */
export const MOST_SUBSCRIPTIONS = 1_000_000

export class Subscriptions {
  readonly #answer: (key: PeerKey) => Answer
  readonly #limit: number
  readonly #byKey = new Shared<PeerKey, Subscriber>()
  /** Of what was told last. */
  readonly #tags = new Map<PeerKey, string>()
  readonly #changed = new Set<PeerKey>()
  #count = 0
  #timer: NodeJS.Timeout | undefined

  constructor(answer: (key: PeerKey) => Answer, limit = MOST_SUBSCRIPTIONS) {
    this.#answer = answer
    this.#limit = limit
  }

  get count(): number {
    return this.#count
  }

  /** Different ones. */
  get keys(): number {
    return this.#tags.size
  }

  get isFull(): boolean {
    return this.#count >= this.#limit
  }

  /** To be called once for a subscriber and a key. */
  add(key: PeerKey, subscriber: Subscriber): void {
    this.#count++
    this.#byKey.add(key, subscriber)
    if (!this.#tags.has(key)) this.#tags.set(key, '')
  }

  remove(key: PeerKey, subscriber: Subscriber): void {
    this.#count--
    this.#byKey.remove(key, subscriber)
    if (this.#byKey.all(key).length === 0) this.#tags.delete(key)
  }

  /** What is known of a key now. */
  told(key: PeerKey): Told {
    // Who hears of it between two rounds must hear the second one, even if it ends where the first did.
    if (this.#changed.has(key)) this.#tags.set(key, '')
    return this.#tell(key)
  }

  /** Its answer may differ. */
  note(key: PeerKey): void {
    if (!this.#tags.has(key)) return
    this.#changed.add(key)
    this.#timer ??= setTimeout(() => this.tell(), ROUND_MS)
  }

  /** Tells now of what is to be told. */
  tell(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const touched = new Set<Subscriber>()
    for (const key of this.#changed) {
      const told = this.#tell(key)
      if (this.#tags.get(key) === told.tag) continue
      this.#tags.set(key, told.tag)
      for (const subscriber of this.#byKey.all(key)) {
        subscriber.changed(key, told)
        touched.add(subscriber)
      }
    }
    this.#changed.clear()
    for (const subscriber of touched) subscriber.pump()
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#changed.clear()
  }

  #tell(key: PeerKey): Told {
    const answer = this.#answer(key)
    return { tag: answer.tag, text: `${JSON.stringify(key)}:${JSON.stringify(answer)}` }
  }
}
