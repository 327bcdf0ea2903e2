// What TCP's senders did, column by column, because most rows have nothing in them.
import type { FlowColumns, RttColumns, TcpColumns } from '../capture/flow-batch.ts'
import { EdgeCount } from './edge-counts.ts'
import type { EdgeTable } from './edge-table.ts'
import { type FlowSlots, isExported } from './flow-slots.ts'
import type { SlotSide } from './slot-side.ts'

/** Of a row whose flow is in no edge of ours. */
const NO_EDGE = -1

export class TcpCounter {
  readonly #slots: FlowSlots
  readonly #edges: EdgeTable
  readonly #isFull: boolean
  /** Twice the edge, and 1 when the client is local: at the end of a batch a row's slot may be another flow's. */
  #edgeOfRow = new Int32Array(0)

  constructor(slots: FlowSlots, edges: EdgeTable) {
    this.#slots = slots
    this.#edges = edges
    this.#isFull = edges.detail === 'full'
  }

  /** Before the rows of a batch. */
  expect(flows: FlowColumns): void {
    if (this.#edgeOfRow.length < flows.length) this.#edgeOfRow = new Int32Array(flows.length)
    this.#edgeOfRow.fill(NO_EDGE, 0, flows.length)
  }

  /** For each row, when its flow is known. */
  remember(i: number, slot: number): void {
    const edge = this.#slots.edge[slot]!
    if (isExported(edge)) this.#edgeOfRow[i] = edge * 2 + this.#slots.clientIsLocal[slot]!
  }

  /** After the rows of a batch. */
  count(flows: FlowColumns, rtt: RttColumns): void {
    const { fromPod, toPod } = this.#slots
    this.#countSide(flows, flows.fromPod, fromPod, 1)
    this.#countSide(flows, flows.toPod, toPod, 0)
    for (let i = 0; i < flows.length; i++)
      if (flows.acceptedSeconds[i]! > 0 && this.#isOfSlot(flows, i))
        this.#slots.acceptedSeconds[flows.slot[i]!] = flows.acceptedSeconds[i]!
    this.#countSamples(flows, rtt)
  }

  /** `senderIsLocal`: 1 or 0. */
  #countSide(flows: FlowColumns, from: TcpColumns, to: SlotSide, senderIsLocal: number): void {
    this.#countEvents(flows, from.retransmits, to.retransmits, EdgeCount.requestRetransmits, senderIsLocal)
    this.#countEvents(flows, from.outOfOrder, to.outOfOrder, EdgeCount.requestOutOfOrder, senderIsLocal)
    this.#countEvents(flows, from.zeroWindows, to.zeroWindows, EdgeCount.requestZeroWindows, senderIsLocal)
    this.#countEvents(flows, from.resets, to.resets, EdgeCount.requestResets, senderIsLocal)
    for (let i = 0; i < flows.length; i++)
      if (from.duplicateAcks[i] !== 0 && this.#isOfSlot(flows, i))
        to.duplicateAcks[flows.slot[i]!]! += from.duplicateAcks[i]!
    for (let i = 0; i < flows.length; i++) {
      const seconds = from.rttSumSeconds[i]!
      if (seconds === 0) continue
      if (this.#isOfSlot(flows, i)) to.rttSumSeconds[flows.slot[i]!]! += seconds
      const edge = this.#edgeOfRow[i]!
      if (edge === NO_EDGE || !this.#isFull) continue
      const pair = this.#pairOf(edge)
      this.#edges.pairs.rtt(pair, isRequest(edge, senderIsLocal)).addToSum(pair, seconds)
    }
  }

  /** `count`: of the request; that of the response follows it. */
  #countEvents(flows: FlowColumns, from: Uint32Array, to: Uint32Array, count: number, senderIsLocal: number): void {
    for (let i = 0; i < flows.length; i++) {
      const events = from[i]!
      if (events === 0) continue
      if (this.#isOfSlot(flows, i)) to[flows.slot[i]!]! += events
      const edge = this.#edgeOfRow[i]!
      if (edge !== NO_EDGE) this.#edges.addEvents(edge >> 1, count + (isRequest(edge, senderIsLocal) ? 0 : 1), events)
    }
  }

  #countSamples(flows: FlowColumns, rtt: RttColumns): void {
    for (let i = 0; i < rtt.length; i++) {
      const row = rtt.row[i]!
      const senderIsLocal = rtt.direction[i] === 0 ? 1 : 0
      const side = senderIsLocal === 1 ? this.#slots.fromPod : this.#slots.toPod
      if (this.#isOfSlot(flows, row)) side.rttSamples[flows.slot[row]!]! += rtt.count[i]!
      const edge = this.#edgeOfRow[row]!
      if (edge === NO_EDGE || !this.#isFull) continue
      const pair = this.#pairOf(edge)
      const histograms = this.#edges.pairs.rtt(pair, isRequest(edge, senderIsLocal))
      histograms.addToBucket(pair, rtt.bucket[i]!, rtt.count[i]!, this.#edges.sinceMs)
    }
  }

  #isOfSlot(flows: FlowColumns, i: number): boolean {
    return this.#slots.generation[flows.slot[i]!] === flows.generation[i]
  }

  #pairOf(edge: number): number {
    return this.#edges.edges[edge >> 1]!.pair
  }
}

function isRequest(edge: number, senderIsLocal: number): boolean {
  return (edge & 1) === senderIsLocal
}
