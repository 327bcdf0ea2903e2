// Names with the pods behind Services: those to which connection tracking sent single flows.
import type { Identity, Names, RemotePoint } from '../aggregate/identity.ts'
import { Protocol } from '../aggregate/transport.ts'
import type { AddressKey } from '../capture/address.ts'
import type { FlowBatch } from '../capture/flow-batch.ts'
import type { NatSource } from '../capture/nat-source.ts'
import type { Log } from '../host/log.ts'
import { DialledFlows, type Endpoint } from './dialled-flows.ts'
import { type FlowAnswer, FlowAnswers } from './flow-answers.ts'
import { type TranslationCounts, TranslationLookup } from './translation-lookup.ts'

export interface BackendsParts {
  readonly names: Names
  readonly source: NatSource
  readonly log: Log
}

interface Found extends FlowAnswer {
  /** Absent: there is none, or nobody knows it. */
  readonly backend?: Endpoint
  /** Its own from then on; wall clock, ms since 1970. */
  readonly sinceMs: number
}

export class Backends implements Names {
  readonly #names: Names
  readonly #lookup: TranslationLookup
  readonly #flows = new FlowAnswers<Found>()
  /** One identity for each Service and each pod behind it. */
  readonly #identities = new WeakMap<Identity, WeakMap<Identity, Identity>>()
  #version = 0

  constructor({ names, source, log }: BackendsParts) {
    this.#names = names
    this.#lookup = new TranslationLookup(source, log)
  }

  get version(): number {
    return this.#names.version + this.#version
  }

  /** What came of the questions since the start. */
  get counts(): Readonly<TranslationCounts> {
    return this.#lookup.counts
  }

  remote(address: AddressKey, atMs: number, point?: RemotePoint): Identity {
    const dialled = this.#names.remote(address, atMs, point)
    if (point?.slot === undefined || dialled.class !== 'service') return dialled
    const found = this.#flows.of(address, point)
    if (!found?.backend) return dialled
    const { address: behind, port } = found.backend
    return this.#identityOf(dialled, this.#names.remote(behind, Math.max(atMs, found.sinceMs), { ...point, port }))
  }

  /** To be called with each batch before it is counted. Returns where flows go, as far as that is news. Never rejects. */
  async look({ flows, started, readAtMs }: FlowBatch): Promise<DialledFlows> {
    this.#flows.begin(flows)
    const asked = this.#flows.takeWanted()
    const wanted = asked.length
    asked.addStarted(started, (...point) => this.#names.remote(...point).class === 'service')
    this.#flows.eachChangeable(flows, (slot, { generation, backend }) => asked.add(slot, generation, backend!))
    const fresh = new DialledFlows()
    for (const [i, found] of (await this.#lookup.of(asked)).entries()) {
      if (found === 'failed') continue
      const [slot, generation] = [asked.slots[i]!, asked.generations[i]!]
      const before = this.#flows.known(slot, generation)
      if (found === 'nowhere') {
        if (!before) this.#flows.give(slot, { generation, sinceMs: 0, mayChange: false })
      } else if (!isSame(before?.backend, found)) {
        const mayChange = found.protocol === Protocol.udp
        this.#flows.give(slot, { generation, backend: found, sinceMs: before ? readAtMs : 0, mayChange })
        fresh.add(slot, generation, found)
        // Those that have only just started are named for the first time after this.
        if (before || i < wanted) this.#version++
      }
    }
    return fresh
  }

  /** Without its place: where bytes go is counted at the backend's own interface. */
  #identityOf(dialled: Identity, behind: Identity): Identity {
    const { pod } = behind
    const workload = behind.workload ?? pod?.workload
    if (behind.class === 'service' || !workload) return dialled
    const known = this.#identities.get(dialled)?.get(behind)
    if (known) return known
    const { service, ports } = dialled
    const rest = { workload, ...(pod && { pod }), ...(service && { service }) }
    const identity: Identity = { class: 'service', ...rest, ports, foundBy: 'backend' }
    const ofService = this.#identities.get(dialled) ?? new WeakMap()
    this.#identities.set(dialled, ofService.set(behind, identity))
    return identity
  }
}

function isSame(a: Endpoint | undefined, b: Endpoint): boolean {
  return a?.address === b.address && a.port === b.port
}
