// Ports of our pods that have accepted a handshake: evidence for later flows that were met in the middle.
import type { Identity } from './identity.ts'

/** A pod that answers on more ports than this is being scanned or is a proxy for others: the first ones stay. */
const PORTS_PER_INTERFACE = 1024

export class ServedPorts {
  readonly #ports = new Map<number, Set<number>>()
  readonly #interfaceOf = new Map<Identity, number>()

  /** Lets the other end of a flow inside this node know what was learnt here. */
  bind(interfaceSlot: number, identity: Identity): void {
    if (identity.class === 'pod') this.#interfaceOf.set(identity, interfaceSlot)
  }

  remember(interfaceSlot: number, protocol: number, port: number): void {
    const ports = this.#ports.get(interfaceSlot) ?? new Set()
    this.#ports.set(interfaceSlot, ports)
    if (ports.size < PORTS_PER_INTERFACE) ports.add(portKey(protocol, port))
  }

  atInterface(interfaceSlot: number, protocol: number, port: number): boolean {
    return this.#ports.get(interfaceSlot)?.has(portKey(protocol, port)) ?? false
  }

  atIdentity(identity: Identity, protocol: number, port: number): boolean {
    const interfaceSlot = this.#interfaceOf.get(identity)
    return interfaceSlot !== undefined && this.atInterface(interfaceSlot, protocol, port)
  }

  forget(interfaceSlot: number): void {
    this.#ports.delete(interfaceSlot)
    for (const [identity, slot] of this.#interfaceOf) if (slot === interfaceSlot) this.#interfaceOf.delete(identity)
  }
}

function portKey(protocol: number, port: number): number {
  return (protocol << 16) | port
}
