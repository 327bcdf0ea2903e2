// Gives a flow its two ends, its client and its edge; asked when a flow starts and when names change.
import { addressKey } from '../capture/address.ts'
import { Confidence, Opener, type StartedColumns } from '../capture/flow-batch.ts'
import { ADDRESS_BYTES, compareAddresses } from './address-order.ts'
import { attributionOf, attributionResults } from './attribution.ts'
import { isNamed } from './edge-end.ts'
import type { EdgeTable } from './edge-table.ts'
import { EXCLUDED, type FlowSlots, OTHER_END, openerBases, SlotState } from './flow-slots.ts'
import type { Identity, InterfaceOwner, Names, RemotePoint } from './identity.ts'
import { decideOpener, isOpenedByRemote, type OpenerAnswer } from './opener.ts'
import { ServedPorts } from './served-ports.ts'
import { hasPorts, Protocol, transportOf } from './transport.ts'
import { NO_CROSSING } from './zone-table.ts'

/** The local end of an interface that nobody has claimed. */
const UNCLAIMED: Identity = { class: 'unknown', name: 'unknown', ports: new Set() }

/** As the columns of `FlowSlots` have it. */
interface DecidedClient {
  readonly clientIsLocal: number
  readonly basis: number
}

export interface FlowResolverParts {
  readonly names: Names
  readonly owner: (interfaceSlot: number) => InterfaceOwner | undefined
  readonly edges: EdgeTable
  /** Whether an interface of ours is this end's. */
  readonly isObserved: (identity: Identity) => boolean
}

export class FlowResolver {
  readonly #parts: FlowResolverParts
  readonly #servedPorts = new ServedPorts()

  constructor(parts: FlowResolverParts) {
    this.#parts = parts
  }

  /** Before the flows of a batch are resolved, so that the order of its rows does not matter. */
  learnServers(started: StartedColumns): void {
    for (let i = 0; i < started.length; i++)
      if (
        started.protocol[i] === Protocol.tcp &&
        started.confidence[i] === Confidence.handshake &&
        started.opener[i] === Opener.remote &&
        started.localPort[i] !== 0
      )
        this.#servedPorts.remember(started.interfaceSlot[i]!, Protocol.tcp, started.localPort[i]!)
  }

  forgetInterface(interfaceSlot: number): void {
    this.#servedPorts.forget(interfaceSlot)
  }

  /** Fills the columns that depend on names, if an end is another than before. `decided`: who is the client is known. */
  resolve(slots: FlowSlots, slot: number, interfaceSlot: number, decided?: DecidedClient): void {
    const local = this.#localEnd(interfaceSlot)
    const address = addressKey(slots.remoteAddress, slot * ADDRESS_BYTES, slots.family[slot]!)
    const startMs = slots.startMs[slot]!
    const point = pointOf(slots, slot, interfaceSlot)
    const dialled = this.#parts.names.remote(address, startMs, point)
    if (slots.local.find(slot) === local && slots.remote.find(slot) === dialled) {
      slots.foundBy[slot] = this.#foundBy(dialled)
      return
    }
    const answer = decided ? answerOf(decided) : this.#openerOf(slots, slot, interfaceSlot, local, dialled)
    // Nobody dials from a Service, nor from the port of a server: it is a port that happens to be one of these.
    const isDialling = answer.client === 'remote' && (dialled.class === 'service' || dialled.class === 'node')
    const remote = isDialling ? this.#parts.names.remote(address, startMs) : dialled
    const clientIsLocal = answer.client === 'local' ? 1 : 0
    slots.foundBy[slot] = this.#foundBy(remote)
    slots.local.set(slot, local)
    slots.remote.set(slot, remote)
    slots.named[slot] = isNamed(local) && isNamed(remote) ? 1 : 0
    slots.clientIsLocal[slot] = clientIsLocal
    slots.basis[slot] = openerBases.indexOf(answer.basis)
    slots.edge[slot] = this.#edgeOf(slots, slot, local, remote, answer)
    slots.crossing[slot] = this.#crossingOf(slots.edge[slot]!, local, remote, clientIsLocal === 1)
  }

