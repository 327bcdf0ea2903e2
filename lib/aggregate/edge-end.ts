// One end of an edge: what of an identity leaves the program at level `workload`, and nothing else.
import type { Identity } from './identity.ts'

export interface EdgeEnd {
  readonly namespace?: string
  readonly ownerName?: string
  readonly ownerKind?: string
  /** For an end that is no Kubernetes object. */
  readonly name?: string
  readonly service?: string
  /** Equal for two ends exactly when everything above is equal. */
  readonly key: string
}

/** The namespace of the end whose interface sees a flow. */
export function observedNamespace(client: EdgeEnd, server: EdgeEnd, observer: 'client' | 'server'): string | undefined {
  return observer === 'client' ? client.namespace : server.namespace
}

/** Ends of one side, one object per identity. A Service belongs to the server; a client has it only for want of anything else. */
export class EdgeEnds {
  readonly #ofIdentity = new WeakMap<Identity, EdgeEnd>()
  readonly #withService: boolean

  constructor(side: 'client' | 'server') {
    this.#withService = side === 'server'
  }

  of(identity: Identity): EdgeEnd {
    const known = this.#ofIdentity.get(identity)
    if (known) return known
    const end = describe(identity, this.#withService)
    this.#ofIdentity.set(identity, end)
    return end
  }
}

/** True when a reader learns who it is: not only that it is somewhere outside, on a node or unknown. */
export function isNamed(identity: Identity): boolean {
  if (identity.workload || identity.pod || identity.service) return true
  if (identity.isProvisional) return false
  return identity.name !== undefined && !['external', 'node', 'unknown'].includes(identity.name)
}

function describe(identity: Identity, withService: boolean): EdgeEnd {
  const workload = identity.workload ?? identity.pod?.workload
  const service = withService || !workload ? identity.service : undefined
  const namespace = workload?.namespace ?? service?.namespace
  const name = workload || service ? undefined : (identity.name ?? nameOfClass(identity))
  return {
    ...(namespace !== undefined && { namespace }),
    ...(workload && { ownerName: workload.name, ownerKind: workload.kind }),
    ...(name !== undefined && { name }),
    ...(service && { service: service.name }),
    key: JSON.stringify([namespace, workload?.kind, workload?.name, name, service?.name]),
  }
}

function nameOfClass(identity: Identity): string {
  return identity.class === 'external' || identity.class === 'node' ? identity.class : 'unknown'
}
