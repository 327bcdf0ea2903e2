// Names of the far ends of flows: what configuration and cluster say, and beside it what was learnt on this node.
import type { FailureCause } from '../aggregate/failure-cause.ts'
import type { Identity, InterfaceOwner, Names, RemotePoint } from '../aggregate/identity.ts'
import type { AddressKey } from '../capture/address.ts'
import type { DnsSource } from '../capture/dns-source.ts'
import type { FlowBatch } from '../capture/flow-batch.ts'
import type { NatSource } from '../capture/nat-source.ts'
import type { SocketSource } from '../capture/socket-source.ts'
import type { Clock } from '../host/clock.ts'
import type { Log } from '../host/log.ts'
import { nodeAddresses } from '../host/node-addresses.ts'
import { Backends } from './backends.ts'
import { DnsNamed } from './dns-named.ts'
import { DnsWatch } from './dns-watch.ts'
import { HostServers } from './host-servers.ts'
import type { PodNames } from './pod-names.ts'

export interface FlowNameSources {
  /** Absent: nobody asks who serves on this node. */
  readonly sockets?: SocketSource
  /** Absent: the module "conntrack" is off, or can't work here. */
  readonly nat?: NatSource
  /** Absent: the module "dns" is off, or can't work here. */
  readonly dns?: DnsSource
}

export interface FlowNamesParts extends FlowNameSources {
  readonly names: PodNames
  readonly owner: (interfaceSlot: number) => InterfaceOwner | undefined
  readonly log: Log
  readonly clock: Clock
}

export class FlowNames implements Names {
  readonly dns: DnsWatch | undefined
  readonly backends: Backends | undefined
  readonly #words: PodNames
  readonly #servers: HostServers | undefined
  readonly #names: Names

  constructor({ names, sockets, nat, dns, owner, log, clock }: FlowNamesParts) {
    this.#words = names
    this.#servers = sockets && new HostServers({ names, source: sockets, addresses: nodeAddresses, log, clock })
    const served = this.#servers ?? names
    this.backends = nat && new Backends({ names: served, source: nat, log })
    this.dns = dns && new DnsWatch({ source: dns, owner, log, clock })
    const known = this.backends ?? served
    this.#names = this.dns ? new DnsNamed(known, this.dns.names) : known
  }

  get version(): number {
    return this.#names.version
  }

  remote(address: AddressKey, atMs: number, point?: RemotePoint): Identity {
    return this.#names.remote(address, atMs, point)
  }

  /** Of whoever was dialled: no translation, and no name from DNS, makes another of it. */
  failureCause(address: AddressKey, sinceMs: number, point: RemotePoint): FailureCause | undefined {
    return this.#words.failureCause?.(address, sinceMs, point)
  }

  /** To be called between a drain and the counting of its flows. Never rejects. */
  async learn(batch: FlowBatch): Promise<void> {
    await this.#words.hear(batch.started)
    await this.dns?.drain()
    const translated = await this.backends?.look(batch)
    await this.#servers?.look(batch, translated)
  }
}
