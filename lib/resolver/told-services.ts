// Services of which a resolver has told us: those that have an address or a node port that was asked for.
import type { FailureCause } from '../aggregate/failure-cause.ts'
import type { Identity, RemotePoint } from '../aggregate/identity.ts'
import type { AddressKey } from '../capture/address.ts'
import { type KnownService, pointKey, servesAt, UNDECIDED_SERVICE } from '../enrich/cluster-services.ts'
import type { ServiceNames } from '../enrich/cluster-state.ts'
import type { EndpointMessage, ServiceMessage } from './messages.ts'

interface AtAddress {
  readonly services: readonly KnownService[]
  readonly endpoint: Identity | undefined
}

/** By our clock. */
type OursMs = (theirMs: number) => number

export class ToldServices implements ServiceNames {
  readonly #byAddress = new Map<AddressKey, AtAddress>()
  /** As `pointKey`. */
  readonly #byNodePort = new Map<number, readonly KnownService[]>()
  /** One for what says the same, as it was told last. */
  readonly #identities = new Map<string, Identity>()
  readonly #askNodePort: (point: number) => void

  /** `askNodePort`: called with each node port that may be a Service's. */
  constructor(askNodePort: (point: number) => void) {
    this.#askNodePort = askNodePort
  }

  told(
    address: AddressKey,
    services: readonly ServiceMessage[],
    endpoint: EndpointMessage | undefined,
    oursMs: OursMs,
  ): void {
    const known = services.map(each => this.#knownBy(each, oursMs))
    if (services.length === 0 && !endpoint) this.#byAddress.delete(address)
    else this.#byAddress.set(address, { services: known, endpoint: endpoint && this.#strangerOf(endpoint) })
  }

  toldNodePort(point: number, services: readonly ServiceMessage[], oursMs: OursMs): void {
    const known = services.map(each => this.#knownBy(each, oursMs))
    if (services.length === 0) this.#byNodePort.delete(point)
    else this.#byNodePort.set(point, known)
  }

  forget(address: AddressKey): void {
    this.#byAddress.delete(address)
  }

  forgetNodePort(point: number): void {
    this.#byNodePort.delete(point)
  }

  /** Drops Services that have nothing any more that is asked for. */
  sweep(): void {
    const atAddresses = [...this.#byAddress.values()]
    const services = [...atAddresses.flatMap(each => each.services), ...[...this.#byNodePort.values()].flat()]
    const needed = new Set([...services.map(({ identity }) => identity), ...atAddresses.map(each => each.endpoint)])
    for (const [key, identity] of this.#identities) if (!needed.has(identity)) this.#identities.delete(key)
  }

  at(address: AddressKey, point: RemotePoint | undefined): Identity | undefined {
    const service = this.#only(address, point)
    return service === 'several' ? UNDECIDED_SERVICE : service?.identity
  }

  atNode(address: AddressKey, point: RemotePoint | undefined): Identity | undefined {
    const service = point && this.#onlyAtNode(address, point)
    return service === 'several' ? UNDECIDED_SERVICE : service?.identity
  }

  failureCause(address: AddressKey, point: RemotePoint, isNode: boolean, sinceMs: number): FailureCause | undefined {
    const service = isNode ? this.#onlyAtNode(address, point) : this.#only(address, point)
    if (service === undefined || service === 'several') return undefined
    if (!isNode && !servesAt(service.identity, point)) return 'no_such_port'
    return service.isServed && service.servedSinceMs <= sinceMs ? undefined : 'no_ready_endpoints'
  }

  endpointAt(address: AddressKey): Identity | undefined {
    return this.#byAddress.get(address)?.endpoint
  }

  #only(address: AddressKey, point: RemotePoint | undefined): KnownService | 'several' | undefined {
    const services = this.#byAddress.get(address)?.services ?? []
    if (services.length < 2) return services[0]
    const fitting = services.filter(({ identity }) => servesAt(identity, point))
    return fitting.length === 1 ? fitting[0]! : 'several'
  }

  #onlyAtNode(address: AddressKey, point: RemotePoint): KnownService | 'several' | undefined {
    const atAddress = this.#byAddress.get(address)?.services ?? []
    const fitting = atAddress.filter(({ identity }) => servesAt(identity, point))
    if (fitting.length > 0) return fitting.length > 1 ? 'several' : fitting[0]
    const nodePort = pointKey(point.protocol, point.port)
    this.#askNodePort(nodePort)
    const services = this.#byNodePort.get(nodePort) ?? []
    return services.length === 1 ? services[0] : undefined
  }

  #knownBy({ namespace, name, ports, workload, served, servedSince }: ServiceMessage, oursMs: OursMs): KnownService {
    const service = { namespace, name }
    const said: Identity = { class: 'service', service, ports: new Set(ports), ...(workload && { workload }) }
    const servedSinceMs = servedSince === undefined ? Number.NEGATIVE_INFINITY : oursMs(servedSince)
    return { identity: this.#intern('service', said), isServed: served, servedSinceMs }
  }

  #strangerOf({ namespace, name, ports }: EndpointMessage): Identity {
    const service = { namespace, name }
    return this.#intern('endpoint', { class: 'external', service, ports: new Set(ports), foundBy: 'service' })
  }

  /** The same Service is the same object, by whatever address, until it leads elsewhere. */
  #intern(kind: string, identity: Identity): Identity {
    const { namespace, name } = identity.service!
    const key = `${kind} ${namespace}/${name}`
    const known = this.#identities.get(key)
    if (known && textOf(known) === textOf(identity)) return known
    this.#identities.set(key, identity)
    return identity
  }
}

function textOf({ workload, ports }: Identity): string {
  return JSON.stringify([workload?.namespace, workload?.kind, workload?.name, [...ports].sort()])
}
