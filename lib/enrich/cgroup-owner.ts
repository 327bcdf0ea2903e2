// Whose a process is, by the path of its cgroup: pods and containers as kubelet and the container runtimes name them.

export interface CgroupOwner {
  /** `metadata.uid` as the API has it; of a static pod the hash of its manifest, 32 hexadecimal digits. */
  readonly podUid?: string
  /** 64 hexadecimal digits. */
  readonly containerId?: string
}

const SHORT_ID_DIGITS = 12

/** What a container goes by: the beginning of its id, as docker shows it. */
export function shortId(containerId: string): string {
  return containerId.slice(0, SHORT_ID_DIGITS)
}

/** `pod<uid>` as a folder (cgroupfs driver) or at the end of a slice's name (systemd driver, `_` for `-`). */
const POD = /(?:^|[/:-])pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?=[./:]|$)/g
/** `<id>`, or behind what the runtime puts there: `cri-containerd-`, `crio-`, `docker-`, `libpod-`, `…:cri-containerd:`. */
const CONTAINER = /(?:^|[/:-])([0-9a-f]{64})(?=[./:]|$)/g

/**
 * Of `/proc/PID/cgroup`, of v1 (a line for each hierarchy) or v2 (`0::`). The innermost pod, and the container in it:
 * a node may itself be a container (kind), or a pod of another cluster. Empty when it is neither's.
 */
export function cgroupOwner(text: string): CgroupOwner {
  const owners = text.split('\n').map(line => ownerOf(line.split(':').slice(2).join(':')))
  return owners.find(owner => owner.podUid) ?? owners.find(owner => owner.containerId) ?? {}
}

function ownerOf(path: string): CgroupOwner {
  const pod = [...path.matchAll(POD)].at(-1)
  const container = [...path.matchAll(CONTAINER)].at(-1)
  // In front of the pod: the container that the node runs in.
  const isInside = container && (!pod || container.index > pod.index)
  return {
    ...(pod && { podUid: pod[1]!.replaceAll('_', '-') }),
    ...(isInside && { containerId: container[1]! }),
  }
}
