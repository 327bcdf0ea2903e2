// Whether this process is in the node's own network namespace, where connections of pods are tracked.
import { readlinkSync } from 'node:fs'

/** linux/proc_ns.h: the machine's first PID namespace. */
const FIRST_PID_NAMESPACE = 'pid:[4026531836]'

/** `unknown`: processes of the node can't be seen, or it is a node inside of another one. */
export function inNodeNamespace(): 'yes' | 'no' | 'unknown' {
  const own = linkAt('/proc/self/ns/net')
  const first = linkAt('/proc/1/ns/net')
  if (own === undefined || first === undefined) return 'unknown'
  if (own !== first) return 'no'
  return linkAt('/proc/self/ns/pid') === FIRST_PID_NAMESPACE ? 'yes' : 'unknown'
}

function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined
  }
}
