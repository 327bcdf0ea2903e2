// What makes two looks at an interface looks at the same one.
import type { Link } from '../capture/flow-source.ts'
import type { WantedInterface } from './interface-plan.ts'

/** By the inode where it is known: the path of a namespace without a name changes with its oldest process. */
export function namespaceKey({ netns, inode }: WantedInterface): string {
  return inode === undefined ? (netns ?? '') : `#${inode}`
}

/** The address tells a device from a later one of the same index. Neither name nor subject: both may change meanwhile. */
export function deviceKey(wanted: WantedInterface, { index, address }: Link): string {
  return `${namespaceKey(wanted)} ${index} ${address}`
}

/** Of a device that is not there yet. A namespace that has a name may not be there either. */
export function absentKey(wanted: WantedInterface): string {
  const { netns = '', device = '' } = wanted
  return `absent ${netns.startsWith('/proc/') ? namespaceKey(wanted) : netns} ${device}`
}
