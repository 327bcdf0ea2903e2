// What an agent asks a resolver for: as much as its flows need, and never more than a bound.
import { type AddressKey, formatKey, parseAddressKey } from '../capture/address.ts'
import { MOST, type PeerKey } from './messages.ts'

export interface Question {
  isAnswered: boolean
  /** Somebody went without an answer. */
  wasMissed: boolean
  /** Of what was told last; empty: nothing was. */
  tag: string
  /** Monotonic ms. */
  usedMs: number
}

/** What is to be sent. */
export interface NewQuestions {
  readonly ask: readonly PeerKey[]
  readonly forget: readonly PeerKey[]
}

export class PeerQuestions {
  readonly #limit: number
  /** Most keys are addresses, and looked up as such. */
  readonly #addresses = new Map<AddressKey, Question>()
  readonly #others = new Map<PeerKey, Question>()
  #ask = new Set<PeerKey>()
  #forget = new Set<PeerKey>()
  /** Those that found no place. */
  refused = 0

  constructor(limit: number = MOST.keys) {
    this.#limit = limit
  }

  get size(): number {
    return this.#addresses.size + this.#others.size
  }

  /** Asked for from now on; undefined: there are too many. */
  address(address: AddressKey, nowMs: number): Question | undefined {
    return this.#addresses.get(address) ?? this.#add(this.#addresses, address, formatKey(address), nowMs)
  }

  /** Of a node port or a pod. */
  other(key: PeerKey, nowMs: number): Question | undefined {
    return this.#others.get(key) ?? this.#add(this.#others, key, key, nowMs)
  }

  /** If it is asked for. */
  of(key: PeerKey): Question | undefined {
    return this.#others.get(key) ?? this.#addresses.get(parseAddressKey(key) ?? '')
  }

  ofAddress(address: AddressKey): Question | undefined {
    return this.#addresses.get(address)
  }

  /** All of them, with the tags of what is known, for a resolver that knows nothing of us. */
  *all(): Generator<readonly [PeerKey, string]> {
    for (const [address, { tag }] of this.#addresses) yield [formatKey(address), tag]
    for (const [key, { tag }] of this.#others) yield [key, tag]
  }

  /** What was not sent yet. */
  take(): NewQuestions {
    const taken = { ask: [...this.#ask], forget: [...this.#forget] }
    this.#ask.clear()
    this.#forget.clear()
    return taken
  }

  /** Forgets what nobody has used since, and says what that was. */
  sweep(sinceMs: number): { readonly addresses: readonly AddressKey[]; readonly others: readonly PeerKey[] } {
    const addresses = unused(this.#addresses, sinceMs)
    const others = unused(this.#others, sinceMs)
    for (const key of [...addresses.map(formatKey), ...others]) if (!this.#ask.delete(key)) this.#forget.add(key)
    return { addresses, others }
  }

  #add<Key>(questions: Map<Key, Question>, key: Key, text: PeerKey, nowMs: number): Question | undefined {
    if (this.size >= this.#limit) {
      this.refused++
      return undefined
    }
    const question: Question = { isAnswered: false, wasMissed: false, tag: '', usedMs: nowMs }
    questions.set(key, question)
    this.#forget.delete(text)
    this.#ask.add(text)
    return question
  }
}

function unused<Key>(questions: Map<Key, Question>, sinceMs: number): Key[] {
  const keys = [...questions].filter(([, { usedMs }]) => usedMs < sinceMs).map(([key]) => key)
  for (const key of keys) questions.delete(key)
  return keys
}