  /** Flows that found no place of their own are asked for again: there is room now. What was counted stays where it is. */
  leaveOverflow(slots: FlowSlots): void {
    const { edges } = this.#parts
    const overflow = edges.overflowIndex
    const crossing = edges.zones?.overflowIndex ?? NO_CROSSING
    if (overflow === -1 && crossing === NO_CROSSING) return
    for (let slot = 0; slot < slots.length; slot++) {
      if (slots.state[slot] !== SlotState.live) continue
      const isInOverflow = overflow !== -1 && slots.edge[slot] === overflow
      const crossesInOverflow = crossing !== NO_CROSSING && slots.crossing[slot] === crossing
      if (isInOverflow || crossesInOverflow) this.#askAgain(slots, slot)
    }
  }

  #askAgain(slots: FlowSlots, slot: number): void {
    const local = slots.local.of(slot)!
    const remote = slots.remote.of(slot)!
    const answer = answerOf({ clientIsLocal: slots.clientIsLocal[slot]!, basis: slots.basis[slot]! })
    slots.edge[slot] = this.#edgeOf(slots, slot, local, remote, answer)
    slots.crossing[slot] = this.#crossingOf(slots.edge[slot]!, local, remote, answer.client === 'local')
  }

  #foundBy(remote: Identity): number {
    return attributionResults.indexOf(attributionOf(remote, this.#parts.isObserved(remote)))
  }

  #localEnd(interfaceSlot: number): Identity {
    const identity = this.#parts.owner(interfaceSlot)?.identity
    if (!identity) return UNCLAIMED
    this.#servedPorts.bind(interfaceSlot, identity)
    return identity
  }

  #openerOf(slots: FlowSlots, slot: number, interfaceSlot: number, local: Identity, remote: Identity): OpenerAnswer {
    const offset = slot * ADDRESS_BYTES
    const question = {
      opener: slots.opener[slot]!,
      confidence: slots.confidence[slot]!,
      protocol: slots.protocol[slot]!,
      localPort: slots.localPort[slot]!,
      remotePort: slots.remotePort[slot]!,
      addressOrder: compareAddresses(slots.localAddress, offset, slots.remoteAddress, offset),
      interfaceSlot,
      local,
      remote,
    }
    return decideOpener(question, this.#servedPorts)
  }

  /** The counted-once rule: what a remote pod opened is reported by that pod's own interface, if that one is in scope. */
  #edgeOf(slots: FlowSlots, slot: number, local: Identity, remote: Identity, { client }: OpenerAnswer): number {
    if (local.outOfScope || slots.isOwn[slot] === 1) return EXCLUDED
    if (client === 'remote' && remote.class === 'pod' && !remote.outOfScope) return OTHER_END
    const isClient = client === 'local'
    const protocol = slots.protocol[slot]!
    const dialledPort = isClient ? slots.remotePort[slot]! : slots.localPort[slot]!
    return this.#parts.edges.edgeFor({
      client: isClient ? local : remote,
      server: isClient ? remote : local,
      ...(this.#parts.edges.level === 'address' && addressesOf(slots, slot, isClient)),
      serverPort: hasPorts(protocol) ? dialledPort : 0,
      transport: transportOf(protocol),
      family: slots.family[slot]!,
      observer: isClient ? 'client' : 'server',
    })
  }

  #crossingOf(edge: number, local: Identity, remote: Identity, clientIsLocal: boolean): number {
    const { zones } = this.#parts.edges
    if (!zones || edge === EXCLUDED) return NO_CROSSING
    return zones.crossingFor({ local, remote, clientIsLocal })
  }
}

function pointOf(slots: FlowSlots, slot: number, interfaceSlot: number): RemotePoint {
  const protocol = slots.protocol[slot]!
  const port = slots.remotePort[slot]!
  if (isOpenedByRemote(protocol, slots.opener[slot]!, slots.confidence[slot]!)) return { protocol, port, interfaceSlot }
  return { protocol, port, interfaceSlot, slot, generation: slots.generation[slot]! }
}

function addressesOf(slots: FlowSlots, slot: number, clientIsLocal: boolean) {
  const keyOf = (column: Uint8Array) => addressKey(column, slot * ADDRESS_BYTES, slots.family[slot]!)
  const local = keyOf(slots.localAddress)
  const remote = keyOf(slots.remoteAddress)
  return clientIsLocal
    ? { clientAddress: local, serverAddress: remote }
    : { clientAddress: remote, serverAddress: local }
}

function answerOf({ clientIsLocal, basis }: DecidedClient): OpenerAnswer {
  return { client: clientIsLocal === 1 ? 'local' : 'remote', basis: openerBases[basis]! }
}
