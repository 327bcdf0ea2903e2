// Who is at an end, as tracing and logging call it: a service, with a resource of its own.
import type { Attributes } from '@opentelemetry/api'
import type { EdgeEnd } from '../aggregate/edge-end.ts'
import type { Workload } from '../aggregate/identity.ts'
import { attribute, eventAttribute, ownerAttribute, resourceAttribute } from './attribute-names.ts'
import { AttributeSet, type SignalResource } from './attribute-set.ts'

export interface Party {
  /** One object as long as the party is called the same. */
  readonly resource: SignalResource
  readonly serviceName: string
  readonly namespace?: string
}

export interface PartiesParts {
  /** Is added to each name, so that these are not taken for the application's own signals. */
  readonly suffix: string
  /** What pods of a workload call themselves; undefined: as their owner is called. */
  readonly serviceName: (workload: Workload) => string | undefined
  /** Of every resource: which cluster it is. */
  readonly everywhere: Attributes
}

/** More than edges and pods of a node; then all are made anew. */
const MOST_PARTIES = 16_384

export class Parties {
  readonly #parts: PartiesParts
  readonly #parties = new Map<string, Party>()

  constructor(parts: PartiesParts) {
    this.#parts = parts
  }

  /** `node`: where a pod is. */
  of(end: EdgeEnd, node?: string): Party {
    const serviceName = this.#nameOf(end) + this.#parts.suffix
    const key = `${serviceName}\n${node}\n${end.key}`
    const known = this.#parties.get(key)
    if (known) return known
    if (this.#parties.size >= MOST_PARTIES) this.#parties.clear()
    const resource = { set: new AttributeSet(this.#attributes(end, serviceName, node)) }
    const party: Party = { resource, serviceName, ...(end.namespace !== undefined && { namespace: end.namespace }) }
    this.#parties.set(key, party)
    return party
  }

  #nameOf({ namespace, ownerKind, ownerName, service, name }: EdgeEnd): string {
    if (ownerName === undefined) return service ?? name ?? namespace ?? 'unknown'
    return this.#parts.serviceName({ namespace: namespace ?? '', kind: ownerKind ?? '', name: ownerName }) ?? ownerName
  }

  #attributes(end: EdgeEnd, serviceName: string, node: string | undefined): Attributes {
    const { namespace, ownerKind, ownerName, podName, podUid } = end
    return {
      [resourceAttribute.serviceName]: serviceName,
      ...(namespace !== undefined && {
        [resourceAttribute.serviceNamespace]: namespace,
        [attribute.podNamespace]: namespace,
      }),
      ...(ownerName !== undefined && { [ownerAttribute(ownerKind ?? 'Pod')]: ownerName }),
      ...(podName !== undefined && { [attribute.podName]: podName }),
      ...(podUid !== undefined && { [attribute.podUid]: podUid }),
      ...(node !== undefined && { [attribute.nodeName]: node }),
      ...this.#parts.everywhere,
    }
  }
}

/** Whom a span's other side is, under the key that is meant for it and under the one that service maps read. */
export function addPeer(to: Attributes, { serviceName, namespace }: Party): void {
  to[eventAttribute.peerName] = serviceName
  if (namespace !== undefined) to[eventAttribute.peerNamespace] = namespace
  to[eventAttribute.formerPeerName] = serviceName
}
