// Conversations by chance, as somebody in the middle sees them, with what their ends know of them.
import type { Random } from '../ebpf/corpus/random.ts'
import { tcp, udp } from './packet.ts'

export type Sender = 'pod' | 'peer'

/** What one end knows of what it sent. */
export interface Known {
  packets: number
  bytes: number
  /** Packets that were seen before: SYN, data and FIN. */
  again: number
  /** Packets that are seen behind later ones. */
  late: number
  /** Times that the window was closed. */
  closings: number
}

export interface Frame {
  readonly from: Sender
  readonly bytes: Uint8Array
}

export interface Conversation {
  readonly protocol: 'tcp' | 'udp'
  /** Address and port of either end. */
  readonly ends: Readonly<Record<Sender, string>>
  readonly known: Readonly<Record<Sender, Known>>
  /** One packet after the other. */
  readonly frames: Iterator<Frame, void>
}

interface Segment {
  readonly sequence: number
  readonly flags: string
  readonly payload: number
}

interface Shape {
  readonly addresses: Readonly<Record<Sender, string>>
  readonly ports: Readonly<Record<Sender, number>>
}

const OPEN = 5000
const MOST_PAYLOAD = 1400
const FEWEST_ACTS = 10
const ACTS = 60

export const opposite = (end: Sender): Sender => (end === 'pod' ? 'peer' : 'pod')
const nothing = (): Known => ({ packets: 0, bytes: 0, again: 0, late: 0, closings: 0 })

export function generate(random: Random, number: number): Conversation {
  const six = random.below(3) === 0
  const addresses = six
    ? { pod: 'fd00::1', peer: `fd00::2:${(1 + (number % 60_000)).toString(16)}` }
    : { pod: '10.0.0.1', peer: `10.1.${(number >> 8) & 255}.${number & 255}` }
  const ports = { pod: 1024 + random.below(60_000), peer: 1024 + random.below(60_000) }
  const name = (end: Sender) => `${addresses[end]}:${ports[end]}`
  const shape = { addresses, ports }
  const ends = { pod: name('pod'), peer: name('peer') }
  if (random.below(6) === 0) {
    const known = { pod: nothing(), peer: nothing() }
    return { protocol: 'udp', ends, known, frames: datagrams(random, shape, known) }
  }
  const talk = new Talk(random, shape)
  return { protocol: 'tcp', ends, known: talk.known, frames: talk.run() }
}

function* datagrams(random: Random, { addresses, ports }: Shape, known: Record<Sender, Known>): Iterator<Frame, void> {
  for (let left = 2 + random.below(100); left > 0; left--) {
    const from = random.pick<Sender>(['pod', 'pod', 'peer'])
    const to = opposite(from)
    const between = { from: addresses[from], to: addresses[to], sourcePort: ports[from], destinationPort: ports[to] }
    const bytes = udp({ ...between, payload: random.below(MOST_PAYLOAD) })
    known[from].packets++
    known[from].bytes += bytes.length
    yield { from, bytes }
  }
}

/** One TCP connection. Whatever is seen arrives; what is to be sent again is what its sender thinks was lost. */
class Talk {
  readonly known = { pod: nothing(), peer: nothing() }
  readonly #random: Random
  readonly #shape: Shape
  readonly #next: Record<Sender, number>
  /** What the other end has in order. */
  readonly #received: Record<Sender, number>
  readonly #windows = { pod: OPEN, peer: OPEN }
  readonly #unacknowledged: Record<Sender, Segment[]> = { pod: [], peer: [] }

  constructor(random: Random, shape: Shape) {
    this.#random = random
    this.#shape = shape
    this.#next = { pod: random.u32(), peer: random.u32() }
    this.#received = { ...this.#next }
  }

