// A cluster of many pods, as a client parses it: no two objects share a text.
import type { ClusterListener, ClusterPod } from '../../lib/kubernetes/cluster-objects.ts'
import { clusterNode, clusterPod, clusterService, clusterSlice, HEARD_MS, owner, tcpPort } from './cluster-objects.ts'

const PODS_PER_SERVICE = 10
const PODS_PER_NODE = 100

export function podAddress(i: number): string {
  return `10.${128 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`
}

export function serviceAddress(i: number): string {
  return `10.96.${i >> 8}.${i & 255}`
}

function podUid(i: number): string {
  return `${i.toString(16).padStart(8, '0')}-1111-4222-8333-444444444444`
}

function podOf(i: number): ClusterPod {
  const service = Math.floor(i / PODS_PER_SERVICE)
  const hash = (0x5d4c0000 + service).toString(36)
  return clusterPod({
    uid: podUid(i),
    name: `workload-${service}-${hash}-${(i + 100_000).toString(36).padStart(5, 'x')}`,
    namespace: `namespace-${service % 100}`,
    node: `ip-10-0-${Math.floor(i / PODS_PER_NODE)}.example.internal`,
    addresses: [podAddress(i)],
    owner: owner('ReplicaSet', `workload-${service}-${hash}`),
    templateHash: hash,
    ports: ['tcp/8080', 'tcp/9090'],
  })
}

/** Tells of nodes, pods, Services and their endpoints: one Service for each ten pods. */
export function tellLargeCluster(listener: ClusterListener, podCount: number): void {
  const tell = <R extends Parameters<ClusterListener['changed']>[0]>(resource: R, object: object) =>
    listener.changed(resource, JSON.parse(JSON.stringify(object)), HEARD_MS)
  for (let i = 0; i < podCount / PODS_PER_NODE; i++)
    tell(
      'nodes',
      clusterNode({
        name: `ip-10-0-${i}.example.internal`,
        addresses: [`172.20.${i >> 8}.${i & 255}`],
        podCidrs: [`10.${192 + (i >> 8)}.${i & 255}.0/24`],
        zone: `zone-${i % 3}`,
        region: 'region-1',
      }),
    )
  for (let i = 0; i < podCount; i++) tell('pods', podOf(i))
  for (let i = 0; i < podCount / PODS_PER_SERVICE; i++) {
    const parts = { name: `service-${i}`, namespace: `namespace-${i % 100}` }
    tell(
      'services',
      clusterService({ ...parts, uid: `service-uid-${i}`, addresses: [serviceAddress(i)], ports: [tcpPort(80)] }),
    )
    const endpoints = Array.from({ length: PODS_PER_SERVICE }, (_, pod) => {
      const number = i * PODS_PER_SERVICE + pod
      return { addresses: [podAddress(number)], isReady: true, podUid: podUid(number) }
    })
    const slice = {
      uid: `slice-uid-${i}`,
      service: parts.name,
      namespace: parts.namespace,
      endpoints,
      ports: ['tcp/8080'],
    }
    tell('endpointslices', clusterSlice(slice))
  }
}
