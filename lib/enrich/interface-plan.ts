// Which network interfaces are to be observed, and whose they are.
import { basename, dirname } from 'node:path'
import type { Identity } from '../aggregate/identity.ts'
import type { Link, Namespace, Place } from '../capture/flow-source.ts'
import { deviceGlob } from '../config/device-glob.ts'
import type { Inventory } from '../config/inventory.ts'
import { type InventoryNames, podKey } from './inventory-names.ts'

export interface WantedInterface {
  readonly identity: Identity
  /** Path of the namespace to look into; absent: the agent's own. */
  readonly netns?: string
  /** Name or pattern; absent: every Ethernet device but loopback. */
  readonly device?: string
  /** Who asks for it, for messages: `shop/web (inventory.yaml:4:9)`. */
  readonly subject: string
}

export interface FoundDevice {
  readonly link: Link
  /** Which end of the pod's pair of devices `link` is. */
  readonly place: Place
}

export interface Surroundings {
  /** Pods of other nodes are left to their agents; absent: every pod is taken for ours. */
  readonly nodeName?: string
  /** The namespaces there are now, for a plan without an inventory. */
  readonly namespaces: readonly Namespace[]
  /** Inode of the agent's own namespace: it is no pod, even when it has a name. */
  readonly ownNamespaceInode?: number
}

/** Without an inventory every named network namespace is a pod of that name. */
export function planInterfaces(
  inventory: Inventory | undefined,
  names: InventoryNames,
  surroundings: Surroundings,
): WantedInterface[] {
  if (!inventory) return namedNamespaces(surroundings).map(path => namespacePod(path, names))
  const { nodeName } = surroundings
  const ours = inventory.pods.filter(pod => pod.node === undefined || nodeName === undefined || pod.node === nodeName)
  return ours.flatMap(pod =>
    pod.interfaces.map(({ netns, device, place }) => ({
      identity: names.local(podKey(pod)),
      ...(netns !== undefined && { netns }),
      ...(device !== undefined && { device }),
      subject: `${podKey(pod)} (${place})`,
    })),
  )
}

/** The devices that are meant, of a dump of the wanted interface's namespace. Never loopback: sidecars redirect there. */
export function matchDevices(wanted: WantedInterface, links: readonly Link[]): FoundDevice[] {
  const pattern = deviceGlob(wanted.device ?? '*')
  return links
    .filter(link => link.ethernet && !link.loopback && pattern?.test(link.name))
    .map(link => ({ link, place: wanted.netns === undefined && isHostEnd(link) ? 'host' : 'pod' }))
}

/** Of a pair with one end here the other is the pod's; any other device of ours is the pod's own. */
function isHostEnd(link: Link): boolean {
  return link.peerIndex !== 0 && (link.kind === 'veth' || link.kind === 'netkit')
}

/** One path for each namespace that `ip netns` shows. */
function namedNamespaces({ namespaces, ownNamespaceInode }: Surroundings): string[] {
  const pathOfInode = new Map<number, string>()
  for (const { path, inode } of namespaces.toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
    const named = dirname(path) === '/run/netns' || dirname(path) === '/var/run/netns'
    if (named && inode !== ownNamespaceInode && !pathOfInode.has(inode)) pathOfInode.set(inode, path)
  }
  return [...pathOfInode.values()]
}

function namespacePod(path: string, names: InventoryNames): WantedInterface {
  return { identity: names.local(basename(path)), netns: path, subject: path }
}
