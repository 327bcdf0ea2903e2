// Adds up batches by hand, flow row by flow row, so that equation (b) can be checked without the code that keeps the books.
import type { DirectionColumns, FlowBatch } from '../../lib/capture/flow-batch.ts'

export type Way = 'fromPod' | 'toPod'

export interface Amount {
  packets: number
  bytes: number
}

/** One direction of one interface. */
export interface WayTally {
  /** The sum of the rows of its flows. */
  readonly flow: Amount
  /** As the last row of the interface has it. */
  seen: Amount
  /** other + overflow + filtered. */
  elsewhere: Amount
  skbs: number
}

export class InterfaceTally {
  readonly fromPod = newWay()
  readonly toPod = newWay()
  ended = false
}

export class Tally {
  readonly interfaces = new Map<number, InterfaceTally>()
  started = 0
  ended = 0
  /** Flows for which a row came before they started or after they ended. */
  strays = 0
  liveFlows = 0
  faults = 0
  readonly #interfaceOf = new Map<string, number>()

  add(batch: FlowBatch): void {
    const { started, flows, interfaces } = batch
    for (let i = 0; i < started.length; i++)
      this.#interfaceOf.set(`${started.slot[i]} ${started.generation[i]}`, started.interfaceSlot[i]!)
    this.started += started.length
    for (let i = 0; i < flows.length; i++) {
      const flow = `${flows.slot[i]} ${flows.generation[i]}`
      const interfaceSlot = this.#interfaceOf.get(flow)
      if (interfaceSlot === undefined) this.strays++
      const tally = this.of(interfaceSlot ?? 0)
      addTo(tally.fromPod.flow, flows.fromPodPackets[i]!, flows.fromPodBytes[i]!)
      addTo(tally.toPod.flow, flows.toPodPackets[i]!, flows.toPodBytes[i]!)
      if (flows.ended[i] !== 1) continue
      this.#interfaceOf.delete(flow)
      this.ended++
    }
    for (let i = 0; i < interfaces.length; i++) {
      const tally = this.of(interfaces.interfaceSlot[i]!)
      readWay(tally.fromPod, interfaces.fromPod, i)
      readWay(tally.toPod, interfaces.toPod, i)
      tally.ended = interfaces.ended[i] === 1
    }
    this.liveFlows = batch.liveFlows
    const { tailCallFailed, indexInsertFailed, slotPushFailed } = batch.faults
    this.faults = tailCallFailed + indexInsertFailed + slotPushFailed
  }

  of(interfaceSlot: number): InterfaceTally {
    const known = this.interfaces.get(interfaceSlot)
    if (known) return known
    const tally = new InterfaceTally()
    this.interfaces.set(interfaceSlot, tally)
    return tally
  }

  /** What is counted twice or not at all, one line for each direction of which it is true. */
  gaps(): string[] {
    return [...this.interfaces].flatMap(([slot, tally]) =>
      (['fromPod', 'toPod'] as const).flatMap(way => {
        const { seen, flow, elsewhere } = tally[way]
        const packets = seen.packets - flow.packets - elsewhere.packets
        const bytes = seen.bytes - flow.bytes - elsewhere.bytes
        return packets === 0 && bytes === 0 ? [] : [`interface ${slot} ${way}: ${packets} packets, ${bytes} bytes`]
      }),
    )
  }
}

function newWay(): WayTally {
  const nothing = () => ({ packets: 0, bytes: 0 })
  return { flow: nothing(), seen: nothing(), elsewhere: nothing(), skbs: 0 }
}

function addTo(amount: Amount, packets: number, bytes: number): void {
  amount.packets += packets
  amount.bytes += bytes
}

function readWay(tally: WayTally, from: DirectionColumns, i: number): void {
  tally.skbs = from.skbs[i]!
  tally.seen = { packets: from.seenPackets[i]!, bytes: from.seenBytes[i]! }
  tally.elsewhere = {
    packets: from.otherPackets[i]! + from.overflowPackets[i]! + from.filteredPackets[i]!,
    bytes: from.otherBytes[i]! + from.overflowBytes[i]! + from.filteredBytes[i]!,
  }
}
