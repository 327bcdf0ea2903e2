// What the rest of the program needs of the module "drops": watch interfaces, read what was dropped there.
import type { AttachRequest } from './flow-source.ts'

/** Watches that nobody asked for: what happened at no watched interface, and what the kernel does not tell the place of. */
export const OtherWatch = { node: 0, unknown: 1 } as const

/** A row is a watch and a reason; counts only ever grow. */
export interface DropCount {
  readonly watch: number
  /** The kernel's name, lower case: `no_socket`. */
  readonly reason: string
  /** Since the watch began. */
  readonly packets: number
}

export interface DropReading {
  readonly counts: readonly DropCount[]
  /** Packets that found no room among the counters, and drops that interrupted the counting of another one. Since loading. */
  readonly uncounted: number
}

export interface DropSource {
  /** Takes what was attached to; resolves to the watch's number, which is never given again. */
  watch(attached: AttachRequest): Promise<number>
  /** The next reading is the last with rows of this watch. */
  unwatch(watch: number): Promise<void>
  read(): Promise<DropReading>
  close(): Promise<void>
}
