// Settings whose part is not there yet: refused at their place, so that none of them does nothing without a word.
// Whoever makes one work deletes its line.
import type { YamlDocument } from './yaml-document.ts'

export interface NotYet {
  /** Keys from the root, with dots between them. `*` is any key, and `TYPE` is `TYPE/NAME` too. */
  readonly setting: string
  /** Values that do what they say already; `TYPE` is `TYPE/NAME` too. */
  readonly works?: readonly unknown[]
}

export const NOT_YET: readonly NotYet[] = [
  // Then its default is 5m.
  { setting: 'receivers.podweir.edge_idle', works: ['off'] },
  { setting: 'receivers.podweir.pod_metrics', works: ['podweir'] },
  { setting: 'receivers.podweir.traces.service_graph_metrics', works: ['off'] },
  { setting: 'exporters.prometheus' },
  { setting: 'exporters.kafka' },
  { setting: 'extensions.zpages' },
  { setting: 'service.extensions.*', works: ['api', 'health_check', 'file_storage'] },
]

export function refuseNotYet(document: YamlDocument, list: readonly NotYet[]): void {
  for (const { setting, works = [] } of list) {
    for (const { path, value } of found(document.value, setting.split('.'), [])) {
      if (works.some(each => isOrNames(value, each)) || (value === undefined && works.length > 0)) continue
      const allowed = works.length > 0 ? String(works[0]) : undefined
      document.problems.add(document.placeOfKey(path), path, 'is not available in this version', allowed)
    }
  }
}

interface Found {
  readonly path: readonly PropertyKey[]
  readonly value: unknown
}

function found(value: unknown, [segment, ...rest]: string[], path: readonly PropertyKey[]): Found[] {
  if (segment === undefined) return [{ path, value }]
  if (typeof value !== 'object' || value === null) return []
  const keys = Array.isArray(value) ? value.keys() : Object.keys(value)
  return [...keys]
    .filter(key => segment === '*' || isOrNames(key, segment))
    .flatMap(key => found((value as Record<PropertyKey, unknown>)[key], rest, [...path, key]))
}

/** `TYPE`, or `TYPE/NAME`. */
function isOrNames(value: unknown, type: unknown): boolean {
  return value === type || String(value).startsWith(`${type}/`)
}
