// Nodes and node ports of a cluster, of which all agents are told: whole at first, then what names need of them that changes.
import type { ClusterNode } from '../kubernetes/cluster-objects.ts'
import { line, MOST, type NodeMessage, tagOf } from './messages.ts'

/** All that there is, as it is sent; equal for the same, whoever tells of it. */
export interface WholeTold {
  readonly tag: string
  readonly lines: readonly string[]
}

export interface NodeChanges {
  /** One line with the nodes that differ; absent: none does. */
  readonly nodes?: string
  readonly areNodePortsOld: boolean
}

export class NodeFacts {
  readonly #portsNow: () => readonly string[]
  /** JSON by UID: kubelets write into their nodes all the time, and hardly ever anything of this. */
  readonly #nodes = new Map<string, string>()
  readonly #changed = new Set<string>()
  /** As they were told last; agents share them. */
  #whole: WholeTold | undefined
  #ports: WholeTold | undefined
  /** Called when something has changed, once until `takeChanges`. */
  onChange: () => void = () => {}

  /** `portsNow`: as `tcp/30080`. */
  constructor(portsNow: () => readonly string[]) {
    this.#portsNow = portsNow
  }

  changed({ uid, name, addresses, podCidrs, zone, region }: ClusterNode): void {
    const node: NodeMessage = {
      ...{ uid, name, addresses, podCidrs },
      ...(zone !== undefined && { zone }),
      ...(region !== undefined && { region }),
    }
    const text = JSON.stringify(node)
    if (this.#nodes.get(uid) === text) return
    this.#nodes.set(uid, text)
    this.#note(uid)
  }

  deleted(uid: string): void {
    if (this.#nodes.delete(uid)) this.#note(uid)
  }

  synced(uids: ReadonlySet<string>): void {
    for (const uid of [...this.#nodes.keys()]) if (!uids.has(uid)) this.deleted(uid)
  }

  nodePortsChanged(): void {
    const wasKnown = this.#ports !== undefined
    this.#ports = undefined
    if (wasKnown) this.onChange()
  }

  get nodes(): WholeTold {
    this.#whole ??= this.#tellAll()
    return this.#whole
  }

  get nodePorts(): WholeTold {
    if (this.#ports) return this.#ports
    const all = this.#portsNow()
    const tag = tagOf(all)
    this.#ports = { tag, lines: [line({ nodePorts: { all, tag } })] }
    return this.#ports
  }

  /** What is new since the last time. */
  takeChanges(): NodeChanges {
    const uids = [...this.#changed]
    this.#changed.clear()
    const areNodePortsOld = this.#ports === undefined
    if (uids.length === 0) return { areNodePortsOld }
    // More than fit into a line are as good as all.
    if (uids.length > MOST.nodesOfLine) return { areNodePortsOld, nodes: this.nodes.lines.join('') }
    const set = uids.flatMap(uid => this.#nodes.get(uid) ?? []).join()
    const gone = JSON.stringify(uids.filter(uid => !this.#nodes.has(uid)))
    const tag = JSON.stringify(this.nodes.tag)
    return { areNodePortsOld, nodes: `{"nodes":{"set":[${set}],"gone":${gone},"tag":${tag}}}\n` }
  }

  #tellAll(): WholeTold {
    const all = [...this.#nodes.values()].sort()
    const tag = tagOf(all)
    const lines: string[] = []
    for (let at = 0; at === 0 || at < all.length; at += MOST.nodesOfLine) {
      const more = at + MOST.nodesOfLine < all.length
      const set = all.slice(at, at + MOST.nodesOfLine).join()
      lines.push(`{"nodes":{"all":true,"more":${more},"set":[${set}],"tag":${JSON.stringify(tag)}}}\n`)
    }
    return { tag, lines }
  }

  #note(uid: string): void {
    this.#whole = undefined
    const isFirst = this.#changed.size === 0
    this.#changed.add(uid)
    if (isFirst) this.onChange()
  }
}
