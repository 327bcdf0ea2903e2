// Every term of equations (a) and (b) from the batches alone, so that a soak of millions of flows can be checked.
import {
  Closed,
  type DirectionColumns,
  type FlowBatch,
  FlowFlag,
  OTHER_CLASSES,
  PACKET_CLASSES,
  slotCount,
} from '../../lib/capture/flow-batch.ts'

export const ways = ['fromPod', 'toPod'] as const
export type Way = (typeof ways)[number]
export const units = ['packets', 'bytes'] as const

export interface Amount {
  packets: number
  bytes: number
}

const stages = ['seen', 'flow', 'collapsed', 'other', 'overflow', 'filtered'] as const
type Stage = (typeof stages)[number]

/** One direction of one interface, or the sum of many. */
export interface WayCount extends Record<Stage, Amount> {
  skbs: number
  /** What the device itself counted, less what it had when we came: see `unobserved`. */
  device: number
  overseen: number
  unobserved: number
  classes: Amount[]
}

export interface InterfaceCount extends Record<Way, WayCount> {
  readonly interfaceSlot: number
  /** Flows with a slot of their own, and those of many without their higher port. */
  flows: number
  collapsedFlows: number
  ended: boolean
}

export class Conservation {
  /** Flows whose last row came. */
  ended = 0
  /** Connections that were opened, and that were closed by a FIN of both. */
  opened = 0
  closed = 0
  /** Rows of flows that had not started or were over. */
  strays = 0
  batches = 0
  newest: FlowBatch | undefined
  readonly #interfaces: InterfaceCount[] = []
  readonly #current = new Map<number, InterfaceCount>()
  /** By slot of a live flow. Generation 0 is no flow's as `1 + generation`. */
  readonly #owner: Uint16Array
  readonly #generation: Float64Array
  readonly #collapsed: Uint8Array

  constructor(flowLimit: number) {
    const slots = slotCount(flowLimit)
    this.#owner = new Uint16Array(slots)
    this.#generation = new Float64Array(slots)
    this.#collapsed = new Uint8Array(slots)
  }

  add(batch: FlowBatch): void {
    this.#addStarted(batch)
    this.#addFlows(batch)
    const { interfaces } = batch
    for (let i = 0; i < interfaces.length; i++) {
      const count = this.of(interfaces.interfaceSlot[i]!)
      readWay(count.fromPod, interfaces.fromPod, i)
      readWay(count.toPod, interfaces.toPod, i)
      if (interfaces.ended[i] !== 1) continue
      count.ended = true
      this.#current.delete(count.interfaceSlot)
    }
    this.batches++
    this.newest = batch
  }

  /** The interface that has this slot now. */
  of(interfaceSlot: number): InterfaceCount {
    const known = this.#current.get(interfaceSlot)
    if (known) return known
    const count = { interfaceSlot, flows: 0, collapsedFlows: 0, fromPod: newWay(), toPod: newWay(), ended: false }
    this.#current.set(interfaceSlot, count)
    this.#interfaces.push(count)
    return count
  }

  /** All that there were, ended ones too. */
  get interfaces(): readonly InterfaceCount[] {
    return this.#interfaces
  }

