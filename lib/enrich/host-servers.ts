// Names with those of the host network that serve on this node's addresses: pods whose sockets these are.
import type { Identity, Names, RemotePoint } from '../aggregate/identity.ts'
import { Protocol, transportOf } from '../aggregate/transport.ts'
import { type AddressKey, parseAddressKeys } from '../capture/address.ts'
import type { FlowBatch } from '../capture/flow-batch.ts'
import type { SocketSource, Sockets } from '../capture/socket-source.ts'
import type { Clock } from '../host/clock.ts'
import type { Log } from '../host/log.ts'
import { type CgroupOwner, shortId } from './cgroup-owner.ts'
import type { DialledFlows, Endpoint } from './dialled-flows.ts'
import { type FlowAnswer, FlowAnswers } from './flow-answers.ts'
import { ownerAt } from './host-sockets.ts'
import type { PodNames } from './pod-names.ts'
import { ServedIdentities } from './served-identities.ts'

export interface HostServersParts {
  readonly names: PodNames
  readonly source: SocketSource
  /** Of this network namespace. */
  readonly addresses: () => readonly string[]
  readonly log: Log
  readonly clock: Clock
}

interface Found extends FlowAnswer {
  /** Absent: there is no socket. Empty: it is nobody's that can be named. */
  readonly owner?: CgroupOwner
  readonly endpoint: Endpoint
}

/** Addresses of nodes change rarely. */
const ADDRESSES_EVERY_MS = 30_000

export class HostServers implements Names {
  readonly #parts: HostServersParts
  readonly #flows = new FlowAnswers<Found>()
  readonly #identities = new ServedIdentities()
  /** Pods that serve, and that nobody has told us the name of. */
  readonly #nameless = new Set<string>()
  #own: ReadonlySet<AddressKey> = new Set()
  #ownSinceMs = Number.NEGATIVE_INFINITY
  #version = 0
  #said = ''

  constructor(parts: HostServersParts) {
    this.#parts = parts
  }

  get version(): number {
    return this.#parts.names.version + this.#version
  }

  remote(address: AddressKey, atMs: number, point?: RemotePoint): Identity {
    const { names } = this.#parts
    const known = names.remote(address, atMs, point)
    if (point?.slot === undefined || known.class !== 'node' || !this.#own.has(address)) return known
    const found = this.#flows.of(address, point)
    if (!found?.owner) return known
    const owner = this.#ownerOf(found.owner)
    if (!owner) return names.remote(address, atMs)
    const served = `${transportOf(point.protocol)}/${point.port}`
    const { place } = known
    return this.#identities.of(owner, served, { class: 'node', foundBy: 'socket', ...(place && { place }) })
  }

  /** To be called with each batch before it is counted; `translated`: where flows of it go in truth. Never rejects. */
  async look({ flows, started }: FlowBatch, translated?: DialledFlows): Promise<void> {
    this.#flows.begin(flows)
    this.#nameNow()
    if (started.length > 0) this.#learnAddresses()
    const asked = this.#flows.takeWanted()
    const wanted = asked.length
    asked.addStarted(started, (...point) => this.#isOwn(...point))
    for (const [i, endpoint] of translated?.endpoints.entries() ?? [])
      if (this.#own.has(endpoint.address)) asked.add(translated!.slots[i]!, translated!.generations[i]!, endpoint)
    this.#flows.eachChangeable(flows, (slot, { generation, endpoint }) => asked.add(slot, generation, endpoint))
    const sockets = await this.#socketsAt(asked.endpoints)
    if (!sockets) return
    for (const [i, endpoint] of asked.endpoints.entries()) {
      const [slot, generation] = [asked.slots[i]!, asked.generations[i]!]
      const before = this.#flows.known(slot, generation)
      const owner = ownerAt(sockets, endpoint)
      if (before && ownerKey(before.owner) === ownerKey(owner)) continue
      const mayChange = endpoint.protocol === Protocol.udp
      this.#flows.give(slot, { generation, endpoint, ...(owner && { owner }), mayChange })
      // Those that have only just started are named for the first time after this.
      if (before || i < wanted) this.#version++
    }
  }

  #isOwn(address: AddressKey, atMs: number, point: RemotePoint): boolean {
    return this.#own.has(address) && this.#parts.names.remote(address, atMs, point).class === 'node'
  }

  #learnAddresses(): void {
    const { addresses, clock } = this.#parts
    if (clock.monotonicMs() - this.#ownSinceMs < ADDRESSES_EVERY_MS) return
    this.#ownSinceMs = clock.monotonicMs()
    this.#own = new Set(parseAddressKeys(addresses()))
  }

  async #socketsAt(endpoints: readonly Endpoint[]): Promise<Sockets | undefined> {
    if (endpoints.length === 0) return undefined
    const points = [...new Map(endpoints.map(each => [each.protocol * 65_536 + each.port, each])).values()]
    try {
      return await this.#parts.source.socketsAt(
        Uint8Array.from(points, ({ protocol }) => protocol),
        Uint16Array.from(points, ({ port }) => port),
      )
    } catch (error) {
      const { message } = error as Error
      if (message !== this.#said) this.#parts.log.warn(`${message}; what serves on this node is \`node\` until then`)
      this.#said = message
      return undefined
    }
  }

  /** Words of a pod may come after its first client. */
  #nameNow(): void {
    for (const uid of this.#nameless) {
      if (!this.#parts.names.pod(uid).pod) continue
      this.#nameless.delete(uid)
      this.#version++
    }
  }

  #ownerOf({ podUid, containerId }: CgroupOwner): Identity | undefined {
    const { names } = this.#parts
    if (podUid === undefined) return containerId === undefined ? undefined : names.local(shortId(containerId))
    const identity = names.pod(podUid)
    if (identity.pod) return identity
    this.#nameless.add(podUid)
    return undefined
  }
}

function ownerKey(owner: CgroupOwner | undefined): string | undefined {
  return owner && (owner.podUid ?? owner.containerId ?? '')
}
