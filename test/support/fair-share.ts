// What the table's fair share comes to: flow.h's FAIR_SHARE_FACTOR, counted out slot by slot.

const FAIR_SHARE_FACTOR = 4

/** Slots that one interface gets of `limit` while no other one has any. */
export function slotsForOne(limit: number): number {
  let slots = 0
  while (slots < limit && slots < FAIR_SHARE_FACTOR * (limit - slots)) slots++
  return slots
}
