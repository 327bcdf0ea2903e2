// Which attributes tell series of metrics apart: without such a one, two of them would be the same.
import { attribute, isOfPod } from './attribute-names.ts'

/** The same for all series of an agent, or known by another attribute. */
const idle: ReadonlySet<string> = new Set([attribute.clusterName, attribute.clusterUid, attribute.attachPlace])

export function tellsSeriesApart(key: string): boolean {
  return !idle.has(key) && !isOfPod(key)
}
