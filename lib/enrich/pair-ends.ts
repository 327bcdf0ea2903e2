// The two ends of a pod's pair of devices, starting from either.
import type { FlowSource, Namespace } from '../capture/flow-source.ts'
import { Failure } from '../host/failure.ts'
import { OTHER_END } from './attach-reason.ts'
import type { FoundDevice } from './interface-plan.ts'

/** A namespace, the agent's own when there is no path. */
export interface NamespaceName {
  readonly netns?: string
  readonly inode?: number
}

interface End {
  readonly device: string
  readonly index: number
}

export class PairEnds {
  readonly #source: FlowSource
  readonly #namespace: NamespaceName
  readonly #found: FoundDevice

  constructor(source: FlowSource, namespace: NamespaceName, found: FoundDevice) {
    this.#source = source
    this.#namespace = namespace
    this.#found = found
  }

  /** Throws a Failure where the namespace of the pod's end can't be named. */
  async pod(): Promise<NamespaceName & End> {
    const { link, place } = this.#found
    if (place === 'pod') return { ...this.#namespace, device: link.name, index: link.index }
    const namespace = await this.#namespaceOf(link.peerNamespaceId)
    const peer = namespace && (await this.#source.links(namespace.path)).find(each => each.index === link.peerIndex)
    if (peer) return { netns: namespace.path, inode: namespace.inode, device: peer.name, index: peer.index }
    throw this.#missing('the namespace of its other end has no name and no process')
  }

  /** Throws a Failure where the host's end is not in the agent's own namespace. */
  async host(): Promise<End & { readonly podDevice: string }> {
    const { link, place } = this.#found
    if (place === 'host') return { device: link.name, index: link.index, podDevice: link.name }
    const id = (await this.#source.namespaces()).find(each => this.#isOurs(each))?.id
    const hostEnds = (await this.#source.links()).filter(each => each.peerIndex === link.index)
    const end = hostEnds.find(each => each.index === link.peerIndex && each.peerNamespaceId === id)
    if (end && id !== undefined) return { device: end.name, index: end.index, podDevice: link.name }
    throw this.#missing('its other end is not in this network namespace')
  }

  #isOurs({ path, inode }: Namespace): boolean {
    const { netns, inode: ours } = this.#namespace
    return ours === undefined ? path === netns : inode === ours
  }

  async #namespaceOf(id: number): Promise<Namespace | undefined> {
    return id < 0 ? undefined : (await this.#source.namespaces()).find(each => each.id === id)
  }

  #missing(cause: string): Failure {
    const remedy = 'name the namespace in the inventory (netns:), or attach to the other end'
    return new Failure({ step: OTHER_END, subject: this.#found.link.name, cause, remedy })
  }
}
