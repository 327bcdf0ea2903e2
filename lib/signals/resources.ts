// Whose counts they are: the agent's, or those of one of its pods.
import type { Attributes } from '@opentelemetry/api'
import type { Place, Pod } from '../aggregate/identity.ts'
import { attribute } from './attribute-names.ts'
import { AttributeSet, type SignalResource } from './attribute-set.ts'
import { podAttributes } from './interface-attributes.ts'

/** Pods whose resources are kept for more of their series. */
const PODS_KEPT = 4096
/** What a pod's resource has of the agent's: where both are. */
const sharedKeys = [attribute.clusterName, attribute.clusterUid, attribute.nodeName]

export class Resources {
  readonly agent: SignalResource
  readonly #shared: Attributes
  readonly #pods = new Map<string, SignalResource & { readonly text: string }>()

  constructor(agent: Attributes) {
    this.agent = { set: new AttributeSet(agent) }
    this.#shared = Object.fromEntries(sharedKeys.filter(key => agent[key] !== undefined).map(key => [key, agent[key]]))
  }

  /** One object as long as nothing of it changes. There is no `service.name`: it would make a second `target_info` beside the application's own. */
  ofPod(pod: Pod, place: Place | undefined): SignalResource {
    const attributes = {
      ...this.#shared,
      ...podAttributes(pod),
      ...(place?.zone !== undefined && { [attribute.zone]: place.zone }),
      ...(place?.region !== undefined && { [attribute.region]: place.region }),
    }
    const text = JSON.stringify(attributes)
    const known = this.#pods.get(keyOf(pod))
    if (known?.text === text) return known
    if (this.#pods.size >= PODS_KEPT) this.#pods.delete(this.#pods.keys().next().value!)
    const resource = { set: new AttributeSet(attributes), text }
    this.#pods.set(keyOf(pod), resource)
    return resource
  }

  /** That of an edge's end, which says less of its pod. */
  ofKnownPod(pod: Pod): SignalResource {
    return this.#pods.get(keyOf(pod)) ?? this.ofPod(pod, undefined)
  }
}

function keyOf({ namespace, name, uid }: Pod): string {
  return `${namespace}/${name}/${uid}`
}
