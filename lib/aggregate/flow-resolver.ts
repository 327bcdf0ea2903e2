// Gives a flow its two ends, its client and its edge; asked when a flow starts and when names change.
import { formatAddress } from '../capture/address.ts'
import { Confidence, Opener, type StartedColumns } from '../capture/flow-batch.ts'
import { ADDRESS_BYTES, compareAddresses } from './address-order.ts'
import { isNamed } from './edge-end.ts'
import type { EdgeTable } from './edge-table.ts'
import { EXCLUDED, type FlowSlots, OTHER_END, openerBases } from './flow-slots.ts'
import type { Identity, InterfaceOwner, Names } from './identity.ts'
import { decideOpener, type OpenerAnswer } from './opener.ts'
import { ServedPorts } from './served-ports.ts'
import { hasPorts, Protocol, transportOf } from './transport.ts'

/** The local end of an interface that nobody has claimed. */
const UNCLAIMED: Identity = { class: 'unknown', name: 'unknown', ports: new Set() }

/** As the columns of `FlowSlots` have it. */
interface DecidedClient {
  readonly clientIsLocal: number
  readonly basis: number
}

export class FlowResolver {
  readonly #names: Names
  readonly #owner: (interfaceSlot: number) => InterfaceOwner | undefined
  readonly #edges: EdgeTable
  readonly #servedPorts = new ServedPorts()

  constructor(names: Names, owner: (interfaceSlot: number) => InterfaceOwner | undefined, edges: EdgeTable) {
    this.#names = names
    this.#owner = owner
    this.#edges = edges
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
    const address = formatAddress(slots.remoteAddress, slot * ADDRESS_BYTES, slots.family[slot]!)
    const remote = this.#names.remote(address, slots.startMs[slot]!, interfaceSlot)
    if (slots.local.find(slot) === local && slots.remote.find(slot) === remote) return
    slots.local.set(slot, local)
    slots.remote.set(slot, remote)
    slots.named[slot] = isNamed(local) && isNamed(remote) ? 1 : 0
    const answer = decided ? answerOf(decided) : this.#openerOf(slots, slot, interfaceSlot, local, remote)
    slots.clientIsLocal[slot] = answer.client === 'local' ? 1 : 0
    slots.basis[slot] = openerBases.indexOf(answer.basis)
    slots.edge[slot] = this.#edgeOf(slots, slot, local, remote, answer)
  }

  #localEnd(interfaceSlot: number): Identity {
    const identity = this.#owner(interfaceSlot)?.identity
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
    const protocol = slots.protocol[slot]!
    const dialledPort = client === 'local' ? slots.remotePort[slot]! : slots.localPort[slot]!
    return this.#edges.edgeFor({
      client: client === 'local' ? local : remote,
      server: client === 'local' ? remote : local,
      serverPort: hasPorts(protocol) ? dialledPort : 0,
      transport: transportOf(protocol),
      family: slots.family[slot]!,
      observer: client === 'local' ? 'client' : 'server',
    })
  }
}

function answerOf({ clientIsLocal, basis }: DecidedClient): OpenerAnswer {
  return { client: clientIsLocal === 1 ? 'local' : 'remote', basis: openerBases[basis]! }
}
