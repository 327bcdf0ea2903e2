// Who keeps the objects that a watch tells of, and what it heard, for tests.
import type { ClusterListener, ClusterObjects, Resource } from '../../lib/kubernetes/cluster-objects.ts'

type Kept = { [R in Resource]: Map<string, ClusterObjects[R]> }

export class KeptObjects implements ClusterListener, Kept {
  readonly pods = new Map<string, ClusterObjects['pods']>()
  readonly services = new Map<string, ClusterObjects['services']>()
  readonly endpointslices = new Map<string, ClusterObjects['endpointslices']>()
  readonly nodes = new Map<string, ClusterObjects['nodes']>()
  /** `+name`, `-uid`, `=number of what there is`, of pods. */
  readonly heard: string[] = []
  readonly #writesDown: boolean
  readonly syncs: Record<Resource, number> = { pods: 0, services: 0, endpointslices: 0, nodes: 0 }

  /** false: `heard` stays empty. */
  constructor(writesDown = true) {
    this.#writesDown = writesDown
  }

  changed<R extends Resource>(resource: R, object: ClusterObjects[R]): void {
    ;(this[resource] as Map<string, ClusterObjects[R]>).set(object.uid, object)
    if (resource === 'pods' && this.#writesDown) this.heard.push(`+${object.name}`)
  }

  deleted(resource: Resource, uid: string): void {
    this[resource].delete(uid)
    if (resource === 'pods' && this.#writesDown) this.heard.push(`-${uid}`)
  }

  synced(resource: Resource, uids: ReadonlySet<string>): void {
    for (const uid of this[resource].keys()) if (!uids.has(uid)) this[resource].delete(uid)
    this.syncs[resource]++
    if (resource === 'pods' && this.#writesDown) this.heard.push(`=${uids.size}`)
  }

  /** Names of pods, in order. */
  get podNames(): string[] {
    return [...this.pods.values()].map(({ name }) => name).sort()
  }
}
