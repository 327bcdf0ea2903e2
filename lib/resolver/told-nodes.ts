// Nodes as a resolver tells of them: all at first, in as many messages as it takes, then those that change.
import type { ClusterNodes } from '../enrich/cluster-nodes.ts'
import { MOST, type NodesMessage } from './messages.ts'

export class ToldNodes {
  readonly #nodes: ClusterNodes
  /** UIDs that the messages have named, until they were all; undefined: none is under way. */
  #naming: Set<string> | undefined
  #tag = ''

  constructor(nodes: ClusterNodes) {
    this.#nodes = nodes
  }

  /** Of what is known; empty: not all is. */
  get tag(): string {
    return this.#tag
  }

  /** true: answers may differ. */
  told({ all = false, more = false, set = [], gone = [], tag }: NodesMessage): boolean {
    let differs = false
    if (all) this.#naming ??= new Set()
    for (const node of set) {
      this.#naming?.add(node.uid)
      if (this.#nodes.size < MOST.nodes || this.#nodes.has(node.uid))
        differs = this.#nodes.changed({ ...node, namespace: '' }) || differs
    }
    for (const uid of gone) differs = this.#nodes.deleted(uid) || differs
    this.#tag = all && more ? '' : tag
    if (!all || more) return differs
    const named = this.#naming!
    this.#naming = undefined
    for (const uid of [...this.#nodes.uids()]) if (!named.has(uid)) differs = this.#nodes.deleted(uid) || differs
    return differs
  }

  /** What was under way is not going to come. */
  interrupted(): void {
    this.#naming = undefined
  }
}
