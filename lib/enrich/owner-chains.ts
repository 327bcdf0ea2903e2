// What a person deployed, from the controller of a pod upwards: by the name where that proves it, else by asking.
import type { Owner } from '../kubernetes/cluster-objects.ts'

/** The controller of an owner; undefined: it has none, or nobody may say. */
export type OwnerLookup = (namespace: string, owner: Owner) => Promise<Owner | undefined>

/** The end of a chain, as far as it is known. */
export interface Top {
  readonly kind: string
  readonly name: string
}

/** Who knows what a person deployed, of which a pod is a part. */
export interface Owners {
  /** What is known now; `onAnswer` is called once if more becomes known, and asks again. */
  topOf(pod: OwnedPod & { readonly uid: string }, onAnswer: () => void): Top
}

export interface OwnedPod {
  readonly namespace: string
  readonly name: string
  readonly owner?: Owner
  readonly templateHash?: string
  readonly templateOf?: 'Deployment' | 'Rollout'
}

/** From a pod's controller on: a chain that is longer, or leads back to itself, ends here. */
const DEEPEST = 5
/** Answers that are kept. */
const MOST_ANSWERS = 20_000

/** People deploy these. A controller of theirs is a tool that deploys for people. */
const deployed: ReadonlySet<string> = new Set([
  'apps Deployment',
  'apps StatefulSet',
  'apps DaemonSet',
  'batch CronJob',
  'argoproj.io Rollout',
])

export class OwnerChains implements Owners {
  readonly #ownerOf: OwnerLookup | undefined
  /** By the UID of the pod's controller, oldest first. */
  readonly #answers = new Map<string, Top>()
  /** To be called with the answer, by the same UID. */
  readonly #waiting = new Map<string, Set<() => void>>()

  /** Without `ownerOf` a chain ends where its name proves nothing more. */
  constructor(ownerOf?: OwnerLookup) {
    this.#ownerOf = ownerOf
  }

  /** Chains that are being climbed. */
  get open(): number {
    return this.#waiting.size
  }

  /** What is known now; `onAnswer` is called once if more becomes known, and asks again. */
  topOf(pod: OwnedPod, onAnswer: () => void): Top {
    const { owner, namespace } = pod
    const proven = provenTop(pod)
    if (proven || !owner) return proven ?? { kind: 'Pod', name: pod.name }
    const answer = this.#answers.get(owner.uid)
    if (answer) return answer
    if (this.#ownerOf) this.#ask(this.#ownerOf, namespace, owner, onAnswer)
    return owner
  }

  #ask(ownerOf: OwnerLookup, namespace: string, owner: Owner, onAnswer: () => void): void {
    const waiting = this.#waiting.get(owner.uid)
    if (waiting) {
      waiting.add(onAnswer)
      return
    }
    this.#waiting.set(owner.uid, new Set([onAnswer]))
    climb(ownerOf, namespace, owner).then(
      top => this.#answered(owner, top),
      // Who could not be asked now is asked again when one of its pods changes.
      () => this.#waiting.delete(owner.uid),
    )
  }

  #answered({ uid, kind, name }: Owner, top: Owner): void {
    if (this.#answers.size >= MOST_ANSWERS) this.#answers.delete(this.#answers.keys().next().value!)
    this.#answers.set(uid, { kind: top.kind, name: top.name })
    const waiting = this.#waiting.get(uid)
    this.#waiting.delete(uid)
    if (top.kind === kind && top.name === name) return
    for (const tell of waiting ?? []) tell()
  }
}

/**
 * What the pod itself proves; undefined: somebody has to be asked. A controller that makes ReplicaSets calls them by its
 * own name and the hash of the template, which the pod has as a label.
 */
export function provenTop({ name, owner, templateHash, templateOf }: OwnedPod): Top | undefined {
  // A static pod's mirror is owned by its node, which did not deploy it.
  if (!owner || (owner.kind === 'Node' && owner.apiVersion === 'v1')) return { kind: 'Pod', name }
  if (isDeployed(owner)) return owner
  if (groupOf(owner) !== 'apps' || owner.kind !== 'ReplicaSet' || !templateHash) return undefined
  const end = `-${templateHash}`
  if (!owner.name.endsWith(end) || owner.name.length === end.length) return undefined
  return { kind: templateOf ?? 'Deployment', name: owner.name.slice(0, -end.length) }
}

async function climb(ownerOf: OwnerLookup, namespace: string, first: Owner): Promise<Owner> {
  const passed = new Set([first.uid])
  let top = first
  for (let depth = 1; depth < DEEPEST && !isDeployed(top); depth++) {
    const next = await ownerOf(namespace, top)
    if (!next || passed.has(next.uid)) return top
    passed.add(next.uid)
    top = next
  }
  return top
}

function isDeployed(owner: Owner): boolean {
  return deployed.has(`${groupOf(owner)} ${owner.kind}`)
}

function groupOf({ apiVersion }: Owner): string {
  return apiVersion.split('/')[0]!
}
