// TCP connections whose slot the kernel needed for others: idle, not closed, and known when they speak again.
import type { StartedColumns } from '../capture/flow-batch.ts'
import { ADDRESS_BYTES } from './address-order.ts'
import type { FlowSlots } from './flow-slots.ts'

export interface ParkedConnection {
  readonly interfaceSlot: number
  /** As in `FlowSlots`. */
  readonly edge: number
  readonly clientIsLocal: number
  readonly basis: number
  readonly opener: number
  readonly confidence: number
  readonly opened: number
  readonly beganMs: number
  readonly parkedAtMs: number
}

export class ParkedConnections {
  readonly #limit: number
  readonly #keepMs: number
  /** In the order in which they were parked. */
  readonly #connections = new Map<string, ParkedConnection>()
  #dropped = 0

  constructor(limit: number, keepMs: number) {
    this.#limit = limit
    this.#keepMs = keepMs
  }

  get size(): number {
    return this.#connections.size
  }

  /** Those that had to go for later ones: they are no longer in `active`, and come back as met in the middle. */
  get dropped(): number {
    return this.#dropped
  }

  values(): Iterable<ParkedConnection> {
    return this.#connections.values()
  }

  park(slots: FlowSlots, slot: number, nowMs: number): void {
    const { interfaceSlot } = slots.account.of(slot)
    const key = keyOf(slots, slot, interfaceSlot)
    this.#connections.delete(key)
    this.#makeRoom()
    this.#connections.set(key, {
      interfaceSlot,
      edge: slots.edge[slot]!,
      clientIsLocal: slots.clientIsLocal[slot]!,
      basis: slots.basis[slot]!,
      opener: slots.opener[slot]!,
      confidence: slots.confidence[slot]!,
      opened: slots.opened[slot]!,
      beganMs: slots.beganMs[slot]!,
      parkedAtMs: nowMs,
    })
  }

  /** What was parked of a flow that starts; then it is no longer parked. */
  take(started: StartedColumns, i: number): ParkedConnection | undefined {
    if (this.#connections.size === 0) return undefined
    const key = keyOf(started, i, started.interfaceSlot[i]!)
    const connection = this.#connections.get(key)
    if (connection) this.#connections.delete(key)
    return connection
  }

  forgetOld(nowMs: number): void {
    for (const [key, { parkedAtMs }] of this.#connections) {
      if (nowMs - parkedAtMs < this.#keepMs) return
      this.#connections.delete(key)
    }
  }

  forgetInterface(interfaceSlot: number): void {
    for (const [key, connection] of this.#connections)
      if (connection.interfaceSlot === interfaceSlot) this.#connections.delete(key)
  }

  #makeRoom(): void {
    if (this.#connections.size < this.#limit) return
    const oldest = this.#connections.keys().next()
    if (oldest.done) return
    this.#connections.delete(oldest.value)
    this.#dropped++
  }
}

type Keys = Pick<FlowSlots, 'localAddress' | 'remoteAddress' | 'localPort' | 'remotePort' | 'family' | 'protocol'>

/** A character a byte: the shortest text that the engine keeps. */
function keyOf(keys: Keys, i: number, interfaceSlot: number): string {
  const length = keys.family[i] === 6 ? ADDRESS_BYTES : 4
  const bytes = [
    keys.protocol[i]!,
    ...numberBytes(interfaceSlot),
    ...numberBytes(keys.localPort[i]!),
    ...numberBytes(keys.remotePort[i]!),
  ]
  for (const column of [keys.localAddress, keys.remoteAddress])
    for (let byte = 0; byte < length; byte++) bytes.push(column[i * ADDRESS_BYTES + byte]!)
  return String.fromCharCode(...bytes)
}

function numberBytes(value: number): [number, number] {
  return [value >> 8, value & 255]
}
