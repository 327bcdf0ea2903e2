// The interfaces' states as signals show them.
import type { TrackedInterface } from '../enrich/tracked-interface.ts'
import { BRAKING, type InterfaceState } from './agent-series.ts'

/** `isBraking`: TCP detail is given up. */
export function* interfaceStates(
  interfaces: Iterable<TrackedInterface>,
  isBraking: boolean,
): Generator<InterfaceState> {
  for (const { state, reason, attachment } of interfaces)
    yield {
      ...(isBraking && state === 'attached' ? BRAKING : { state, ...(reason !== undefined && { reason }) }),
      ...(attachment && { mode: attachment.hook, place: attachment.place }),
    }
}
