// What counts as exported: what every receiver has acknowledged.
import type { DrainedTotals } from '../aggregate/interface-ledger.ts'
import type { EdgeChoice, EdgeChoices } from './edge-choices.ts'

export interface Delivered {
  readonly packets: number
  readonly bytes: number
}

/** (c) drained = exported + otherEnd + excluded + queued + lost + restart. */
export interface DeliveryFigures {
  readonly drained: number
  readonly exported: number
  readonly otherEnd: number
  readonly excluded: number
  /** Waits for an acknowledgment. */
  readonly queued: number
  readonly lost: number
  readonly restart: number
}

interface ReceiverOfEdges {
  readonly delivered: Delivered
  readonly choice: EdgeChoice | undefined
}

const nothing: Delivered = { packets: 0, bytes: 0 }

export class Delivery {
  /** Absent: every receiver is to have every edge. */
  readonly choices: EdgeChoices | undefined
  readonly #receivers = new Set<ReceiverOfEdges>()
  #before: Delivered = nothing
  /** A receiver that comes later has everything to be told of: what the others have had stays exported. */
  #exported = { packets: 0, bytes: 0 }

  constructor(choices?: EdgeChoices) {
    this.choices = choices
  }

  /** By the agents before this one, whose counts go on. */
  get before(): Delivered {
    return this.#before
  }

  continue(before: Delivered): void {
    this.#before = before
  }

  /** `delivered` is read again and again, and only ever grows. The result ends it: it counts no more. */
  add(delivered: Delivered, choice?: EdgeChoice): () => void {
    const receiver = { delivered, choice }
    this.#receivers.add(receiver)
    return () => {
      this.exported()
      this.#receivers.delete(receiver)
      if (choice) this.choices?.remove(choice)
    }
  }

  /** Of what is in edges: no receiver is to have it. */
  excluded(): Delivered {
    return this.choices?.excluded() ?? nothing
  }

  exported(): Delivered {
    const excluded = this.excluded()
    const done = [...this.#receivers].map(({ delivered, choice }) => sumOf(delivered, choice?.withheld() ?? nothing))
    for (const unit of ['packets', 'bytes'] as const) {
      const least = done.length === 0 ? 0 : Math.min(...done.map(each => each[unit])) - excluded[unit]
      this.#exported[unit] = Math.max(this.#exported[unit], least)
    }
    return sumOf(this.#before, this.#exported)
  }
}

function sumOf(one: Delivered, other: Delivered): Delivered {
  return { packets: one.packets + other.packets, bytes: one.bytes + other.bytes }
}

/** `inEdges` is counted from the edges themselves, so that the equation can fail. */
export function deliveryFigures(totals: DrainedTotals, inEdges: Delivered, delivery: Delivery) {
  const exported = delivery.exported()
  const excluded = delivery.excluded()
  const { before } = delivery
  const packets: DeliveryFigures = {
    drained: totals.drainedPackets,
    exported: exported.packets,
    otherEnd: totals.otherEndPackets,
    excluded: totals.excludedPackets + excluded.packets,
    queued: before.packets + inEdges.packets - excluded.packets - exported.packets,
    lost: totals.unattributedPackets,
    restart: totals.restartPackets,
  }
  const bytes: DeliveryFigures = {
    drained: totals.drainedBytes,
    exported: exported.bytes,
    otherEnd: totals.otherEndBytes,
    excluded: totals.excludedBytes + excluded.bytes,
    queued: before.bytes + inEdges.bytes - excluded.bytes - exported.bytes,
    lost: totals.unattributedBytes,
    restart: totals.restartBytes,
  }
  return { packets, bytes }
}

export function deliveryHolds(figures: DeliveryFigures): boolean {
  const { drained, exported, otherEnd, excluded, queued, lost, restart } = figures
  return drained === exported + otherEnd + excluded + queued + lost + restart
}
