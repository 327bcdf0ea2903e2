// What tells whose an interface is, and who has an address: an inventory, a cluster's objects, or both.
import type { Identity, Names, Workload } from '../aggregate/identity.ts'
import type { StartedColumns } from '../capture/flow-batch.ts'
import type { Inventory } from '../config/inventory.ts'

/** A pod of this node, for joining it to a namespace by its addresses. */
export interface OwnPod {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly addresses: readonly string[]
  /** Wall clock, ms since 1970. */
  readonly createdMs: number
}

export interface PodNames extends Names {
  /** The pod of that UID; it goes by the UID alone where nobody knows more. */
  pod(uid: string): Identity
  /** `namespace/name` of a pod, or a network namespace's name where there is none. */
  local(key: string): Identity
  /** Whose interface it is that nobody is known to own yet. */
  readonly unknown: Identity
  /** Pods of this node with a network of their own, beside those of an inventory. */
  ownPods(): readonly OwnPod[]
  /** Resolves when these flows can be named: words of what happened before are on their way. Never rejects. */
  hear(started: StartedColumns): Promise<void>
  /** What pods of this workload call themselves to telemetry; undefined: they don't say. */
  serviceName(workload: Workload): string | undefined
  /** The inventory was read again. */
  replace(inventory: Inventory | undefined): void
}
