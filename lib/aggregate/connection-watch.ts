// Tells a listener of flows that come to something, row by row as they are drained. Without a listener there is none of it.
import { Closed, Failed, type FlowBatch, Retired, type TcpColumns } from '../capture/flow-batch.ts'
import { ConnectionBeginnings } from './connection-beginnings.ts'
import type { ConnectionListener, ConnectionRecord, Glimpse, Occasion, Retransmission } from './connection-record.ts'
import { EXCLUDED, type FlowSlots, isExported } from './flow-slots.ts'
import { type FlowView, type TcpSideView, type TcpView, viewFlow } from './flow-view.ts'
import { Protocol } from './transport.ts'

/** Of one flow; what comes on top is added to the last one. */
const MOST_RETRANSMISSIONS = 8
const NONE = -1

export class ConnectionWatch {
  readonly #slots: FlowSlots
  readonly #listener: ConnectionListener
  readonly #beginnings: ConnectionBeginnings
  readonly #retransmissions = new Map<number, Retransmission[]>()
  /** 1: it failed or closed before. */
  readonly #told: Uint8Array
  /** The last row of each slot, and the batch that it is in. */
  readonly #lastRow: Int32Array
  readonly #lastBatch: Uint32Array
  #batch!: FlowBatch
  /** Row of `beginnings`, by row of `flows`. */
  #beginningOf = new Int32Array(0)

  constructor(slots: FlowSlots, listener: ConnectionListener) {
    this.#slots = slots
    this.#listener = listener
    this.#beginnings = new ConnectionBeginnings(slots.length)
    this.#told = new Uint8Array(slots.length)
    this.#lastRow = new Int32Array(slots.length)
    this.#lastBatch = new Uint32Array(slots.length)
  }

