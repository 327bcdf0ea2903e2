// A kernel's flow table as random batches, the same for the same seed.
import type { BatchParts, FlowRow, RttRow, StartedRow, TcpRow } from './flow-batch.ts'

/** Mulberry32: the same numbers for the same seed. */
export function randomFrom(seed: number) {
  let state = seed
  return (below: number): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

const remotes = ['10.0.0.1', '10.0.0.2', '10.0.1.3', '10.96.0.1', '192.168.1.1', '8.8.8.8', 'fd00::1', 'fd00::2']
const SLOTS = 40
const eventColumns = ['retransmits', 'outOfOrder', 'resets', 'zeroWindows'] as const

/** A kernel's flow table: slots that start, move, end and are used again, also twice between two drains. */
export class RandomTraffic {
  packets = 0
  bytes = 0
  readonly #random: (below: number) => number
  readonly #generation = new Array<number>(SLOTS).fill(0)
  readonly #live = new Array<boolean>(SLOTS).fill(false)
  readonly #isTcp = new Array<boolean>(SLOTS).fill(false)

  constructor(random: (below: number) => number) {
    this.#random = random
  }

  batch(sequence: number): BatchParts {
    const started: StartedRow[] = []
    const flows: FlowRow[] = []
    for (let slot = 0; slot < SLOTS; slot++)
      for (let turn = 0; turn < 2; turn++) {
        if (!this.#live[slot]) {
          if (this.#random(3) > 0) break
          started.push(this.#start(slot))
        } else if (turn > 0 || this.#random(2) > 0) break
        flows.push(this.#move(slot))
        if (this.#live[slot]) break
      }
    flows.sort(() => this.#random(3) - 1)
    return { sequence, flows, rtt: flows.flatMap(samplesOf), started, interfaces: this.#interfaces(sequence) }
  }

  #start(slot: number): StartedRow {
    this.#generation[slot]!++
    this.#live[slot] = true
    const protocol = [1, 6, 17, 47][this.#random(4)]!
    this.#isTcp[slot] = protocol === 6
    const ports = [53, 80, 500, 8080, 40_000, 50_051]
    return {
      slot,
      generation: this.#generation[slot]!,
      remote: remotes[this.#random(remotes.length)]!,
      localPort: ports[this.#random(ports.length)]!,
      remotePort: ports[this.#random(ports.length)]!,
      protocol,
      interfaceSlot: 1 + this.#random(3),
      opener: this.#random(3),
      confidence: this.#random(3),
    }
  }

  #move(slot: number): FlowRow {
    const [fromPodPackets, toPodPackets] = [this.#random(50), this.#random(50)]
    const [fromPodBytes, toPodBytes] = [fromPodPackets * 66, toPodPackets * 1514]
    const ended = this.#random(3) === 0
    if (ended) this.#live[slot] = false
    this.packets += fromPodPackets + toPodPackets
    this.bytes += fromPodBytes + toPodBytes
    const opened = this.#random(2)
    const isTcp = this.#isTcp[slot]!
    return {
      ...(isTcp && { fromPod: this.#events(), toPod: this.#events() }),
      slot,
      generation: this.#generation[slot]!,
      fromPodPackets,
      fromPodBytes,
      toPodPackets,
      toPodBytes,
      opened,
      ended,
    }
  }

  #events() {
    const side: TcpRow = Object.fromEntries(
      eventColumns.map(name => [name, this.#random(4) === 0 ? this.#random(9) : 0]),
    )
    return { ...side, rttSumSeconds: this.#random(2) / 2 }
  }

  #interfaces(sequence: number) {
    return sequence % 7 === 0 ? [{ interfaceSlot: 1 + this.#random(3), ended: true }] : []
  }
}

/** One in each direction with a sum. */
function samplesOf({ fromPod, toPod }: FlowRow, row: number): RttRow[] {
  const directions = [fromPod, toPod].flatMap((side, direction) => (side?.rttSumSeconds ? [direction] : []))
  return directions.map(direction => ({ row, direction, bucket: 14 }))
}
