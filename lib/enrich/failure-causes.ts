// Why nobody answered at an address, as far as a cluster's objects say it.
import type { FailureCause } from '../aggregate/failure-cause.ts'
import type { RemotePoint } from '../aggregate/identity.ts'
import type { AddressKey } from '../capture/address.ts'
import type { Resource } from '../kubernetes/cluster-objects.ts'
import type { ClusterView } from './cluster-state.ts'
import type { RemoteOrder } from './remote-order.ts'

/** Since when (wall clock) everything of a resource is known; undefined: what is known of it may be old. */
export type KnownSince = (resource: Resource) => number | undefined

export class FailureCauses {
  readonly #view: ClusterView
  readonly #order: RemoteOrder
  readonly #knownSince: KnownSince

  constructor(view: ClusterView, order: RemoteOrder, knownSince: KnownSince) {
    this.#view = view
    this.#order = order
    this.#knownSince = knownSince
  }

  /** What was so at some time between `sinceMs` and now. */
  at(address: AddressKey, sinceMs: number, point: RemotePoint): FailureCause | undefined {
    if (this.#view.pods.history.has(address)) return this.#ofPod(address, sinceMs)
    const knownSinceMs = this.#knownSince('endpointslices')
    if (knownSinceMs === undefined || this.#knownSince('services') === undefined) return undefined
    if (this.#order.of(address, sinceMs, point).class !== 'service') return undefined
    const { services, nodes } = this.#view
    const isNode = nodes.at(address) !== undefined || services.at(address, point) === undefined
    return services.failureCause?.(address, point, isNode, Math.max(sinceMs, knownSinceMs))
  }

  /** Whoever took the address over later was not dialled. */
  #ofPod(address: AddressKey, sinceMs: number): FailureCause | undefined {
    const knownSinceMs = this.#knownSince('pods')
    const claim = this.#view.pods.history.lastBy(address, sinceMs)
    if (!claim || knownSinceMs === undefined) return undefined
    const { holder, leavingMs, endedMs } = claim
    if (endedMs !== undefined) return 'pod_gone'
    if (leavingMs !== undefined) return 'pod_terminating'
    const hasBecomeReady = (holder.becameReadyMs ?? Number.NEGATIVE_INFINITY) > Math.max(sinceMs, knownSinceMs)
    return holder.isReady && !hasBecomeReady ? undefined : 'pod_not_ready'
  }
}