  *run(): Generator<Frame, void> {
    const opener = this.#random.pick<Sender>(['pod', 'peer'])
    yield* this.#open(opener)
    for (let left = FEWEST_ACTS + this.#random.below(ACTS); left > 0; left--)
      yield* this.#act(this.#random.pick<Sender>(['pod', 'peer']))
    for (const end of ['pod', 'peer'] as const) yield* this.#settle(end)
    yield* this.#close(opener)
  }

  *#open(opener: Sender): Generator<Frame, void> {
    const answerer = opposite(opener)
    const syn = this.#new(opener, 'S')
    yield this.#send(opener, syn)
    if (this.#random.below(10) === 0) yield this.#repeat(opener, syn)
    this.#received[opener] = this.#next[opener]
    const synAck = this.#new(answerer, 'SA')
    yield this.#send(answerer, synAck)
    if (this.#random.below(10) === 0) yield this.#repeat(answerer, synAck)
    this.#received[answerer] = this.#next[answerer]
    yield this.#acknowledge(opener)
  }

  *#act(end: Sender): Generator<Frame, void> {
    const other = opposite(end)
    switch (this.#random.below(12)) {
      case 0:
      case 1:
      case 2:
        for (let left = 1 + this.#random.below(4); left > 0; left--) yield this.#arrives(end, this.#data(end))
        return
      case 3:
      case 4:
      case 5:
        yield this.#acknowledge(end)
        return
      case 6: {
        const waiting = this.#unacknowledged[end]
        if (waiting.length > 0) yield this.#repeat(end, this.#random.pick(waiting))
        return
      }
      case 7:
        yield* this.#overtake(end)
        return
      case 8:
        yield* this.#lose(end)
        return
      case 9:
        yield* this.#keepAlive(end)
        return
      case 10:
        yield* this.#closeWindow(end)
        return
      default:
        // A request and its answer.
        yield this.#arrives(end, this.#data(end))
        yield this.#arrives(other, this.#data(other))
        yield this.#acknowledge(end)
    }
  }

  /** Some in another order than they are numbered in. */
  *#overtake(end: Sender): Generator<Frame, void> {
    const [first, second, third] = [this.#data(end), this.#data(end), this.#data(end)]
    const shown = this.#random.pick([
      [second, first, third],
      [third, first, second],
      [third, second, first],
      [first, third, second],
    ])
    let highest = Number.NEGATIVE_INFINITY
    for (const segment of shown) {
      const at = [first, second, third].indexOf(segment)
      if (at < highest) this.known[end].late++
      highest = Math.max(highest, at)
      yield this.#send(end, segment)
    }
    this.#received[end] = this.#next[end]
  }

  /** One is lost in front of us; the others are answered by what was there before. */
  *#lose(end: Sender): Generator<Frame, void> {
    const other = opposite(end)
    yield* this.#settle(end)
    const lost = this.#data(end)
    for (let left = 1 + this.#random.below(4); left > 0; left--) {
      yield this.#send(end, this.#data(end))
      yield this.#acknowledge(other)
    }
    this.known[end].late++
    yield this.#send(end, lost)
    this.#received[end] = this.#next[end]
    yield this.#acknowledge(other)
  }

  *#keepAlive(end: Sender): Generator<Frame, void> {
    yield* this.#settle(end)
    const payload = this.#random.below(2)
    yield this.#send(end, { sequence: (this.#next[end] - 1) >>> 0, flags: 'A', payload })
    yield this.#acknowledge(opposite(end))
  }

  *#closeWindow(end: Sender): Generator<Frame, void> {
    yield* this.#settle(opposite(end))
    this.#windows[end] = 0
    this.known[end].closings++
    for (let left = 1 + this.#random.below(3); left > 0; left--) yield this.#acknowledge(end)
    this.#windows[end] = OPEN
    yield this.#acknowledge(end)
  }

  /** All that an end has sent is acknowledged. */
  *#settle(end: Sender): Generator<Frame, void> {
    if (this.#unacknowledged[end].length > 0) yield this.#acknowledge(opposite(end))
  }

  *#close(first: Sender): Generator<Frame, void> {
    if (this.#random.below(5) === 0) {
      yield this.#send(first, { sequence: this.#next[first], flags: 'RA', payload: 0 })
      return
    }
    for (const end of [first, opposite(first)]) {
      const fin = this.#new(end, 'FA')
      yield this.#send(end, fin)
      if (this.#random.below(10) === 0) yield this.#repeat(end, fin)
      this.#received[end] = this.#next[end]
      yield this.#acknowledge(opposite(end))
    }
  }

  #data(end: Sender): Segment {
    return this.#new(end, 'PA', 2 + this.#random.below(MOST_PAYLOAD - 1))
  }

  #new(end: Sender, flags: string, payload = 0): Segment {
    const segment = { sequence: this.#next[end], flags, payload }
    const control = flags.includes('S') || flags.includes('F') ? 1 : 0
    this.#next[end] = (this.#next[end] + payload + control) >>> 0
    this.#unacknowledged[end].push(segment)
    return segment
  }

  #arrives(end: Sender, segment: Segment): Frame {
    this.#received[end] = this.#next[end]
    return this.#send(end, segment)
  }

  #repeat(end: Sender, segment: Segment): Frame {
    this.known[end].again++
    return this.#send(end, segment)
  }

  #acknowledge(end: Sender): Frame {
    return this.#send(end, { sequence: this.#next[end], flags: 'A', payload: 0 })
  }

  #send(from: Sender, { sequence, flags, payload }: Segment): Frame {
    const { addresses, ports } = this.#shape
    const to = opposite(from)
    const acknowledgment = flags.includes('A') ? this.#received[to] : 0
    if (flags.includes('A'))
      this.#unacknowledged[to] = this.#unacknowledged[to].filter(sent => ((sent.sequence - acknowledgment) | 0) >= 0)
    const bytes = tcp({
      from: addresses[from],
      to: addresses[to],
      sourcePort: ports[from],
      destinationPort: ports[to],
      ...{ flags, sequence, acknowledgment, payload, window: this.#windows[from] },
    })
    this.known[from].packets++
    this.known[from].bytes += bytes.length
    return { from, bytes }
  }
}
