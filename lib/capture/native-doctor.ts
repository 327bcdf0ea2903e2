// What `podweir doctor` asks the kernel through the addon: a scratch pair, and whose programs are where.

import { told } from './native-failure.ts'
import { natRemedyFor } from './native-nat.ts'
import { loadAddon } from './native-probe.ts'

export interface ScratchPair {
  /** In namespaces of its own; false: in ours, for want of the right to make some. */
  readonly apart: boolean
  readonly device: string
  /** Path, empty for our own. */
  readonly netns: string
}

export interface ProgramAt {
  readonly device: string
  /** `tcx ingress`, `tcx egress`, `filter ingress`, `filter egress`, `qdisc` or `xdp`. */
  readonly hook: string
  /** Empty where the kernel does not tell. */
  readonly name: string
  readonly ours: boolean
}

export interface NamespaceSeen {
  readonly path: string
  /** Empty when it has no process, or none that we see. */
  readonly cgroup: string
}

export interface NativeDoctor {
  makePair(): Promise<ScratchPair>
  send(datagrams: number): Promise<void>
  programs(netns: string): Promise<ProgramAt[]>
  namespaces(): Promise<NamespaceSeen[]>
  trackedConnections(): Promise<number>
  close(): Promise<void>
}

export class DoctorSource {
  readonly #doctor: NativeDoctor = new (loadAddon().Doctor)()

  /** Two veth devices; needs CAP_NET_ADMIN. Gone with `close`, and with this process if they are apart. */
  makePair(): Promise<ScratchPair> {
    return told(this.#doctor.makePair())
  }

  /** UDP datagrams out of the pair's near end, which is the one that `makePair` names. */
  send(datagrams: number): Promise<void> {
    return told(this.#doctor.send(datagrams))
  }

  programs(netns: string): Promise<ProgramAt[]> {
    return told(this.#doctor.programs(netns))
  }

  namespaces(): Promise<NamespaceSeen[]> {
    return told(this.#doctor.namespaces())
  }

  /** Entries of connection tracking in this network namespace; needs CAP_NET_ADMIN. */
  trackedConnections(): Promise<number> {
    return told(this.#doctor.trackedConnections(), natRemedyFor)
  }

  close(): Promise<void> {
    return told(this.#doctor.close())
  }
}
