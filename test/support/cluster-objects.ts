// Objects of a cluster as the client hands them over: a test names only what it is about.
import type {
  ClusterEndpointSlice,
  ClusterNode,
  ClusterPod,
  ClusterService,
  Owner,
} from '../../lib/kubernetes/cluster-objects.ts'

/** When the agent of these tests began to listen, wall clock. */
export const HEARD_MS = 1_000_000

export function owner(kind: string, name: string, apiVersion = 'apps/v1'): Owner {
  return { apiVersion, kind, name, uid: `uid-of-${kind}-${name}` }
}

/** A pod of a Deployment: `shop/web-5d4-a` of `web`. */
export function clusterPod(parts: Partial<ClusterPod> & { name: string }): ClusterPod {
  return {
    uid: `uid-${parts.name}`,
    namespace: 'shop',
    node: 'n1',
    addresses: [],
    hostNetwork: false,
    isRunning: true,
    isReady: true,
    createdMs: HEARD_MS - 60_000,
    ports: [],
    hostPorts: [],
    labels: {},
    annotations: {},
    ...parts,
  }
}

/** The owner and hash of a Deployment's pods, by its name. */
export function ofDeployment(name: string, hash = '5d4'): Pick<ClusterPod, 'owner' | 'templateHash'> {
  return { owner: owner('ReplicaSet', `${name}-${hash}`), templateHash: hash }
}

export function clusterService(parts: Partial<ClusterService> & { name: string }): ClusterService {
  return { uid: `uid-service-${parts.name}`, namespace: 'shop', addresses: [], ports: [], ...parts }
}

export function tcpPort(port: number, nodePort = 0): ClusterService['ports'][number] {
  return { port, protocol: 'tcp', nodePort, target: port }
}

export function clusterSlice(
  parts: Partial<ClusterEndpointSlice> & { service: string; pods?: readonly string[] },
): ClusterEndpointSlice {
  const { service, pods = [], ...rest } = parts
  return {
    uid: `uid-slice-${service}`,
    namespace: 'shop',
    name: `${service}-x`,
    service,
    ports: [],
    endpoints: pods.map(name => ({ addresses: [], isReady: true, podUid: `uid-${name}` })),
    ...rest,
  }
}

export function clusterNode(parts: Partial<ClusterNode> & { name: string }): ClusterNode {
  return { uid: `uid-node-${parts.name}`, namespace: '', addresses: [], podCidrs: [], ...parts }
}
