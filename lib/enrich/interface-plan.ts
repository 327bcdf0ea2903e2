// Which network interfaces are to be observed, and whose they are.
import { basename, dirname } from 'node:path'
import type { Identity } from '../aggregate/identity.ts'
import type { Link, Namespace, Place } from '../capture/flow-source.ts'
import { deviceGlob } from '../config/device-glob.ts'
import type { Inventory } from '../config/inventory.ts'
import type { OwnProcess } from '../host/own-process.ts'
import { type CgroupOwner, cgroupOwner } from './cgroup-owner.ts'
import { type InventoryNames, podKey } from './inventory-names.ts'

/** What a pod can have instead of a pair: hardware, and devices on top of the node's. */
const UPLINK_KINDS: ReadonlySet<string> = new Set(['', 'macvlan', 'macvtap', 'ipvlan', 'ipvtap'])
const SHORT_ID_DIGITS = 12

export interface WantedInterface {
  readonly identity: Identity
  /** Path of the namespace to look into; absent: the agent's own. */
  readonly netns?: string
  /** That namespace's inode, where it is known: a path may come to name another one. */
  readonly inode?: number
  /** Name or pattern; absent: every Ethernet device but loopback. */
  readonly device?: string
  /** Indexes of the ends of pairs that lead to the node; absent: every pair's. Then no bridge, tunnel or the like is meant either. */
  readonly uplinks?: ReadonlySet<number>
  /** Whether a device of that name is in scope; absent: all are. */
  readonly isInScope?: (device: string) => boolean
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
  readonly own: OwnProcess
  /** Devices of the agent's own namespace: the other ends of what leads from a pod to the node. */
  readonly ownLinks: readonly Link[]
}

/** Without an inventory: the namespaces of pods and containers, by their ids, and those that `ip netns` shows. */
export function planInterfaces(
  inventory: Inventory | undefined,
  names: InventoryNames,
  surroundings: Surroundings,
): WantedInterface[] {
  if (!inventory) return discoveredNamespaces(surroundings, names)
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
    .filter(link => link.ethernet && !link.loopback && pattern?.test(link.name) && isMeant(link, wanted.uplinks))
    .filter(link => wanted.isInScope?.(link.name) ?? true)
    .map(link => ({ link, place: wanted.netns === undefined && isHostEnd(link) ? 'host' : 'pod' }))
}

/** Of a pair with one end here the other is the pod's; any other device of ours is the pod's own. */
function isHostEnd(link: Link): boolean {
  return link.peerIndex !== 0 && isPair(link.kind)
}

/** A pod may have a bridge, tunnels and pods of its own: their packets leave it by an uplink, and count there. */
function isMeant({ kind, index }: Link, uplinks?: ReadonlySet<number>): boolean {
  if (!uplinks) return true
  return isPair(kind) ? uplinks.has(index) : UPLINK_KINDS.has(kind)
}

function isPair(kind: string): boolean {
  return kind === 'veth' || kind === 'netkit'
}

function discoveredNamespaces(surroundings: Surroundings, names: InventoryNames): WantedInterface[] {
  const { namespaces, own, ownLinks } = surroundings
  const ownContainer = cgroupOwner(own.cgroup).containerId
  const wanted = new Map<number, WantedInterface>()
  for (const { path, inode, id, cgroup } of namespaces.toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
    if (inode === own.namespaceInode || wanted.has(inode)) continue
    const owner = cgroupOwner(cgroup)
    // Who shares the agent's container is not told apart by it.
    const name = owner.containerId !== undefined && owner.containerId === ownContainer ? undefined : nameOf(owner)
    const isNamed = dirname(path) === '/run/netns' || dirname(path) === '/var/run/netns'
    if (name !== undefined) {
      const uplinks = new Set(
        ownLinks.filter(link => id >= 0 && link.peerNamespaceId === id).map(link => link.peerIndex),
      )
      wanted.set(inode, { identity: names.local(name), netns: path, subject: `${name} (${path})`, uplinks })
    } else if (isNamed) {
      wanted.set(inode, { identity: names.local(basename(path)), netns: path, subject: path })
    }
  }
  return [...wanted.values()]
}

/** A pod goes by its uid until somebody tells its name, a container by the beginning of its id, as docker shows it. */
function nameOf({ podUid, containerId }: CgroupOwner): string | undefined {
  return podUid ?? containerId?.slice(0, SHORT_ID_DIGITS)
}
