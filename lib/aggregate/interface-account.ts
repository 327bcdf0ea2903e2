// What one attached interface counted, direction by direction, from attaching until its last row.
import type { ContinuedDirection } from '../capture/continuity.ts'
import { type DirectionColumns, PACKET_CLASSES } from '../capture/flow-batch.ts'
import type { Attachment, CounterKind } from '../capture/flow-source.ts'
import {
  classFigures,
  type DeviceFigures,
  type DirectionFigures,
  seenAs,
  unexplainedOf,
  type WireFigures,
} from './figures.ts'
import type { InterfaceOwner } from './identity.ts'

/** As the pod sees it. */
export type Direction = 'transmit' | 'receive'
export const directions: readonly Direction[] = ['transmit', 'receive']

export class DirectionAccount {
  /** Rows of flows; added to by the flow table. */
  #flow = { packets: 0, bytes: 0 }
  #collapsed = { packets: 0, bytes: 0 }
  otherEndPackets = 0
  otherEndBytes = 0
  #kind: CounterKind = 'unknown'
  #packets = { seen: 0, other: 0, overflow: 0, filtered: 0 }
  #bytes = { seen: 0, other: 0, overflow: 0, filtered: 0 }
  #classPackets = new Float64Array(PACKET_CLASSES)
  #classBytes = new Float64Array(PACKET_CLASSES)
  #reading = { device: 0, skbs: 0, packets: 0, unobserved: 0, overseen: 0 }
  #unobservedHigh = 0
  /** What the device had counted when we attached: a term of the equation, and nothing that we missed. */
  #countedBefore: number | undefined
  /** Until something changes: most interfaces rest at any time. */
  #figures: DirectionFigures | undefined

  drained(isCollapsed: boolean, packets: number, bytes: number): void {
    this.#figures = undefined
    const sum = isCollapsed ? this.#collapsed : this.#flow
    sum.packets += packets
    sum.bytes += bytes
  }

  get kind(): CounterKind {
    return this.#kind
  }

  set kind(kind: CounterKind) {
    this.#kind = kind
    this.#figures = undefined
  }

  /** Goes on where an earlier agent left it. */
  continue(from: ContinuedDirection): void {
    this.kind = from.counter
    this.drained(false, from.flow.packets, from.flow.bytes)
    this.drained(true, from.collapsed.packets, from.collapsed.bytes)
    const { device, skbs, packets, unobserved, overseen } = from
    this.#reading = { device, skbs, packets, unobserved, overseen }
    this.#countedBefore = from.unobservedBefore
    this.#noteMissed()
  }

  /** Without the device nothing new can be compared with it: equation (a) stays at the last snapshot that had it. */
  update(columns: DirectionColumns, i: number, devicePresent: boolean): void {
    this.#figures = undefined
    this.#packets.seen = columns.seenPackets[i]!
    this.#packets.other = columns.otherPackets[i]!
    this.#packets.overflow = columns.overflowPackets[i]!
    this.#packets.filtered = columns.filteredPackets[i]!
    this.#bytes.seen = columns.seenBytes[i]!
    this.#bytes.other = columns.otherBytes[i]!
    this.#bytes.overflow = columns.overflowBytes[i]!
    this.#bytes.filtered = columns.filteredBytes[i]!
    this.#classPackets = columns.classPackets.slice(i * PACKET_CLASSES, (i + 1) * PACKET_CLASSES)
    this.#classBytes = columns.classBytes.slice(i * PACKET_CLASSES, (i + 1) * PACKET_CLASSES)
    if (!devicePresent) return
    this.#reading.device = columns.devicePackets[i]!
    this.#reading.skbs = columns.skbs[i]!
    this.#reading.packets = columns.seenPackets[i]!
    this.#reading.unobserved = columns.unobservedSkbs[i]!
    this.#reading.overseen = columns.overseenSkbs[i]!
    this.#noteMissed()
  }

  #noteMissed(): void {
    const { unobserved, unexplained } = this.deviceFigures()
    this.#countedBefore ??= unobserved
    const missed = unobserved - this.#countedBefore + Math.max(0, unexplained)
    this.#unobservedHigh = Math.max(this.#unobservedHigh, missed)
  }

  get seenPackets(): number {
    return this.#packets.seen
  }

  get seenBytes(): number {
    return this.#bytes.seen
  }

  /** Since attaching: unobserved skbs and those that nothing explains. Never falls, also when a late reading explains some of them. */
  get unobservedSkbs(): number {
    return this.#unobservedHigh
  }

  deviceFigures(): DeviceFigures {
    const { device, skbs, packets, unobserved, overseen } = this.#reading
    const seen = seenAs(this.kind, skbs, packets)
    const unexplained = unexplainedOf(this.kind, device + overseen - unobserved, skbs, packets)
    return { device, seen, unobserved, overseen, unexplained }
  }

  figures(): DirectionFigures {
    this.#figures ??= this.#readFigures()
    return this.#figures
  }

  #readFigures(): DirectionFigures {
    return {
      skbs: this.deviceFigures(),
      packets: wireFigures(this.#packets, this.#flow.packets, this.#collapsed.packets),
      bytes: wireFigures(this.#bytes, this.#flow.bytes, this.#collapsed.bytes),
      classes: {
        packets: classFigures(index => this.#classPackets[index]!),
        bytes: classFigures(index => this.#classBytes[index]!),
      },
    }
  }
}

export class InterfaceAccount {
  readonly transmit = new DirectionAccount()
  readonly receive = new DirectionAccount()
  readonly interfaceSlot: number
  attachment: Attachment | undefined
  owner: InterfaceOwner | undefined
  /** Set by the last row. */
  endedAtMs: number | undefined

  constructor(interfaceSlot: number) {
    this.interfaceSlot = interfaceSlot
  }

  /** The capture's answer to an attach; a batch with the interface's first row may come before it. */
  announce(attachment: Attachment, owner: InterfaceOwner | undefined): void {
    this.attachment = attachment
    this.owner = owner
    this.transmit.kind = attachment.transmitCounter
    this.receive.kind = attachment.receiveCounter
  }
}

function wireFigures(totals: Omit<WireFigures, 'flow' | 'collapsed'>, flow: number, collapsed: number): WireFigures {
  const { seen, other, overflow, filtered } = totals
  return { seen, flow, collapsed, other, overflow, filtered }
}
