// How connections and requests go: what a row says beyond packets and bytes, added to its flow and to its edge.
import { addressKey } from '../capture/address.ts'
import { Closed, Confidence, Failed, type FlowColumns, FlowFlag, Opener } from '../capture/flow-batch.ts'
import { ADDRESS_BYTES } from './address-order.ts'
import { EdgeCount } from './edge-counts.ts'
import type { EdgeTable } from './edge-table.ts'
import { causeNumber } from './failure-cause.ts'
import { type FlowSlots, isExported } from './flow-slots.ts'
import type { Names } from './identity.ts'
import { Protocol } from './transport.ts'

export class ConnectionCounter {
  readonly #slots: FlowSlots
  readonly #edges: EdgeTable
  readonly #names: Names
  readonly #isFull: boolean

  constructor(slots: FlowSlots, edges: EdgeTable, names: Names) {
    this.#slots = slots
    this.#edges = edges
    this.#names = names
    this.#isFull = edges.detail === 'full'
  }

  /**
   * UDP has no handshake: its first packet opens it, when we saw that one and the client had sent it. Many flows may be
   * in one that is collapsed.
   */
  begin(slot: number): void {
    const slots = this.#slots
    if ((slots.flags[slot]! & FlowFlag.collapsed) !== 0) return
    const protocol = slots.protocol[slot]!
    const isEcho = protocol === Protocol.icmp || protocol === Protocol.icmp6
    const hasHandshake = (isEcho || protocol === Protocol.tcp) && slots.confidence[slot] === Confidence.handshake
    if (!hasHandshake && !isUdpRequest(slots, slot)) return
    // One that comes back began before.
    if (slots.beganMs[slot] === 0) slots.beganMs[slot] = slots.startMs[slot]!
    if (protocol === Protocol.tcp) return
    slots.isRequest[slot] = 1
    if (!isEcho) this.#open(slot)
  }

  count(flows: FlowColumns, i: number, slot: number): void {
    const slots = this.#slots
    if (flows.opened[i] !== 0) this.#open(slot)
    if (flows.failed[i] !== Failed.none) this.#fail(slot, flows.failed[i]!)
    if (slots.protocol[slot] === Protocol.tcp) {
      slots.connection[slot] = flows.state[i]!
      const handshake = flows.handshakeSeconds[i]!
      if (handshake > 0 && slots.handshakeSeconds[slot] === 0) this.#shakeHands(slot, handshake)
    }
    if (flows.closed[i] !== Closed.none) this.#close(slot, flows.closed[i]!, flows.endedAtMs[i]!)
  }

  #open(slot: number): void {
    this.#slots.opened[slot]! += 1
    this.#addEvent(slot, EdgeCount.opened)
  }

  #fail(slot: number, failed: number): void {
    this.#slots.failed[slot] = failed
    this.#slots.cause[slot] = this.#causeOf(slot)
    this.#addEvent(slot, EdgeCount.failedRefused + failed - 1)
  }

  /** Of the server's end, as it was dialled. */
  #causeOf(slot: number): number {
    const slots = this.#slots
    const clientIsLocal = slots.clientIsLocal[slot] === 1
    const column = clientIsLocal ? slots.remoteAddress : slots.localAddress
    const address = addressKey(column, slot * ADDRESS_BYTES, slots.family[slot]!)
    const point = {
      protocol: slots.protocol[slot]!,
      port: clientIsLocal ? slots.remotePort[slot]! : slots.localPort[slot]!,
      interfaceSlot: slots.account.of(slot).interfaceSlot,
    }
    return causeNumber(this.#names.failureCause?.(address, slots.startMs[slot]!, point))
  }

  /** Once a connection: its rows go on saying it. */
  #shakeHands(slot: number, seconds: number): void {
    this.#slots.handshakeSeconds[slot] = seconds
    const edge = this.#slots.edge[slot]!
    if (!isExported(edge)) return
    this.#edges.pairs.handshake.add(this.#edges.edges[edge]!.pair, seconds, this.#edges.sinceMs)
  }

  #close(slot: number, closed: number, endedAtMs: number): void {
    const slots = this.#slots
    if (slots.protocol[slot] !== Protocol.tcp && slots.isRequest[slot] === 0) return
    this.#addEvent(slot, closedCount(closed, slots.clientIsLocal[slot] === 1))
    const beganMs = slots.beganMs[slot]!
    const edge = slots.edge[slot]!
    if (!this.#isFull || beganMs === 0 || !isExported(edge)) return
    const endMs = Number.isNaN(endedAtMs) ? slots.lastMs[slot]! : endedAtMs
    const seconds = Math.max(0, endMs - beganMs) / 1000
    this.#edges.pairs.duration.add(this.#edges.edges[edge]!.pair, seconds, this.#edges.sinceMs)
  }

  #addEvent(slot: number, count: number): void {
    const edge = this.#slots.edge[slot]!
    if (isExported(edge)) this.#edges.addEvents(edge, count, 1)
  }
}

function isUdpRequest(slots: FlowSlots, slot: number): boolean {
  if (slots.protocol[slot] !== Protocol.udp || slots.confidence[slot] === Confidence.resumed) return false
  return slots.opener[slot] === (slots.clientIsLocal[slot] === 1 ? Opener.local : Opener.remote)
}

function closedCount(closed: number, clientIsLocal: boolean): number {
  if (closed === Closed.fin) return EdgeCount.closedFin
  if (closed === Closed.idle) return EdgeCount.closedIdle
  return (closed === Closed.resetByLocal) === clientIsLocal ? EdgeCount.closedByClient : EdgeCount.closedByServer
}
