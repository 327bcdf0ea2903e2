// The live FlowSource, and the only file that loads the addon.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { Failure } from '../host/failure.ts'
import type { Adoption, Continuity } from './continuity.ts'
import type { DnsBatch, DnsSource } from './dns-source.ts'
import type { FlowBatch } from './flow-batch.ts'
import type {
  Attachment,
  AttachRequest,
  Changes,
  DeviceAddress,
  FlowSource,
  Link,
  Namespace,
  ProgramTime,
  Survey,
} from './flow-source.ts'
import type { NatSource } from './nat-source.ts'
import { NativeContinuity, type NativeJournal } from './native-continuity.ts'
import type { NativeDoctor } from './native-doctor.ts'
import type { NativeDrops } from './native-drops.ts'
import { failureOf, type NativeError, remedyFor, told } from './native-failure.ts'
import { type NativeNat, openNat } from './native-nat.ts'
import type { PacketScope } from './packet-scope.ts'
import type { SocketSource, Sockets } from './socket-source.ts'

/** When a flow leaves the table, ms. */
export interface RetireTimes {
  /** After a connection was closed or reset. */
  readonly closedMs: number
  /** After a connection was refused, reset early, unreachable or timed out. */
  readonly failedMs: number
  /** A connection that is still being opened, without a packet. */
  readonly halfOpenMs: number
  /** Any protocol but TCP, without a packet. */
  readonly datagramMs: number
  /** An established connection without a packet: only while more than 70 % of the slots are in use. */
  readonly idleMs: number
  /** An established connection without a packet, however many slots are free. */
  readonly abandonedMs: number
  /** A SYN is unanswered after this time: the attempt counts as failed with `timeout`. */
  readonly connectTimeoutMs: number
}

export const RETIRE_TIMES: RetireTimes = {
  closedMs: 5_000,
  failedMs: 5_000,
  halfOpenMs: 30_000,
  datagramMs: 15_000,
  idleMs: 60_000,
  abandonedMs: 7_200_000,
  connectTimeoutMs: 10_000,
}

export interface ProbeOptions {
  /** Flows that the kernel keeps apart at a time, 16 to 1,048,576. */
  readonly flowLimit: number
  readonly retire: RetireTimes
  /** Drains between two self-audits, 0: none. */
  readonly auditEvery: number
  /** Directory in a BPF file system for what is to outlive the process; absent: nothing is. */
  readonly pins?: string
  /** Absent: everything is in scope, and `setOutOfScope` changes nothing. */
  readonly scope?: PacketScope
  /** The module "dns" is loaded too, see `openDns`. */
  readonly dns?: boolean
}

/** A program or map of ours as the kernel describes it. */
export interface ProgramInfo {
  readonly name: string
  readonly tag: string
  readonly id: number
  readonly nanoseconds: number
  readonly runs: number
  readonly verifiedInstructions: number
}

export interface MapInfo {
  readonly name: string
  readonly id: number
  /** What the kernel charges for it (`memlock` of the map's fdinfo), bytes. */
  readonly memoryBytes: number
}

export interface Inspection {
  readonly programs: readonly ProgramInfo[]
  readonly maps: readonly MapInfo[]
}

interface NativeProbe extends NativeNat, NativeJournal {
  load(): Promise<Adoption>
  attach(request: AttachRequest): Promise<Attachment>
  reattach(interfaceSlot: number): Promise<boolean>
  detach(interfaceSlot: number): Promise<void>
  release(interfaceSlot: number): Promise<void>
  setOutOfScope(interfaceSlot: number, out: boolean): Promise<void>
  drain(mark?: number): Promise<FlowBatch>
  links(netns?: string): Promise<Link[]>
  linksOf(netns: readonly string[]): Promise<(Link[] | NativeError)[]>
  namespaces(): Promise<Namespace[]>
  survey(): Promise<Survey>
  addresses(namespaceId: number): Promise<DeviceAddress[]>
  inspect(): Promise<Inspection>
  enableStatistics(): Promise<void>
  disableStatistics(): Promise<void>
  programTime(): Promise<ProgramTime>
  setTcpDetail(on: boolean): Promise<void>
  openDns(): Promise<void>
  readDns(): Promise<DnsBatch>
  socketsAt(protocols: Uint8Array, ports: Uint16Array): Promise<Sockets>
  close(keep: boolean): Promise<void>
}

/** What was taken off the machine. */
export interface Detached {
  /** tcx links, two for each interface. */
  readonly links: number
  readonly maps: number
  /** clsact filters, two for each interface. */
  readonly filters: number
  /** Those that we had made, and with `purge` those that are empty. */
  readonly qdiscs: number
  /** Devices of this network namespace with a clsact without any filter: perhaps ours, perhaps not. */
  readonly emptyClsacts: readonly string[]
}

interface Addon {
  detachAll(pins: string, purge: boolean): Detached
  readonly Probe: new (options: ProbeOptions) => NativeProbe
  readonly Drops: new () => NativeDrops
  readonly Doctor: new () => NativeDoctor
  /** Sets of capabilities of the calling thread, a bit each. */
  capabilities(): { readonly effective: number; readonly permitted: number }
  dropPrivileges(process: number, entering: number): void
  readonly Watch: new (listener: (changes: Changes) => void) => { close(): void }
  /** FLOW_ABI of ebpf/flow.h as the addon was compiled. */
  readonly flowAbi: number
}

