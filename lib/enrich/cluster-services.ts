// The Services of a cluster: their addresses, node ports, and the workload behind each one.
import type { FailureCause } from '../aggregate/failure-cause.ts'
import type { Identity, RemotePoint, Workload } from '../aggregate/identity.ts'
import { Protocol, transportOf } from '../aggregate/transport.ts'
import { type AddressKey, parseAddressKeys } from '../capture/address.ts'
import type { ClusterEndpointSlice, ClusterService } from '../kubernetes/cluster-objects.ts'
import type { ClusterPods } from './cluster-pods.ts'
import { type PodRecord, severalOf } from './pod-record.ts'
import type { PortSets } from './port-sets.ts'
import { isSameService, type ServiceRecord, type SliceRecord, serviceKey } from './service-record.ts'
import { Shared } from './shared.ts'

const noPorts: ReadonlySet<string> = new Set()
/** Several have the address, and the port does not tell them apart. */
export const UNDECIDED_SERVICE: Identity = { class: 'service', name: 'unknown', ports: noPorts, foundBy: 'unknown' }
const protocols = { tcp: Protocol.tcp, udp: Protocol.udp, sctp: Protocol.sctp } as const

/** For others to know it, too. */
export interface KnownService {
  readonly identity: Identity
  /** Somebody takes connections. */
  readonly isServed: boolean
  /** When we heard that, after nobody did. */
  readonly servedSinceMs: number
}

/** For who tells others: everything that they may want to know. */
export interface ServiceWords {
  /** Services with one of these have come, gone, or lead elsewhere. */
  addresses(addresses: readonly AddressKey[]): void
  /** The same by node ports, as `pointKey`. */
  nodePorts(points: readonly number[]): void
}

export class ClusterServices {
  readonly #pods: ClusterPods
  readonly #portSets: PortSets
  readonly #words: ServiceWords | undefined
  readonly #records = new Map<string, ServiceRecord>()
  readonly #byName = new Map<string, ServiceRecord>()
  readonly #byAddress = new Shared<AddressKey, ServiceRecord>()
  readonly #byNodePort = new Shared<number, ServiceRecord>()
  readonly #slices = new Map<string, SliceRecord>()
  readonly #slicesOf = new Shared<string, SliceRecord>()
  readonly #strangers = new Shared<AddressKey, SliceRecord>()

  constructor(pods: ClusterPods, portSets: PortSets, words?: ServiceWords) {
    this.#pods = pods
    this.#portSets = portSets
    this.#words = words
  }

  /** True when answers may differ. */
  changed(service: ClusterService): boolean {
    const { uid, namespace, name } = service
    const before = this.#records.get(uid)
    const record: ServiceRecord = {
      ...{ uid, namespace, name },
      addresses: parseAddressKeys(service.addresses),
      ports: this.#portSets.of(service.ports.map(each => `${each.protocol}/${each.port}`)),
      nodePorts: service.ports
        .filter(each => each.nodePort > 0)
        .map(each => pointKey(protocols[each.protocol], each.nodePort)),
      identity: undefined,
      identifiedAt: -1,
      servedSinceMs: before?.servedSinceMs ?? Number.NEGATIVE_INFINITY,
    }
    if (before && isSameService(before, record)) return false
    if (before) this.#remove(before)
    this.#records.set(uid, record)
    this.#byName.set(serviceKey(record), record)
    for (const address of record.addresses) this.#byAddress.add(address, record)
    for (const key of record.nodePorts) this.#byNodePort.add(key, record)
    this.#tell(before, record)
    return true
  }

  deleted(uid: string): boolean {
    const record = this.#records.get(uid)
    if (!record) return false
    this.#remove(record)
    this.#records.delete(uid)
    this.#tell(record)
    return true
  }

  uids(): Iterable<string> {
    return this.#records.keys()
  }

