// Whose a network namespace is, by the processes in it.
import type { SurveyedNamespace } from '../capture/flow-source.ts'
import type { OwnProcess } from '../host/own-process.ts'
import { type CgroupOwner, cgroupOwner } from './cgroup-owner.ts'

/** A pod, or a container outside of every pod. */
export interface NamespaceOwner extends CgroupOwner {
  /** The pod's UID, else the container's id. */
  readonly key: string
}

export interface NamespaceOwners {
  /** By inode; two or more pods share a namespace by mistake, and nobody can tell them apart there. */
  readonly owners: ReadonlyMap<number, readonly NamespaceOwner[]>
  /** UIDs of the pods that use the node's own namespace. */
  readonly hostNetworkPods: ReadonlySet<string>
}

interface Home {
  readonly owner: NamespaceOwner
  readonly inode: number
  readonly started: number
  readonly process: number
}

/**
 * An owner's home is where its oldest process is: a pod's sandbox is there first and stays to the end. Who only looks
 * into a namespace (an agent of the CNI, a pod with namespaces inside) owns nothing there.
 */
export function namespaceOwners(namespaces: readonly SurveyedNamespace[], own: OwnProcess): NamespaceOwners {
  const homes = new Map<string, Home>()
  const ownContainer = cgroupOwner(own.cgroup).containerId
  for (const { inode, residents } of namespaces) {
    for (const { process, started, cgroup } of residents) {
      const owner = ownerOf(cgroup)
      // Who shares the agent's container is not told apart by it.
      if (!owner || (ownContainer !== undefined && owner.containerId === ownContainer)) continue
      const known = homes.get(owner.key)
      if (!known || isOlder(started, process, known)) homes.set(owner.key, { owner, inode, started, process })
    }
  }
  const owners = new Map<number, readonly NamespaceOwner[]>()
  const hostNetworkPods = new Set<string>()
  for (const [inode, here] of Map.groupBy(homes.values(), home => home.inode)) {
    const pods = here.filter(({ owner }) => owner.podUid !== undefined)
    if (inode === own.namespaceInode) for (const { owner } of pods) hostNetworkPods.add(owner.key)
    // Of containers that share a namespace on purpose (`--network container:…`) the oldest made it.
    else
      owners.set(
        inode,
        (pods.length > 0 ? pods : [oldestOf(here)]).map(({ owner }) => owner),
      )
  }
  return { owners, hostNetworkPods }
}

function ownerOf(cgroup: string): NamespaceOwner | undefined {
  const owner = cgroupOwner(cgroup)
  const key = owner.podUid ?? owner.containerId
  return key === undefined ? undefined : { ...owner, key }
}

/** Processes of the same clock tick have started in the order of their numbers, but for a wrap. */
function isOlder(started: number, process: number, than: Home): boolean {
  return started < than.started || (started === than.started && process < than.process)
}

function oldestOf(homes: readonly Home[]): Home {
  return homes.reduce((oldest, home) => (isOlder(home.started, home.process, oldest) ? home : oldest))
}
