// What is kept of one pod of the cluster, and how much of it is told.
import type { Identity, Place, Pod, Workload } from '../aggregate/identity.ts'
import type { AddressKey } from '../capture/address.ts'
import type { AddressHolder } from './address-claims.ts'

/** Ports on which a Service's pods listen. */
export interface ServedPorts {
  /** `namespace/name` of the Service. */
  readonly service: string
  readonly ports: readonly string[]
}

const LONGEST_VALUE = 256
const noPorts: ReadonlySet<string> = new Set()

export class PodRecord implements AddressHolder {
  readonly uid: string
  /** Absent: it is mentioned by others alone. */
  identity: Identity | undefined
  isReady = false
  /** When we heard that it is ready from now on; absent: it was so when we heard of it first. */
  becameReadyMs: number | undefined
  /** Those that it claims; of what may be several and mostly is one, that one. */
  addresses: AddressKey | readonly AddressKey[] | undefined
  containerPorts: ReadonlySet<string> = noPorts
  servedBy: ServedPorts | readonly ServedPorts[] | undefined
  /** For rules of a scope; absent where there are none. */
  labels: Readonly<Record<string, string>> | undefined
  /** What it calls itself, where it says so. */
  serviceName: string | undefined
  /** When we heard that it is deleted. */
  goneAtMs: number | undefined

  constructor(uid: string) {
    this.uid = uid
  }

  get isTold(): boolean {
    return false
  }
}

/** Of another node; a resolver tells of it. */
export class ToldPodRecord extends PodRecord {
  override get isTold(): boolean {
    return true
  }
}

export function severalOf<Value>(found: Value | readonly Value[] | undefined): readonly Value[] {
  if (found === undefined) return []
  return isList(found) ? found : [found]
}

export function oneOf<Value>(list: readonly Value[]): Value | readonly Value[] | undefined {
  return list.length > 1 ? list : list[0]
}

function isList<Value>(found: Value | readonly Value[]): found is readonly Value[] {
  return Array.isArray(found)
}

export interface PodIdentityParts {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly workload: Workload
  readonly place: Place | undefined
  readonly ports: ReadonlySet<string>
  readonly isOutOfScope: boolean
  readonly labels: Readonly<Record<string, string>> | undefined
  readonly annotations: Readonly<Record<string, string>> | undefined
}

export function podIdentity(parts: PodIdentityParts): Identity {
  const { namespace, name, uid, workload, place, ports } = parts
  const plain: Pod =
    place?.node === undefined
      ? { namespace, name, uid, workload }
      : { namespace, name, uid, node: place.node, workload }
  const { labels, annotations } = parts
  const pod =
    labels || annotations ? { ...plain, ...(labels && { labels }), ...(annotations && { annotations }) } : plain
  const identity: Identity = place
    ? { class: 'pod', workload, pod, ports, place }
    : { class: 'pod', workload, pod, ports }
  return parts.isOutOfScope ? { ...identity, outOfScope: true } : identity
}

/** `workload`, `ports` and `place` are one object each for what says the same. */
export function saysTheSame(a: Identity, b: Identity): boolean {
  return (
    a.workload === b.workload &&
    a.ports === b.ports &&
    a.place === b.place &&
    a.outOfScope === b.outOfScope &&
    a.pod?.name === b.pod?.name &&
    a.pod?.namespace === b.pod?.namespace &&
    sameTexts(a.pod?.labels, b.pod?.labels) &&
    sameTexts(a.pod?.annotations, b.pod?.annotations)
  )
}

type Texts = Readonly<Record<string, string>> | undefined

function sameTexts(a: Texts, b: Texts): boolean {
  if (a === b) return true
  if (!a || !b) return false
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every(key => a[key] === b[key])
}

export function partsOf({ workload, pod, ports, place }: Identity) {
  const { namespace, name, uid, labels, annotations } = pod!
  return { namespace, name, uid: uid!, workload: workload!, place, ports, labels, annotations }
}

/** Those that are asked for, each cut where it would be a burden to a backend. */
export function picked(texts: Readonly<Record<string, string>>, keys: readonly string[]) {
  const found = keys.filter(key => Object.hasOwn(texts, key))
  if (found.length === 0) return undefined
  return Object.fromEntries(found.map(key => [key, texts[key]!.slice(0, LONGEST_VALUE).toWellFormed()]))
}