  /** True when answers may differ; those that follow from ports of pods are told by the pods. */
  sliceChanged(slice: ClusterEndpointSlice, atMs: number): boolean {
    const { uid, namespace, ports, endpoints } = slice
    const before = this.#slices.get(uid)
    const record: SliceRecord = {
      ...{ uid, ports, service: `${namespace}/${slice.service}` },
      isServed: endpoints.some(({ isReady }) => isReady),
      ready: this.#podsOf(slice, true),
      unready: this.#podsOf(slice, false),
      strangers: parseAddressKeys(endpoints.filter(each => each.podUid === undefined).flatMap(each => each.addresses)),
      stranger: {
        class: 'external',
        service: { namespace, name: slice.service },
        ports: this.#portSets.of(ports),
        foundBy: 'service',
      },
    }
    return this.#replaceSlice(before, record, atMs)
  }

  sliceDeleted(uid: string, atMs: number): boolean {
    const record = this.#slices.get(uid)
    return record ? this.#replaceSlice(record, undefined, atMs) : false
  }

  sliceUids(): Iterable<string> {
    return this.#slices.keys()
  }

  /** Whose cluster, external or load balancer address it is. Of several that share it, the one with the port. */
  at(address: AddressKey, point: RemotePoint | undefined): Identity | undefined {
    const record = this.#byAddress.only(address, each => servesAt(each, point))
    return record === 'several' ? UNDECIDED_SERVICE : record && this.#identityOf(record)
  }

  /** The same for an address that is a node's too: what does not fit the Service's ports is the node's. */
  atNode(address: AddressKey, point: RemotePoint | undefined): Identity | undefined {
    const record = point && this.#recordAtNode(address, point)
    return record === 'several' ? UNDECIDED_SERVICE : record && this.#identityOf(record)
  }

  /** Why nobody answers there; `sinceMs`: an answer at a time between then and now is enough of one. */
  failureCause(address: AddressKey, point: RemotePoint, isNode: boolean, sinceMs: number): FailureCause | undefined {
    const record = isNode
      ? this.#recordAtNode(address, point)
      : this.#byAddress.only(address, each => servesAt(each, point))
    if (record === undefined || record === 'several') return undefined
    if (!isNode && !servesAt(record, point)) return 'no_such_port'
    return this.#isServed(record) && record.servedSinceMs <= sinceMs ? undefined : 'no_ready_endpoints'
  }

  /** A Service's endpoint that is no pod, dialled directly; undefined also where several Services have it. */
  endpointAt(address: AddressKey): Identity | undefined {
    const slices = this.#strangers.all(address)
    return slices.every(({ service }) => service === slices[0]!.service) ? slices[0]?.stranger : undefined
  }

  /** All that have the address. */
  allAt(address: AddressKey): readonly KnownService[] {
    return this.#byAddress.all(address).map(each => this.#known(each))
  }

  /** All that have the node port, as `pointKey`. */
  allAtNodePort(point: number): readonly KnownService[] {
    return this.#byNodePort.all(point).map(each => this.#known(each))
  }

  /** As `pointKey`. */
  nodePorts(): Iterable<number> {
    return this.#byNodePort.keys()
  }

  /** To be called when a pod is called otherwise: its Services may lead elsewhere. */
  podChanged(record: PodRecord): void {
    for (const { service } of severalOf(record.servedBy)) this.#tell(this.#byName.get(service))
  }

  #known(record: ServiceRecord): KnownService {
    const { servedSinceMs } = record
    return { identity: this.#identityOf(record), isServed: this.#isServed(record), servedSinceMs }
  }

