// Which network interfaces are to be observed, and whose they are.
import type { Identity } from '../aggregate/identity.ts'
import type { Link, Place } from '../capture/flow-source.ts'
import { deviceGlob } from '../config/device-glob.ts'
import type { Inventory } from '../config/inventory.ts'
import { podKey } from './inventory-names.ts'
import type { PodNames } from './pod-names.ts'

/** What a pod can have instead of a pair: hardware, and devices on top of the node's. */
const UPLINK_KINDS: ReadonlySet<string> = new Set(['', 'macvlan', 'macvtap', 'ipvlan', 'ipvtap'])

export interface WantedInterface {
  readonly identity: Identity
  /** Path of the namespace to look into; absent: the agent's own. */
  readonly netns?: string
  /** What `netns` led to when this was planned; absent: the agent's own, or nothing is there yet. */
  readonly inode?: number
  /** Name or pattern; absent: every Ethernet device but loopback. */
  readonly device?: string
  /** Indexes of the ends of pairs that lead to the node; absent: every pair's. Then no bridge, tunnel or the like is meant either. */
  readonly uplinks?: ReadonlySet<number>
  /** Whether a device of that name is in scope; absent: all are. */
  readonly isInScope?: (device: string) => boolean
  /**
   * Of a namespace that came while the agent watched: keys of its devices that were tracked once. What any other one
   * has counted, it has counted since.
   */
  readonly known?: Set<string>
  /** Who asks for it, for messages: `shop/web (inventory.yaml:4:9)`. */
  readonly subject: string
}

export interface FoundDevice {
  readonly link: Link
  /** Which end of the pod's pair of devices `link` is. */
  readonly place: Place
}

/** What an inventory lists for this node. `nodeName` absent: every pod is taken for ours. */
export function listedInterfaces(
  inventory: Inventory,
  names: PodNames,
  inodeOf: (path: string) => number | undefined,
  nodeName: string | undefined,
): WantedInterface[] {
  const ours = inventory.pods.filter(pod => pod.node === undefined || nodeName === undefined || pod.node === nodeName)
  return ours.flatMap(pod =>
    pod.interfaces.map(({ netns, device, place }) => {
      const inode = netns === undefined ? undefined : inodeOf(netns)
      return {
        identity: names.local(podKey(pod)),
        ...(netns !== undefined && { netns }),
        ...(inode !== undefined && { inode }),
        ...(device !== undefined && { device }),
        subject: `${podKey(pod)} (${place})`,
      }
    }),
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

export function isPair(kind: string): boolean {
  return kind === 'veth' || kind === 'netkit'
}
