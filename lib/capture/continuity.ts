// What outlives the agent where its maps and links are pinned, and how the next one goes on from there.
import type { CounterKind } from './flow-source.ts'

export interface Counted {
  readonly packets: number
  readonly bytes: number
}

/** One direction of an interface, as earlier agents left it. */
export interface ContinuedDirection {
  readonly counter: CounterKind
  /** Told by earlier agents, or lost with them. */
  readonly flow: Counted
  readonly collapsed: Counted
  /** The last reading of the device, and what we had seen by then: skbs, and packets of the wire. */
  readonly device: number
  readonly skbs: number
  readonly packets: number
  readonly overseen: number
  readonly unobserved: number
  /** Of `unobserved`: what the device had counted before it was attached. */
  readonly unobservedBefore: number
}

export interface ContinuedInterface {
  readonly interfaceSlot: number
  readonly fromPod: ContinuedDirection
  readonly toPod: ContinuedDirection
}

export interface Adoption {
  /** false: there is no BPF file system, or pinning is off. */
  readonly pinned: boolean
  /** There were pins of an earlier agent, and everything goes on. */
  readonly adopted: boolean
  /** When the first of the agents that went on from each other began to count, ms since 1970; 0 when nothing is pinned. */
  readonly startedAtMs: number
  /** Of all flows so far: delivered, or lost with an earlier agent. */
  readonly drained: Counted
  /** Of these, what no acknowledged export has contained since the last commit. */
  readonly restart: Counted
  /** What was given to `commit` and to `saveLedger`, empty when nothing was. */
  readonly delivery: string
  readonly ledger: string
  readonly interfaces: readonly ContinuedInterface[]
}

/** Of a source whose counts outlive the process. */
export interface Continuity {
  readonly adoption: Adoption
  /** The export of all that was drained up to this mark was acknowledged: the next agent goes on from there. At most 2,048 bytes. */
  commit(mark: number, memo: string): Promise<void>
  /** What must outlive interfaces that are gone. Up to here (`sequence` of a batch) their numbers may be given to others. At most 16,384 bytes. */
  saveLedger(sequence: number, memo: string): Promise<void>
  /** Ends what an earlier agent observed and nobody asked for since. */
  detachUnclaimed(): Promise<void>
}
