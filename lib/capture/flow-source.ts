// What the rest of the program needs of a capture: attach to interfaces, drain what was counted.
import type { Failure } from '../host/failure.ts'
import type { Continuity } from './continuity.ts'
import type { FlowBatch } from './flow-batch.ts'

export type Place = 'pod' | 'host'
export type Hook = 'tcx' | 'clsact'

/** What a device's packet counter counts: skbs, packets on the wire, or either (kernel side can't tell). */
export type CounterKind = 'skb' | 'wire' | 'unknown'

export interface AttachRequest {
  /** Path of the pod's network namespace; absent: the agent's own. */
  readonly netns?: string
  /** That namespace's inode: a path that leads to another one is refused (ESTALE). Absent: whatever is there. */
  readonly inode?: number
  /** The device's name inside that namespace. */
  readonly device: string
  /** Which end of the pair `device` is: the pod's own (`pod`) or the host's (`host`). */
  readonly place: Place
  readonly hook: Hook | 'auto'
  /** Its flows wait in the table, and count, until `release`: nothing of them is drained. */
  readonly held?: boolean
}

export interface Attachment {
  /** 1 to 1023; names the interface in batches until its row says `ended`. */
  readonly interfaceSlot: number
  readonly device: string
  readonly place: Place
  readonly hook: Hook
  /** Wall clock, ms since 1970: nothing was counted before. */
  readonly attachedAtMs: number
  readonly transmitCounter: CounterKind
  readonly receiveCounter: CounterKind
  /** false when the device counted while we attached, so that `unobserved` may be off by those packets. */
  readonly baselineExact: boolean
  /** A filter of ours that a killed agent had left here was replaced. */
  readonly replacedStale: boolean
  /** An earlier agent had attached it, and its counts go on. */
  readonly adopted: boolean
  /** What the pod's device had counted when we came, on its scale; absent where nobody knows. */
  readonly countedBefore?: { readonly transmit: number; readonly receive: number }
}

/** A network device as a link dump shows it. */
export interface Link {
  readonly index: number
  readonly name: string
  /** rtnetlink kind (`veth`, `bridge`, …), empty for physical devices. */
  readonly kind: string
  readonly ethernet: boolean
  readonly loopback: boolean
  readonly up: boolean
  /** Index of the other end of a pair, 0 when there is none. */
  readonly peerIndex: number
  /** Namespace id of the other end as this namespace numbers it, -1 when it is here or unknown. */
  readonly peerNamespaceId: number
  readonly address: string
  /** The device's own counters, as of the dump; absent where nobody read them. */
  readonly transmitPackets?: number
  readonly receivePackets?: number
}

/** A network namespace that has a name or a process. */
export interface Namespace {
  readonly path: string
  readonly inode: number
  /** As the agent's own namespace numbers it, -1 when it has no number. */
  readonly id: number
  /** The oldest process in it, 0 when there is none that we can see. */
  readonly process: number
}

/** The oldest process of those that are in one cgroup and in one network namespace. */
export interface Resident {
  readonly process: number
  /** Clock ticks since the machine started. */
  readonly started: number
  /** Its `/proc/PID/cgroup`. */
  readonly cgroup: string
}

export interface SurveyedNamespace {
  /** Empty: the agent's own. */
  readonly path: string
  readonly inode: number
  /** As the agent's own namespace numbers it, -1 when it has no number. */
  readonly id: number
  /** Never given twice, unlike inode and id. 0 when it may not be entered, or before Linux 5.14. */
  readonly cookie: number
  /** Oldest first; empty when nobody is there whom we may see. */
  readonly residents: readonly Resident[]
}

/** What there is on this machine at one moment. */
export interface Survey {
  /** Each once, the agent's own among them. */
  readonly namespaces: readonly SurveyedNamespace[]
  /** Of the agent's own namespace. */
  readonly links: readonly Link[]
  /** false: other namespaces may not be entered (CAP_SYS_ADMIN). */
  readonly mayEnter: boolean
  /** There is a name that no namespace is mounted on, perhaps yet. */
  readonly namesPending: boolean
}

export interface DeviceAddress {
  /** The device's index in its namespace. */
  readonly index: number
  /** 4 or 16. */
  readonly bytes: Uint8Array
}

/** What changed since the report before: something did, even when every list is empty. */
export interface Changes {
  /** The kernel had no room for some changes: look at everything again. */
  readonly lost: boolean
  /** Indexes in the agent's own namespace, which may be given again. */
  readonly deletedLinks: readonly number[]
  /** Numbers that the agent's own namespace had given to others. */
  readonly deletedIds: readonly number[]
}

export interface ProgramTime {
  /** Runs of our programs and nanoseconds spent in them since statistics were turned on. */
  readonly runs: number
  readonly nanoseconds: number
}

export interface FlowSource {
  attach(request: AttachRequest): Promise<Attachment>
  /** Hooks our programs to the interface again where somebody took them off; its counts go on. false: they are all there. */
  reattach(interfaceSlot: number): Promise<boolean>
  /** Ends with a row whose `ended` is 1 in the next batch. */
  detach(interfaceSlot: number): Promise<void>
  /** The flows of an interface that was attached `held` are drained from now on, with all that they have counted. */
  release(interfaceSlot: number): Promise<void>
  /** Out of scope: flows of the interface that start from now on are not in the table, their packets are `filtered`. */
  setOutOfScope(interfaceSlot: number, out: boolean): Promise<void>
  /** `mark`: a name, 1 to 2^32 - 1, for what has been drained with this batch (Continuity.commit). */
  drain(mark?: number): Promise<FlowBatch>
  links(netns?: string): Promise<Link[]>
  /** The same of many namespaces in one go, '' being the agent's own; a Failure where one can't be looked into. */
  linksOf(netns: readonly string[]): Promise<(Link[] | Failure)[]>
  namespaces(): Promise<Namespace[]>
  survey(): Promise<Survey>
  /** Of the devices of the namespace that the agent's own numbers `namespaceId`. */
  addresses(namespaceId: number): Promise<DeviceAddress[]>
  /** Calls back when devices of the agent's own namespace or names of namespaces change. Throws a Failure. */
  watch(listener: (changes: Changes) => void): { close(): void }
  /** Absent: nothing outlives the process. */
  readonly continuity?: Continuity
  /** `keep`: what is pinned stays, counts on, and is the next agent's. */
  close(keep?: boolean): Promise<void>
}
