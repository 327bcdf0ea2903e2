// How many connections and requests go on, counted from the flows themselves: never opened - closed.
import { ConnectionState } from '../capture/flow-batch.ts'
import { type FlowSlots, isExported, SlotState } from './flow-slots.ts'
import type { ParkedConnections } from './parked-connections.ts'

const { established, midstream, closing } = ConnectionState

export function countActive(slots: FlowSlots, parked: ParkedConnections, edges: number): Float64Array {
  const active = new Float64Array(edges)
  for (let slot = 0; slot < slots.length; slot++) {
    if (slots.state[slot] !== SlotState.live) continue
    const edge = slots.edge[slot]!
    if (isExported(edge) && isActive(slots, slot)) active[edge]!++
  }
  for (const { edge } of parked.values()) if (isExported(edge)) active[edge]!++
  return active
}

function isActive(slots: FlowSlots, slot: number): boolean {
  const connection = slots.connection[slot]!
  if (connection === established || connection === midstream || connection === closing) return true
  return slots.isRequest[slot] === 1
}