  /** What is in no place or in two, one line each; and what no count may ever say. */
  gaps(): string[] {
    const found = this.#interfaces.flatMap(count =>
      ways.flatMap(way => gapsOf(count[way]).map(gap => `interface ${count.interfaceSlot} ${way}: ${gap}`)),
    )
    if (this.strays > 0) found.push(`${this.strays} rows of flows that had not started or were over`)
    const { faults, audit } = this.newest!
    for (const name of ['tailCallFailed', 'indexInsertFailed', 'slotPushFailed'] as const)
      if (faults[name] > 0) found.push(`${name}: ${faults[name]}`)
    if (audit.violations > 0) found.push(`self-audit: ${audit.violations}, ${audit.newest}`)
    return found
  }

  sum(): WayCount {
    const sum = newWay()
    for (const count of this.#interfaces) for (const way of ways) addWay(sum, count[way])
    return sum
  }

  #addStarted({ started }: FlowBatch): void {
    for (let i = 0; i < started.length; i++) {
      const slot = started.slot[i]!
      if (this.#generation[slot] !== 0) this.strays++
      this.#generation[slot] = 1 + started.generation[i]!
      this.#owner[slot] = started.interfaceSlot[i]!
      this.#collapsed[slot] = started.flags[i]! & FlowFlag.collapsed ? 1 : 0
      this.of(this.#owner[slot])[this.#collapsed[slot] === 1 ? 'collapsedFlows' : 'flows']++
    }
  }

  #addFlows({ flows }: FlowBatch): void {
    for (let i = 0; i < flows.length; i++) {
      const slot = flows.slot[i]!
      if (this.#generation[slot] !== 1 + flows.generation[i]!) {
        this.strays++
        continue
      }
      const count = this.of(this.#owner[slot]!)
      const stage = this.#collapsed[slot] === 1 ? 'collapsed' : 'flow'
      addTo(count.fromPod[stage], flows.fromPodPackets[i]!, flows.fromPodBytes[i]!)
      addTo(count.toPod[stage], flows.toPodPackets[i]!, flows.toPodBytes[i]!)
      this.opened += flows.opened[i]!
      if (flows.closed[i] === Closed.fin) this.closed++
      if (flows.ended[i] === 0) continue
      this.#generation[slot] = 0
      this.ended++
    }
  }
}

export function newWay(): WayCount {
  const nothing = () => ({ packets: 0, bytes: 0 })
  const amounts = Object.fromEntries(stages.map(stage => [stage, nothing()])) as Record<Stage, Amount>
  const classes = Array.from({ length: PACKET_CLASSES }, nothing)
  return { ...amounts, classes, skbs: 0, device: 0, overseen: 0, unobserved: 0 }
}

export function addWay(to: WayCount, from: WayCount): void {
  for (const stage of stages) addTo(to[stage], from[stage].packets, from[stage].bytes)
  for (const [i, { packets, bytes }] of from.classes.entries()) addTo(to.classes[i]!, packets, bytes)
  to.skbs += from.skbs
  to.device += from.device
  to.overseen += from.overseen
  to.unobserved += from.unobserved
}

/** seen − flow − collapsed − other − overflow − filtered. */
export function unaccounted({ seen, flow, collapsed, other, overflow, filtered }: WayCount): Amount {
  const of = (unit: (typeof units)[number]) =>
    seen[unit] - flow[unit] - collapsed[unit] - other[unit] - overflow[unit] - filtered[unit]
  return { packets: of('packets'), bytes: of('bytes') }
}

function gapsOf(count: WayCount): string[] {
  const gaps: string[] = []
  const missing = unaccounted(count)
  for (const unit of units) {
    if (missing[unit] !== 0) gaps.push(`${missing[unit]} ${unit} unaccounted`)
    const inClasses = count.classes.slice(0, OTHER_CLASSES).reduce((sum, amount) => sum + amount[unit], 0)
    if (inClasses !== count.other[unit]) gaps.push(`${count.other[unit]} other ${unit}, ${inClasses} in classes`)
  }
  return gaps
}

function addTo(amount: Amount, packets: number, bytes: number): void {
  amount.packets += packets
  amount.bytes += bytes
}

function readWay(way: WayCount, from: DirectionColumns, i: number): void {
  way.skbs = from.skbs[i]!
  way.device = from.devicePackets[i]!
  way.overseen = from.overseenSkbs[i]!
  way.unobserved = from.unobservedSkbs[i]!
  way.seen = { packets: from.seenPackets[i]!, bytes: from.seenBytes[i]! }
  way.other = { packets: from.otherPackets[i]!, bytes: from.otherBytes[i]! }
  way.overflow = { packets: from.overflowPackets[i]!, bytes: from.overflowBytes[i]! }
  way.filtered = { packets: from.filteredPackets[i]!, bytes: from.filteredBytes[i]! }
  way.classes = Array.from({ length: PACKET_CLASSES }, (_, packetClass) => ({
    packets: from.classPackets[i * PACKET_CLASSES + packetClass]!,
    bytes: from.classBytes[i * PACKET_CLASSES + packetClass]!,
  }))
}
