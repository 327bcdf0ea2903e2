// What the agent's own process is in: neither its network namespace nor its container is a pod to observe.
import { readFileSync, statSync } from 'node:fs'

export interface OwnProcess {
  /** Inode of its network namespace. */
  readonly namespaceInode: number
  /** Its `/proc/PID/cgroup`. */
  readonly cgroup: string
}

export function ownProcess(): OwnProcess {
  return {
    namespaceInode: statSync('/proc/self/ns/net').ino,
    cgroup: readFileSync('/proc/self/cgroup', 'utf8'),
  }
}

/** Inode of the network namespace at a path; undefined when nothing is there. */
export function namespaceInode(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino
}
