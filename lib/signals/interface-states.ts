// The interfaces' states as signals show them.
import type { TrackedInterface } from '../enrich/tracked-interface.ts'
import { BRAKING, IGNORED, type InterfaceState } from './agent-series.ts'

/** `ignored`: how many are left out by their name; `isBraking`: TCP detail is given up. */
export function* interfaceStates(
  interfaces: Iterable<TrackedInterface>,
  ignored: number,
  isBraking: boolean,
): Generator<InterfaceState> {
  for (const { state, reason, attachment } of interfaces)
    yield {
      ...(isBraking && state === 'attached' ? BRAKING : { state, ...(reason !== undefined && { reason }) }),
      ...(attachment && { mode: attachment.hook, place: attachment.place }),
    }
  for (let i = 0; i < ignored; i++) yield IGNORED
}
