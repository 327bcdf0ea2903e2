// The interfaces' states as signals show them.
import type { TrackedInterface } from '../enrich/tracked-interface.ts'
import { BRAKING, type InterfaceState } from './agent-figures.ts'

/** `ignored`: why, for each that is not to be observed; `isBraking`: TCP detail is given up. */
export function* interfaceStates(
  interfaces: Iterable<TrackedInterface>,
  ignored: readonly string[],
  isBraking: boolean,
): Generator<InterfaceState> {
  for (const { state, reason, attachment } of interfaces)
    yield {
      ...(isBraking && state === 'attached' ? BRAKING : { state, ...(reason !== undefined && { reason }) }),
      ...(attachment && { mode: attachment.hook, place: attachment.place }),
    }
  for (const reason of ignored) yield { state: 'ignored', reason }
}
