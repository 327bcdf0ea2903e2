// Edges and crossings that no flow has and that have not changed for long make room for others.
import type { EdgeTable } from './edge-table.ts'
import type { FlowResolver } from './flow-resolver.ts'
import { type FlowSlots, isExported, SlotState } from './flow-slots.ts'
import type { ParkedConnections } from './parked-connections.ts'
import { NO_CROSSING } from './zone-table.ts'

/** Eviction is two sweeps: an edge goes after its time and at most a fifth of it, or 20 s. */
const SWEEPS_PER_IDLE_TIME = 10
const LONGEST_APART_MS = 10_000

export interface EdgeEvictionParts {
  readonly edges: EdgeTable
  readonly slots: FlowSlots
  readonly parked: ParkedConnections
  readonly resolver: FlowResolver
  readonly idleMs: number
}

export class EdgeEviction {
  readonly #parts: EdgeEvictionParts
  readonly #apartMs: number
  #sweptAtMs = Number.NEGATIVE_INFINITY

  constructor(parts: EdgeEvictionParts) {
    this.#parts = parts
    this.#apartMs = Math.min(LONGEST_APART_MS, parts.idleMs / SWEEPS_PER_IDLE_TIME)
  }

  /** After a batch has been counted: an edge that it brought something for is not idle. */
  batchCounted(nowMs: number): void {
    // A clock that was set back must not hold sweeps up.
    const isEarly = nowMs - this.#sweptAtMs < this.#apartMs && nowMs >= this.#sweptAtMs
    if (isEarly) return
    this.#sweptAtMs = nowMs
    const { edges, resolver, slots, idleMs } = this.#parts
    const zones = edges.zones?.sweep(this.#crossingsInUse(), nowMs, idleMs) ?? 0
    if (edges.sweep(this.#edgesInUse(), nowMs, idleMs) + zones > 0) resolver.leaveOverflow(slots)
  }

  #edgesInUse(): Uint8Array {
    const { edges, slots, parked } = this.#parts
    const inUse = new Uint8Array(edges.edges.length)
    for (let slot = 0; slot < slots.length; slot++)
      if (slots.state[slot] === SlotState.live && isExported(slots.edge[slot]!)) inUse[slots.edge[slot]!] = 1
    for (const { edge } of parked.values()) if (isExported(edge)) inUse[edge] = 1
    return inUse
  }

  #crossingsInUse(): Uint8Array {
    const { edges, slots } = this.#parts
    const inUse = new Uint8Array(edges.zones!.crossings.length)
    for (let slot = 0; slot < slots.length; slot++)
      if (slots.state[slot] === SlotState.live && slots.crossing[slot] !== NO_CROSSING) inUse[slots.crossing[slot]!] = 1
    return inUse
  }
}