  /** Before the rows of a batch. */
  expect(batch: FlowBatch): void {
    this.#batch = batch
    const { flows, beginnings } = batch
    if (this.#beginningOf.length < flows.length) this.#beginningOf = new Int32Array(flows.length)
    this.#beginningOf.fill(NONE, 0, flows.length)
    for (let i = 0; i < beginnings.length; i++) this.#beginningOf[beginnings.row[i]!] = i
  }

  /** A flow starts: nothing of an earlier one in its slot is left. */
  begin(slot: number): void {
    this.#beginnings.begin(slot)
    this.#told[slot] = 0
    this.#lastBatch[slot] = 0
    if (this.#retransmissions.size > 0) this.#retransmissions.delete(slot)
  }

  /** For each row, when everything else of it but TCP's health was counted. */
  row(i: number, slot: number): void {
    const { flows, beginnings, readAtMs } = this.#batch
    const beginning = this.#beginningOf[i]!
    if (beginning !== NONE) this.#beginnings.take(slot, beginnings, beginning)
    if (flows.fromPod.retransmits[i] !== 0)
      this.#noteRetransmission(slot, true, flows.fromPod.retransmits[i]!, readAtMs)
    if (flows.toPod.retransmits[i] !== 0) this.#noteRetransmission(slot, false, flows.toPod.retransmits[i]!, readAtMs)
    if (flows.failed[i] !== Failed.none) this.#offer('failed', i, slot)
    if (flows.closed[i] !== Closed.none && this.#counts(slot)) this.#offer('closed', i, slot)
    if (flows.ended[i] !== Retired.no) this.#offer('left', i, slot)
    this.#lastRow[slot] = i
    this.#lastBatch[slot] = this.#batch.sequence
  }

  /** Closed is what was a connection or a request: others only fell silent. */
  #counts(slot: number): boolean {
    return this.#slots.protocol[slot] === Protocol.tcp || this.#slots.isRequest[slot] === 1
  }

  #noteRetransmission(slot: number, senderIsLocal: boolean, packets: number, drainedAtMs: number): void {
    const known = this.#retransmissions.get(slot) ?? []
    const isFull = known.length >= MOST_RETRANSMISSIONS
    const last = isFull ? known.findLastIndex(each => each.senderIsLocal === senderIsLocal) : NONE
    if (last === NONE) known.push({ drainedAtMs, senderIsLocal, packets })
    else known[last] = { ...known[last]!, packets: known[last]!.packets + packets }
    this.#retransmissions.set(slot, known)
  }

  #offer(occasion: Occasion, i: number, slot: number): void {
    const edge = this.#slots.edge[slot]!
    const glimpse: Glimpse = {
      occasion,
      exported: isExported(edge),
      included: edge !== EXCLUDED,
      failed: this.#slots.failed[slot]!,
      toldBefore: this.#told[slot] === 1,
      handshakeSeconds: this.#slots.handshakeSeconds[slot]!,
      directions: Math.sign(this.#slots.fromPod.packets[slot]!) + Math.sign(this.#slots.toPod.packets[slot]!),
    }
    if (occasion !== 'left') this.#told[slot] = 1
    if (this.#listener.wants(glimpse)) this.#listener.tell(this.#record(occasion, i, slot))
  }

  #record(occasion: Occasion, i: number, slot: number): ConnectionRecord {
    const slots = this.#slots
    const { flows } = this.#batch
    const synAtMs = this.#beginnings.synAtMs[slot]!
    const endedAtMs = flows.endedAtMs[i]!
    const beganMs = slots.beganMs[slot]! || slots.startMs[slot]!
    return {
      occasion,
      flow: this.#viewWith(i, slot),
      edge: slots.edge[slot]!,
      beganMs: synAtMs !== 0 ? Math.min(synAtMs, beganMs) : beganMs,
      endedMs: Number.isNaN(endedAtMs) ? slots.lastMs[slot]! : endedAtMs,
      closed: this.#counts(slot) ? flows.closed[i]! : Closed.none,
      retired: flows.ended[i]!,
      local: this.#beginnings.local.of(slot),
      remote: this.#beginnings.remote.of(slot),
      retransmissions: [...(this.#retransmissions.get(slot) ?? [])],
    }
  }

  /** TCP's health is counted when all rows of a batch are through: until then it lacks what this batch says. */
  #viewWith(i: number, slot: number): FlowView {
    const view = viewFlow(this.#slots, slot)
    if (!view.tcp) return view
    const rows = this.#lastBatch[slot] === this.#batch.sequence ? [this.#lastRow[slot]!, i] : [i]
    return { ...view, tcp: this.#tcpWith(view.tcp, rows) }
  }

  #tcpWith(tcp: TcpView, rows: readonly number[]): TcpView {
    const { flows } = this.#batch
    const accepted = rows.map(row => flows.acceptedSeconds[row]!).find(seconds => seconds > 0)
    return {
      ...tcp,
      ...(accepted !== undefined && { acceptedSeconds: accepted }),
      fromPod: rows.reduce((side, row) => this.#sideWith(side, flows.fromPod, row, 0), tcp.fromPod),
      toPod: rows.reduce((side, row) => this.#sideWith(side, flows.toPod, row, 1), tcp.toPod),
    }
  }

  /** `direction`: as in `RttColumns`. */
  #sideWith(side: TcpSideView, from: TcpColumns, row: number, direction: number): TcpSideView {
    return {
      retransmits: side.retransmits + from.retransmits[row]!,
      outOfOrder: side.outOfOrder + from.outOfOrder[row]!,
      duplicateAcks: side.duplicateAcks + from.duplicateAcks[row]!,
      zeroWindows: side.zeroWindows + from.zeroWindows[row]!,
      resets: side.resets + from.resets[row]!,
      rttSamples: side.rttSamples + this.#samplesOf(row, direction),
      rttSumSeconds: side.rttSumSeconds + from.rttSumSeconds[row]!,
    }
  }

  #samplesOf(row: number, direction: number): number {
    const { rtt } = this.#batch
    let first = 0
    for (let end = rtt.length; first < end; ) {
      const middle = (first + end) >> 1
      if (rtt.row[middle]! < row) first = middle + 1
      else end = middle
    }
    let samples = 0
    for (let i = first; i < rtt.length && rtt.row[i] === row; i++)
      if (rtt.direction[i] === direction) samples += rtt.count[i]!
    return samples
  }
}
