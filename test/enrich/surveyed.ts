// Builders of what a survey finds.
import type { Link, Resident, Survey, SurveyedNamespace } from '../../lib/capture/flow-source.ts'

export const OWN = { namespaceInode: 1, cgroup: '0::/' }
export const UID = '4f0c1a2b-3d4e-5f60-7182-93a4b5c6d7e8'
export const OTHER_UID = '5e1d2c3b-3d4e-5f60-7182-93a4b5c6d7e8'
export const CONTAINER = '0123456789abcdef'.repeat(4)

export function inPod(uid: string, started: number, process = started): Resident {
  return { process, started, cgroup: `0::/kubepods/pod${uid}/${CONTAINER}\n` }
}

export function inContainer(id: string, started: number, process = started): Resident {
  return { process, started, cgroup: `0::/system.slice/docker-${id}.scope\n` }
}

export function inService(started: number, process = started): Resident {
  return { process, started, cgroup: '0::/system.slice/x.service\n' }
}

/** Named by its inode, which is also its number unless told otherwise. */
export function namespace(inode: number, more: Partial<SurveyedNamespace> = {}): SurveyedNamespace {
  return { path: `/run/netns/n${inode}`, inode, id: inode, cookie: inode * 100, residents: [], ...more }
}

export function link(more: Partial<Link> = {}): Link {
  return {
    ...{ index: 1, name: 'x', kind: '', ethernet: true, loopback: false, up: true, address: '' },
    ...{ peerIndex: 0, peerNamespaceId: -1, ...more },
  }
}

/** The node's end of a pair whose other end, with index 2 there, is in the namespace of that number. */
export function pairTo(namespaceId: number, more: Partial<Link> = {}): Link {
  const index = 100 + namespaceId
  return link({ index, name: `veth${namespaceId}`, kind: 'veth', peerIndex: 2, peerNamespaceId: namespaceId, ...more })
}

export function survey(namespaces: readonly SurveyedNamespace[], more: Partial<Survey> = {}): Survey {
  const own = namespace(OWN.namespaceInode, { path: '', id: -1 })
  const links = namespaces.filter(({ id }) => id >= 0).map(({ id }) => pairTo(id))
  return { namespaces: [own, ...namespaces], links, mayEnter: true, namesPending: false, ...more }
}