/** From the root of a clone or of the package: what was built there, else what came with the package. */
const ADDONS = ['build/Release/podweir.node', `prebuilds/linux-${process.arch}/podweir.node`]

export function loadAddon(): Addon {
  const paths = ADDONS.map(path => fileURLToPath(new URL(`../../${path}`, import.meta.url)))
  try {
    return createRequire(import.meta.url)(paths.find(path => existsSync(path)) ?? paths[0]!) as Addon
  } catch (error) {
    throw new Failure({
      step: 'load',
      subject: 'the native addon',
      cause: (error as Error).message.split('\n')[0] ?? '',
      remedy:
        'in a clone ./podweir builds it when it starts; in the package there is one for x64 and arm64 with glibc 2.28 or newer',
    })
  }
}

/** Removes what agents that are gone have left. Blocks until it is done; needs CAP_NET_ADMIN and CAP_SYS_ADMIN. */
export function detachAll(pins: string, purge: boolean): Detached {
  return rethrown(() => loadAddon().detachAll(pins, purge))
}

export class NativeProbeSource implements FlowSource, SocketSource {
  readonly #probe: NativeProbe
  readonly continuity?: Continuity

  private constructor(probe: NativeProbe, adoption: Adoption) {
    this.#probe = probe
    if (adoption.pinned) this.continuity = new NativeContinuity(probe, adoption)
  }

  /** Loads the programs and maps, or goes on with those that an earlier agent has pinned; needs CAP_BPF and CAP_NET_ADMIN. */
  static async open(options: ProbeOptions): Promise<NativeProbeSource> {
    const probe = new (loadAddon().Probe)(options)
    return new NativeProbeSource(probe, await told(probe.load()))
  }

  attach(request: AttachRequest): Promise<Attachment> {
    return told(this.#probe.attach(request))
  }

  reattach(interfaceSlot: number): Promise<boolean> {
    return told(this.#probe.reattach(interfaceSlot))
  }

  detach(interfaceSlot: number): Promise<void> {
    return told(this.#probe.detach(interfaceSlot))
  }

  release(interfaceSlot: number): Promise<void> {
    return told(this.#probe.release(interfaceSlot))
  }

  setOutOfScope(interfaceSlot: number, out: boolean): Promise<void> {
    return told(this.#probe.setOutOfScope(interfaceSlot, out))
  }

  drain(mark = 0): Promise<FlowBatch> {
    return told(this.#probe.drain(mark))
  }

  links(netns?: string): Promise<Link[]> {
    return told(this.#probe.links(netns))
  }

  async linksOf(netns: readonly string[]): Promise<(Link[] | Failure)[]> {
    const dumps = await told(this.#probe.linksOf(netns))
    return dumps.map(dump => (Array.isArray(dump) ? dump : failureOf(dump, remedyFor)))
  }

  namespaces(): Promise<Namespace[]> {
    return told(this.#probe.namespaces())
  }

  survey(): Promise<Survey> {
    return told(this.#probe.survey())
  }

  addresses(namespaceId: number): Promise<DeviceAddress[]> {
    return told(this.#probe.addresses(namespaceId))
  }

  watch(listener: (changes: Changes) => void): { close(): void } {
    return rethrown(() => new (loadAddon().Watch)(listener))
  }

  inspect(): Promise<Inspection> {
    return told(this.#probe.inspect())
  }

  /** Kernel run-time statistics of all programs of this machine, until they are disabled; needs CAP_SYS_ADMIN. */
  enableStatistics(): Promise<void> {
    return told(this.#probe.enableStatistics())
  }

  disableStatistics(): Promise<void> {
    return told(this.#probe.disableStatistics())
  }

  /** Time in our dispatchers and what they call, while statistics were on. Never falls: detached ones are in it. */
  programTime(): Promise<ProgramTime> {
    return told(this.#probe.programTime())
  }

  /** Off: connections and counts go on, without round trips, retransmissions and what else takes sequence numbers. */
  setTcpDetail(on: boolean): Promise<void> {
    return told(this.#probe.setTcpDetail(on))
  }

  /** Rejects with why the module is not there; everything else works without. */
  async openDns(): Promise<DnsSource> {
    await told(this.#probe.openDns())
    return { read: () => told(this.#probe.readDns()) }
  }

  /** Rejects with why connection tracking can't be asked; needs CAP_NET_ADMIN. */
  openConntrack(): Promise<NatSource> {
    return openNat(this.#probe)
  }

  socketsAt(protocols: Uint8Array, ports: Uint16Array): Promise<Sockets> {
    return told(this.#probe.socketsAt(protocols, ports))
  }

  close(keep = false): Promise<void> {
    return told(this.#probe.close(keep))
  }
}

/** The addon's answer at once, what it throws as a Failure. That there is no addon is one already. */
export function rethrown<T>(ask: () => T): T {
  try {
    return ask()
  } catch (error) {
    throw error instanceof Failure ? error : failureOf(error, remedyFor)
  }
}
