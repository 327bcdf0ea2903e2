// Whose each namespace is, from its first sight to its end: bound once, and never to another as long as it goes on.
import type { Changes, SurveyedNamespace } from '../capture/flow-source.ts'
import type { NamespaceOwner } from './namespace-owners.ts'

export interface NamespaceBinding {
  readonly namespace: SurveyedNamespace
  /** Names it for good, as no inode, number or path does. */
  readonly key: string
  /** Wall clock, ms since 1970, of the first look that showed it; absent: it was there before the agent. */
  readonly appearedMs?: number
  /** Keys of its devices that were tracked once; absent: it was there before the agent. */
  readonly known?: Set<string>
  readonly owner?: NamespaceOwner
  /** Processes of several pods are, or were, at home in it: it is nobody's. */
  readonly isShared: boolean
}

export class NamespaceBindings {
  #bindings = new Map<number, NamespaceBinding>()
  #made = 0

  values(): Iterable<NamespaceBinding> {
    return this.#bindings.values()
  }

  /**
   * `deletedIds`: since the survey before. Absent `nowMs`: the agent's first look. Returns the inodes of namespaces that
   * took the place of another one, or whose owner is another one than before.
   */
  update(
    namespaces: readonly SurveyedNamespace[],
    owners: ReadonlyMap<number, readonly NamespaceOwner[]>,
    deletedIds: Changes['deletedIds'],
    nowMs: number | undefined,
  ): ReadonlySet<number> {
    const before = this.#bindings
    const replaced = new Set<number>()
    this.#bindings = new Map()
    for (const namespace of namespaces) {
      const { inode } = namespace
      const here = owners.get(inode) ?? []
      const known = before.get(inode)
      const isSame = known !== undefined && !isAnother(known.namespace, namespace, deletedIds)
      const binding = isSame ? next(known, namespace, here) : this.#begin(namespace, here, nowMs)
      if (known && (!isSame || changesHands(known, binding))) replaced.add(inode)
      this.#bindings.set(inode, binding)
    }
    return replaced
  }

  #begin(namespace: SurveyedNamespace, here: readonly NamespaceOwner[], nowMs: number | undefined): NamespaceBinding {
    const key = `${namespace.inode}.${++this.#made}`
    const appeared = nowMs !== undefined && { appearedMs: nowMs, known: new Set<string>() }
    return { namespace, key, ...appeared, ...ownership(here) }
  }
}

/** The kernel gives inodes and numbers again at once, cookies never. */
function isAnother(known: SurveyedNamespace, now: SurveyedNamespace, deletedIds: Changes['deletedIds']): boolean {
  if (known.cookie !== 0 && now.cookie !== 0) return known.cookie !== now.cookie
  return known.id >= 0 && (known.id !== now.id || deletedIds.includes(known.id))
}

/** Whose processes have all ended keeps it: its last packets are its own. */
function next(
  known: NamespaceBinding,
  namespace: SurveyedNamespace,
  here: readonly NamespaceOwner[],
): NamespaceBinding {
  if (known.isShared || here.length === 0) return { ...known, namespace }
  const { owner: _, ...rest } = known
  return { ...rest, namespace, ...ownership(here) }
}

function ownership(here: readonly NamespaceOwner[]): Pick<NamespaceBinding, 'owner' | 'isShared'> {
  return here.length === 1 ? { owner: here[0]!, isShared: false } : { isShared: here.length > 1 }
}

/** What was counted under one owner stays that one's: the interface begins anew. */
function changesHands(before: NamespaceBinding, now: NamespaceBinding): boolean {
  return before.owner !== undefined && before.owner.key !== now.owner?.key
}
