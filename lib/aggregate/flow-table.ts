// Flows by slot: a drained row of a known flow costs an index and a few additions.
import {
  Confidence,
  type FlowBatch,
  type FlowColumns,
  FlowFlag,
  Retired,
  type StartedColumns,
  slotCount,
} from '../capture/flow-batch.ts'
import { countActive } from './active-connections.ts'
import { Attribution } from './attribution.ts'
import { ConnectionCounter } from './connection-counter.ts'
import type { ConnectionListener } from './connection-record.ts'
import { ConnectionWatch } from './connection-watch.ts'
import { EdgeEviction } from './edge-eviction.ts'
import type { EdgeTable } from './edge-table.ts'
import { FlowResolver } from './flow-resolver.ts'
import { FlowSlots, isExported, SlotState } from './flow-slots.ts'
import { type FlowView, viewFlow } from './flow-view.ts'
import type { InterfaceOwner, Names } from './identity.ts'
import type { InterfaceLedger } from './interface-ledger.ts'
import { isOwnFlow, type OwnTraffic } from './own-flows.ts'
import { ParkedConnections } from './parked-connections.ts'
import { PendingRows } from './pending-rows.ts'
import { TcpCounter } from './tcp-counter.ts'
import { NO_CROSSING } from './zone-table.ts'

export interface FlowTableParts {
  readonly flowLimit: number
  readonly names: Names
  /** May change its answer between two batches. */
  readonly owner: (interfaceSlot: number) => InterfaceOwner | undefined
  readonly edges: EdgeTable
  readonly ledger: InterfaceLedger
  /** Wall clock: nothing was counted before. */
  readonly startedAtMs: number
  /** Connections that are left out because they are ours; absent: none is. */
  readonly ownTraffic?: OwnTraffic
  /** A connection that the kernel has no slot for stays active for so long without a packet. */
  readonly parkedForMs?: number
  /** An edge without flows that does not change is evicted after so long; absent: none is. */
  readonly edgeIdleMs?: number
  /** Hears of connections and requests that end; absent: nothing of that is kept. */
  readonly connections?: ConnectionListener
}

const PARKED_FOR_MS = 7_200_000

export class FlowTable {
  readonly flowLimit: number
  /** How the remote ends of exported flows were found. */
  readonly attribution = new Attribution()
  readonly #slots: FlowSlots
  readonly #edges: EdgeTable
  readonly #ledger: InterfaceLedger
  readonly #names: Names
  readonly #ownTraffic: OwnTraffic | undefined
  readonly #resolver: FlowResolver
  readonly #connections: ConnectionCounter
  readonly #tcp: TcpCounter
  readonly #watch: ConnectionWatch | undefined
  readonly #parked: ParkedConnections
  readonly #eviction: EdgeEviction | undefined
  readonly #startedAtMs: number
  readonly #pendingRows = new PendingRows()
  #endedSlots: number[] = []
  #namesVersion: number
  #sequence = 0
  #readAtMs: number | undefined
  #liveFlows = 0
  #collapsedFlows = 0
  #unattributedRows = 0
  #startedFlows = 0
  #namedFlows = 0
  #firstNamedAtMs: number | undefined

