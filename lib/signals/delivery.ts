// What counts as exported: what every receiver has acknowledged.
import type { DrainedTotals } from '../aggregate/interface-ledger.ts'

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

export class Delivery {
  readonly #receivers: Delivered[] = []
  #before: Delivered = { packets: 0, bytes: 0 }

  /** By the agents before this one, whose counts go on. */
  get before(): Delivered {
    return this.#before
  }

  continue(before: Delivered): void {
    this.#before = before
  }

  /** `delivered` is read again and again, and only ever grows. All receivers are added before the first collection. */
  add(delivered: Delivered): void {
    this.#receivers.push(delivered)
  }

  exported(): Delivered {
    if (this.#receivers.length === 0) return this.#before
    return {
      packets: this.#before.packets + Math.min(...this.#receivers.map(receiver => receiver.packets)),
      bytes: this.#before.bytes + Math.min(...this.#receivers.map(receiver => receiver.bytes)),
    }
  }
}

/** `inEdges` is counted from the edges themselves, so that the equation can fail. */
export function deliveryFigures(totals: DrainedTotals, inEdges: Delivered, delivery: Delivery) {
  const exported = delivery.exported()
  const { before } = delivery
  const packets: DeliveryFigures = {
    drained: totals.drainedPackets,
    exported: exported.packets,
    otherEnd: totals.otherEndPackets,
    excluded: totals.excludedPackets,
    queued: before.packets + inEdges.packets - exported.packets,
    lost: totals.unattributedPackets,
    restart: totals.restartPackets,
  }
  const bytes: DeliveryFigures = {
    drained: totals.drainedBytes,
    exported: exported.bytes,
    otherEnd: totals.otherEndBytes,
    excluded: totals.excludedBytes,
    queued: before.bytes + inEdges.bytes - exported.bytes,
    lost: totals.unattributedBytes,
    restart: totals.restartBytes,
  }
  return { packets, bytes }
}

export function deliveryHolds(figures: DeliveryFigures): boolean {
  const { drained, exported, otherEnd, excluded, queued, lost, restart } = figures
  return drained === exported + otherEnd + excluded + queued + lost + restart
}
