// One end of an edge: what of an identity leaves the program at a level of detail of names, and nothing else.
import { type AddressKey, formatKey } from '../capture/address.ts'
import type { Identity, Workload } from './identity.ts'

/** What tells the ends of edges apart. `address` has what `pod` has, and that what `workload` has. */
export type Level = 'namespace' | 'workload' | 'pod' | 'address'

export interface EdgeEnd {
  readonly namespace?: string
  readonly ownerName?: string
  readonly ownerKind?: string
  readonly podName?: string
  /** A pod that took the place of another of its name is another end. */
  readonly podUid?: string
  /** For an end that is no Kubernetes object. */
  readonly name?: string
  readonly service?: string
  readonly address?: string
  /** Equal for two ends exactly when everything above is equal. */
  readonly key: string
}

/** The namespace of the end whose interface sees a flow. */
export function observedNamespace(client: EdgeEnd, server: EdgeEnd, observer: 'client' | 'server'): string | undefined {
  return observer === 'client' ? client.namespace : server.namespace
}

/** Of what found no place of its own. */
export const UNKNOWN_END: EdgeEnd = { name: 'unknown', key: '' }

/** Ends of one side, one object per identity. A Service belongs to the server; a client has it only for want of anything else. */
export class EdgeEnds {
  readonly #ofIdentity = new WeakMap<Identity, EdgeEnd>()
  readonly #withService: boolean
  readonly #level: Level

  constructor(side: 'client' | 'server', level: Level) {
    this.#withService = side === 'server'
    this.#level = level
  }

  /** `address`: as our interface sees it; told at level `address` alone. */
  of(identity: Identity, address?: AddressKey): EdgeEnd {
    const end = this.#ofIdentity.get(identity) ?? this.#describe(identity)
    if (this.#level !== 'address' || address === undefined) return end
    const text = formatKey(address)
    return { ...end, address: text, key: `${end.key} ${text}` }
  }

  #describe(identity: Identity): EdgeEnd {
    const end = this.#level === 'namespace' ? describeNamespace(identity) : describe(identity, this.#withService)
    const whole = this.#level === 'pod' || this.#level === 'address' ? withPod(end, identity) : end
    this.#ofIdentity.set(identity, whole)
    return whole
  }
}

/** Short numbers for ends, as long as an edge has them. */
export class EndNumbers {
  readonly #ends = new Map<string, { readonly number: number; edges: number }>()
  #last = 0

  find({ key }: EdgeEnd): number | undefined {
    return this.#ends.get(key)?.number
  }

  /** For an edge more. */
  take({ key }: EdgeEnd): number {
    const end = this.#ends.get(key) ?? { number: ++this.#last, edges: 0 }
    end.edges++
    this.#ends.set(key, end)
    return end.number
  }

  /** An edge less: the number of what no edge has is not given to another end. */
  release({ key }: EdgeEnd): void {
    const end = this.#ends.get(key)!
    if (--end.edges === 0) this.#ends.delete(key)
  }
}

/** True when a reader learns who it is: not only that it is somewhere outside, on a node or unknown. */
export function isNamed(identity: Identity): boolean {
  if (identity.workload || identity.pod || identity.service) return true
  if (identity.isProvisional) return false
  return identity.name !== undefined && !['external', 'node', 'unknown'].includes(identity.name)
}

function describe(identity: Identity, withService: boolean): EdgeEnd {
  const workload = workloadOf(identity)
  const service = withService || !workload ? identity.service : undefined
  const namespace = workload?.namespace ?? service?.namespace
  const name = workload || service ? undefined : nameOf(identity)
  return {
    ...(namespace !== undefined && { namespace }),
    ...(workload && { ownerName: workload.name, ownerKind: workload.kind }),
    ...(name !== undefined && { name }),
    ...(service && { service: service.name }),
    key: JSON.stringify([namespace, workload?.kind, workload?.name, name, service?.name]),
  }
}

function describeNamespace(identity: Identity): EdgeEnd {
  const namespace = workloadOf(identity)?.namespace ?? identity.service?.namespace
  const end = namespace === undefined ? { name: nameOf(identity) } : { namespace }
  return { ...end, key: JSON.stringify(end) }
}

function withPod(end: EdgeEnd, { pod }: Identity): EdgeEnd {
  if (!pod) return end
  const podUid = pod.uid
  return {
    ...end,
    podName: pod.name,
    ...(podUid !== undefined && { podUid }),
    key: JSON.stringify([end.key, pod.name, podUid]),
  }
}

function workloadOf(identity: Identity): Workload | undefined {
  return identity.workload ?? identity.pod?.workload
}

function nameOf(identity: Identity): string {
  if (identity.name !== undefined) return identity.name
  return identity.class === 'external' || identity.class === 'node' ? identity.class : 'unknown'
}