  #recordAtNode(address: AddressKey, point: RemotePoint): ServiceRecord | 'several' | undefined {
    const record = this.#byAddress.some(address, each => servesAt(each, point))
    if (record) return record
    const byPort = this.#byNodePort.only(pointKey(point.protocol, point.port), () => true)
    return byPort === 'several' ? undefined : byPort
  }

  #isServed(record: ServiceRecord): boolean {
    return this.#slicesOf.all(serviceKey(record)).some(({ isServed }) => isServed)
  }

  #tell(...records: (ServiceRecord | undefined)[]): void {
    for (const record of records) {
      if (!record) continue
      this.#words?.addresses(record.addresses)
      this.#words?.nodePorts(record.nodePorts)
    }
  }

  #identityOf(record: ServiceRecord): Identity {
    const { workloadsVersion } = this.#pods
    if (record.identity && record.identifiedAt === workloadsVersion) return record.identity
    record.identifiedAt = workloadsVersion
    const workload = this.#workloadBehind(serviceKey(record))
    if (record.identity && record.identity.workload === workload) return record.identity
    const { namespace, name, ports } = record
    const service = record.identity?.service ?? { namespace, name }
    record.identity = workload ? { class: 'service', workload, service, ports } : { class: 'service', service, ports }
    return record.identity
  }

  /** What all endpoints share that take connections; while none does, all that are to. */
  #workloadBehind(key: string): Workload | undefined {
    const slices = this.#slicesOf.all(key)
    if (slices.some(({ strangers }) => strangers.length > 0)) return undefined
    const ready = slices.flatMap(each => each.ready)
    const pods = ready.length > 0 ? ready : slices.flatMap(each => each.unready)
    const workload = pods[0]?.identity?.workload
    return pods.every(({ identity }) => identity?.workload === workload) ? workload : undefined
  }

  #replaceSlice(before: SliceRecord | undefined, record: SliceRecord | undefined, atMs: number): boolean {
    const services = new Set([before?.service, record?.service].flatMap(each => this.#byName.get(each ?? '') ?? []))
    const workloads = [...services].map(each => this.#identityOf(each).workload)
    const unserved = new Set([...services].filter(each => !this.#isServed(each)))
    const strangersBefore = before?.strangers ?? []
    if (before) this.#forgetSlice(before)
    if (record) {
      this.#slices.set(record.uid, record)
      this.#slicesOf.add(record.service, record)
      for (const address of record.strangers) this.#strangers.add(address, record)
    }
    for (const service of unserved) if (this.#isServed(service)) service.servedSinceMs = atMs
    this.#tell(...[...services].filter(each => this.#isServed(each) === unserved.has(each)))
    this.#tellPods(before, record)
    const strangersNow = record?.strangers ?? []
    let differs = strangersBefore.join() !== strangersNow.join()
    if (differs) this.#words?.addresses([...strangersBefore, ...strangersNow])
    for (const [i, service] of [...services].entries()) {
      service.identifiedAt = -1
      if (this.#identityOf(service).workload === workloads[i]) continue
      differs = true
      this.#tell(service)
    }
    return differs
  }

  #forgetSlice(record: SliceRecord): void {
    this.#slices.delete(record.uid)
    this.#slicesOf.remove(record.service, record)
    for (const address of record.strangers) this.#strangers.remove(address, record)
  }

  /** Ports of a slice are served by its pods, ready or not. */
  #tellPods(before: SliceRecord | undefined, record: SliceRecord | undefined): void {
    const now = new Set(record ? [...record.ready, ...record.unready] : [])
    for (const pod of new Set([...(before ? [...before.ready, ...before.unready] : []), ...now])) {
      const others = severalOf(pod.servedBy).filter(each => each !== before)
      this.#pods.setServedBy(pod, record && now.has(pod) ? [...others, record] : others)
    }
  }

  #podsOf({ endpoints }: ClusterEndpointSlice, isReady: boolean): PodRecord[] {
    const uids = endpoints.filter(each => each.isReady === isReady).flatMap(({ podUid }) => podUid ?? [])
    return [...new Set(uids)].map(uid => this.#pods.recordOf(uid))
  }

  #remove(record: ServiceRecord): void {
    if (this.#byName.get(serviceKey(record)) === record) this.#byName.delete(serviceKey(record))
    for (const address of record.addresses) this.#byAddress.remove(address, record)
    for (const key of record.nodePorts) this.#byNodePort.remove(key, record)
  }
}

/** One number for a protocol and a port. */
export function pointKey(protocol: number, port: number): number {
  return protocol * 65_536 + port
}

/** As somebody dials it. */
export function servesAt({ ports }: Pick<Identity, 'ports'>, point: RemotePoint | undefined): boolean {
  return point !== undefined && ports.has(`${transportOf(point.protocol)}/${point.port}`)
}
