// What every point of an interface carries, and until when it waits for its name.
import type { Attributes } from '@opentelemetry/api'
import type { Identity, InterfaceOwner, Pod } from '../aggregate/identity.ts'
import type { Attachment } from '../capture/flow-source.ts'
import { annotationAttribute, attribute, labelAttribute, ownerAttribute } from './attribute-names.ts'

/** Whose interface it is, and which. */
export function interfaceAttributes(attachment: Attachment, owner: InterfaceOwner | undefined): Attributes {
  return {
    // Two interfaces that nobody has named must not be one series.
    ...ownerAttributes(owner, `interface-${attachment.interfaceSlot}`),
    [attribute.interfaceName]: owner?.device ?? attachment.device,
    [attribute.attachPlace]: attachment.place,
  }
}

/** An interface that nobody owns yet waits for its name this long: a pod's first process comes after its device. */
const NAMING_MS = 5_000

/** Whether what an interface counts waits for its name. `sinceMs`, `nowMs`: wall clock. */
export function waitsForName(
  { owner, endedAtMs }: { readonly owner?: InterfaceOwner | undefined; readonly endedAtMs: number | undefined },
  sinceMs: number,
  nowMs: number,
): boolean {
  return owner !== undefined && !isNamed(owner) && endedAtMs === undefined && nowMs - sinceMs < NAMING_MS
}

/** false: nobody owns the interface, or nobody yet. */
export function isNamed(owner: InterfaceOwner | undefined): boolean {
  return owner !== undefined && !owner.identity.isProvisional && !isNobody(owner.identity)
}

function isNobody({ class: endClass, name }: Identity): boolean {
  return endClass === 'unknown' && name === 'unknown'
}

/** `otherwise`: its name when it has none. */
export function ownerAttributes(owner: InterfaceOwner | undefined, otherwise: string): Attributes {
  const identity = owner?.identity
  if (identity?.pod) return podAttributes(identity.pod)
  return { [attribute.plainName]: (identity && !isNobody(identity) ? identity.name : undefined) ?? otherwise }
}

export function podAttributes(pod: Pod): Attributes {
  const { kind, name } = pod.workload
  return {
    [attribute.podNamespace]: pod.namespace,
    [attribute.podName]: pod.name,
    ...(pod.uid !== undefined && { [attribute.podUid]: pod.uid }),
    ...(kind !== 'Pod' && { [ownerAttribute(kind)]: name }),
    ...withKeys(pod.labels, labelAttribute),
    ...withKeys(pod.annotations, annotationAttribute),
  }
}

function withKeys(texts: Readonly<Record<string, string>> | undefined, attributeOf: (key: string) => string) {
  return Object.fromEntries(Object.entries(texts ?? {}).map(([key, text]) => [attributeOf(key), text]))
}