  constructor(parts: FlowTableParts) {
    this.flowLimit = parts.flowLimit
    this.#slots = new FlowSlots(slotCount(parts.flowLimit))
    this.#edges = parts.edges
    this.#ledger = parts.ledger
    this.#names = parts.names
    this.#ownTraffic = parts.ownTraffic
    this.#namesVersion = parts.names.version
    this.#resolver = new FlowResolver({ ...parts, isObserved: identity => parts.ledger.observes(identity) })
    this.#connections = new ConnectionCounter(this.#slots, parts.edges, parts.names)
    this.#tcp = new TcpCounter(this.#slots, parts.edges)
    this.#watch = parts.connections && new ConnectionWatch(this.#slots, parts.connections)
    this.#parked = new ParkedConnections(parts.flowLimit, parts.parkedForMs ?? PARKED_FOR_MS)
    this.#startedAtMs = parts.startedAtMs
    const counted = { edges: parts.edges, slots: this.#slots, parked: this.#parked, resolver: this.#resolver }
    if (parts.edgeIdleMs !== undefined) this.#eviction = new EdgeEviction({ ...counted, idleMs: parts.edgeIdleMs })
  }

  apply(batch: FlowBatch): void {
    this.#freeEnded()
    const sinceMs = this.#readAtMs ?? Math.max(this.#startedAtMs, this.#ledger.earliestAttachMs ?? 0)
    this.#edges.startsAt(sinceMs, batch.readAtMs)
    this.#sequence = batch.sequence
    this.#readAtMs = batch.readAtMs
    const ownersChanged = this.#ledger.ownersChanged()
    if (ownersChanged || this.#names.version !== this.#namesVersion) this.#resolveAgain()
    this.#resolver.learnServers(batch.started)
    this.#tcp.expect(batch.flows)
    this.#watch?.expect(batch)
    this.#countKnown(batch.flows)
    this.#countStarted(batch.started, batch.flows)
    this.#countUnattributed(batch.flows)
    this.#tcp.count(batch.flows, batch.rtt)
    this.#parked.forgetOld(batch.readAtMs)
    this.#ledger.apply(batch.interfaces, batch.readAtMs, interfaceSlot => this.#interfaceEnded(interfaceSlot))
    this.#eviction?.batchCounted(batch.readAtMs)
    this.#liveFlows = batch.liveFlows
    this.#collapsedFlows = batch.collapsedFlows
  }

  /** Rows of a flow that never started: a fault of the capture. What they count is the ledger's loss `unattributed`. */
  get unattributedRows(): number {
    return this.#unattributedRows
  }

  /** Slots in use after the last drain. */
  get liveFlows(): number {
    return this.#liveFlows
  }

  /** Of those, the ones without their higher port: there were no slots for more. */
  get collapsedFlows(): number {
    return this.#collapsedFlows
  }

  /** Connections without a slot that stay active, and those of them that had to be given up. */
  get parked(): { connections: number; dropped: number } {
    return { connections: this.#parked.size, dropped: this.#parked.dropped }
  }

  /** Connections and requests that go on, edge by edge. */
  activeByEdge(): Float64Array {
    return countActive(this.#slots, this.#parked, this.#edges.edges.length)
  }

  /** Flows that started so far, and those of them whose two ends have a name. */
  get flows(): { count: number; named: number } {
    return { count: this.#startedFlows, named: this.#namedFlows }
  }

  /** Time of the drain that brought the first flow with two named ends. */
  get firstNamedAtMs(): number | undefined {
    return this.#firstNamedAtMs
  }

  /** Live flows and those that ended in the last batch; or only those that moved in the last batch. */
  *views(changedOnly: boolean): Generator<FlowView> {
    for (let slot = 0; slot < this.#slots.length; slot++) {
      if (this.#slots.state[slot] === SlotState.free) continue
      if (changedOnly && this.#slots.changedIn[slot] !== this.#sequence) continue
      yield viewFlow(this.#slots, slot)
    }
  }

  #countKnown(flows: FlowColumns): void {
    this.#pendingRows.clear()
    const slots = this.#slots
    for (let i = 0; i < flows.length; i++) {
      const slot = flows.slot[i]!
      if (slots.isLive(slot, flows.generation[i]!)) this.#count(flows, i, slot)
      else this.#pendingRows.add(flows, i)
    }
  }

  /** Each with its own rows right away: a slot may be used by several flows between two drains. */
  #countStarted(started: StartedColumns, flows: FlowColumns): void {
    for (let i = 0; i < started.length; i++) {
      const slot = started.slot[i]!
      if (slot >= this.#slots.length) continue
      this.#start(started, i, slot)
      const next = () => this.#pendingRows.take(flows, slot, started.generation[i]!)
      let row = next()
      if (row === -1) continue
      this.#connections.begin(slot)
      for (; row !== -1; row = next()) this.#count(flows, row, slot)
    }
  }

  #start(started: StartedColumns, i: number, slot: number): void {
    const slots = this.#slots
    const interfaceSlot = started.interfaceSlot[i]!
    slots.begin(started, i, slot)
    this.#watch?.begin(slot)
    slots.lastMs[slot] = this.#readAtMs!
    slots.account.set(slot, this.#ledger.account(interfaceSlot))
    if (this.#ownTraffic && isOwnFlow(started, i, this.#ownTraffic)) slots.isOwn[slot] = 1
    const parked = this.#parked.take(started, i)
    const resumed = parked && started.confidence[i] !== Confidence.handshake ? parked : undefined
    if (resumed) slots.resume(slot, resumed)
    this.#resolver.resolve(slots, slot, interfaceSlot, resumed)
    this.#startedFlows++
    if (slots.named[slot] === 1) this.#countNamed()
  }

  #count(flows: FlowColumns, i: number, slot: number): void {
    const slots = this.#slots
    const fromPodPackets = flows.fromPodPackets[i]!
    const fromPodBytes = flows.fromPodBytes[i]!
    const toPodPackets = flows.toPodPackets[i]!
    const toPodBytes = flows.toPodBytes[i]!
    slots.fromPod.packets[slot]! += fromPodPackets
    slots.fromPod.bytes[slot]! += fromPodBytes
    slots.toPod.packets[slot]! += toPodPackets
    slots.toPod.bytes[slot]! += toPodBytes
    if (fromPodPackets + toPodPackets > 0) slots.lastMs[slot] = this.#readAtMs!
    slots.changedIn[slot] = this.#sequence
    const edge = slots.edge[slot]!
    const isCollapsed = (slots.flags[slot]! & FlowFlag.collapsed) !== 0
    this.#ledger.drained(slots.account.of(slot), edge, isCollapsed, flows, i)
    if (isExported(edge)) this.attribution.add(slots.foundBy[slot]!, fromPodBytes + toPodBytes)
    if (isExported(edge) && slots.clientIsLocal[slot] === 1)
      this.#edges.add(edge, fromPodPackets, fromPodBytes, toPodPackets, toPodBytes)
    else if (isExported(edge)) this.#edges.add(edge, toPodPackets, toPodBytes, fromPodPackets, fromPodBytes)
    const crossing = slots.crossing[slot]!
    if (crossing !== NO_CROSSING) this.#edges.zones?.add(crossing, fromPodBytes, toPodBytes)
    this.#connections.count(flows, i, slot)
    this.#tcp.remember(i, slot)
    if (flows.ended[i] !== Retired.no) this.#end(slot, flows.ended[i] === Retired.parked)
    this.#watch?.row(i, slot)
  }

  /** Its last figures can be read until the next batch. */
  #end(slot: number, isParked: boolean): void {
    const slots = this.#slots
    slots.state[slot] = isParked ? SlotState.parked : SlotState.ended
    this.#endedSlots.push(slot)
    if (isParked && slots.account.of(slot) !== this.#ledger.late) this.#parked.park(slots, slot, this.#readAtMs!)
  }

  #freeEnded(): void {
    for (const slot of this.#endedSlots) if (this.#slots.state[slot] !== SlotState.live) this.#slots.free(slot)
    this.#endedSlots = []
  }

  #countUnattributed(flows: FlowColumns): void {
    const totals = this.#ledger.totals
    for (const row of this.#pendingRows.rows()) {
      const packets = flows.fromPodPackets[row]! + flows.toPodPackets[row]!
      const bytes = flows.fromPodBytes[row]! + flows.toPodBytes[row]!
      this.#unattributedRows++
      totals.drainedPackets += packets
      totals.drainedBytes += bytes
      totals.unattributedPackets += packets
      totals.unattributedBytes += bytes
    }
  }

  /** What was counted before stays with the edge that had it. */
  #resolveAgain(): void {
    this.#namesVersion = this.#names.version
    const slots = this.#slots
    for (let slot = 0; slot < slots.length; slot++) {
      if (slots.state[slot] !== SlotState.live || slots.account.of(slot) === this.#ledger.late) continue
      const wasNamed = slots.named[slot] === 1
      this.#resolver.resolve(slots, slot, slots.account.of(slot).interfaceSlot)
      if (!wasNamed && slots.named[slot] === 1) this.#countNamed()
    }
  }

  #countNamed(): void {
    this.#namedFlows++
    this.#firstNamedAtMs ??= this.#readAtMs
  }

  #interfaceEnded(interfaceSlot: number): void {
    this.#resolver.forgetInterface(interfaceSlot)
    this.#parked.forgetInterface(interfaceSlot)
    const slots = this.#slots
    for (let slot = 0; slot < slots.length; slot++)
      if (slots.state[slot] === SlotState.live && slots.account.of(slot).interfaceSlot === interfaceSlot)
        slots.account.set(slot, this.#ledger.late)
  }
}
