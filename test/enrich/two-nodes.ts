// A cluster of two nodes with an agent each: web and api on the first, db on the second, and Services in front of them.
import { EdgeTable } from '../../lib/aggregate/edge-table.ts'
import { FlowTable } from '../../lib/aggregate/flow-table.ts'
import type { InterfaceOwner, Names } from '../../lib/aggregate/identity.ts'
import { InterfaceLedger } from '../../lib/aggregate/interface-ledger.ts'
import { Opener } from '../../lib/capture/flow-batch.ts'
import { parseInventory } from '../../lib/config/inventory.ts'
import { ClusterNames } from '../../lib/enrich/cluster-names.ts'
import { ClusterState, type ClusterStateParts } from '../../lib/enrich/cluster-state.ts'
import type { KnownSince } from '../../lib/enrich/failure-causes.ts'
import { InventoryNames } from '../../lib/enrich/inventory-names.ts'
import type { PodScope } from '../../lib/enrich/pod-scope.ts'
import type { ClusterListener } from '../../lib/kubernetes/cluster-objects.ts'
import { attachment, edgesOf } from '../aggregate/small-cluster.ts'
import {
  clusterNode,
  clusterPod,
  clusterService,
  clusterSlice,
  HEARD_MS,
  ofDeployment,
  owner,
  tcpPort,
} from '../support/cluster-objects.ts'
import { flowBatch, type StartedRow } from '../support/flow-batch.ts'

export const pods = {
  web: clusterPod({ name: 'web-1', addresses: ['10.1.0.11', 'fd00:1::11'], ...ofDeployment('web') }),
  api: clusterPod({ name: 'api-1', addresses: ['10.1.0.12'], ports: ['tcp/8080'], ...ofDeployment('api') }),
  db: clusterPod({
    ...{ name: 'db-0', namespace: 'data', node: 'n2', addresses: ['10.2.0.13'], ports: ['tcp/50051'] },
    owner: owner('StatefulSet', 'db'),
  }),
  proxy: clusterPod({ name: 'ingress-1', node: 'n2', addresses: ['192.168.1.2'], hostNetwork: true }),
}

const nodes = [
  clusterNode({
    name: 'n1',
    addresses: ['192.168.1.1'],
    podCidrs: ['10.1.0.0/24', 'fd00:1::/64'],
    zone: 'a',
    region: 'r',
  }),
  clusterNode({ name: 'n2', addresses: ['192.168.1.2'], podCidrs: ['10.2.0.0/24'], zone: 'b', region: 'r' }),
]

const services = [
  clusterService({ name: 'api-svc', addresses: ['10.96.0.1', '203.0.113.80'], ports: [tcpPort(80, 30_080)] }),
  clusterService({ name: 'db-svc', namespace: 'data', addresses: ['10.96.0.2'], ports: [tcpPort(5432, 30_432)] }),
  clusterService({ name: 'outside', addresses: ['10.96.0.3'], ports: [tcpPort(443)] }),
]

const slices = [
  clusterSlice({ service: 'api-svc', pods: ['api-1'], ports: ['tcp/8080'] }),
  clusterSlice({ service: 'db-svc', namespace: 'data', pods: ['db-0'], ports: ['tcp/5432'] }),
  clusterSlice({ service: 'outside', ports: ['tcp/443'], endpoints: [{ addresses: ['198.51.100.7'], isReady: true }] }),
]

const INVENTORY = `cidrs:
  - { name: partner, cidr: 203.0.113.0/24, class: external }
  - { name: other-cluster, cidr: 10.9.0.0/16, class: external }
`

export function tellAll(listener: ClusterListener, atMs = HEARD_MS): void {
  for (const each of nodes) listener.changed('nodes', each, atMs)
  for (const each of Object.values(pods)) listener.changed('pods', each, atMs)
  for (const each of services) listener.changed('services', each, atMs)
  for (const each of slices) listener.changed('endpointslices', each, atMs)
}

/** Names on a node, before anything is known of the cluster. */
export function namesOf(
  parts: Partial<ClusterStateParts> = {},
  inventory = INVENTORY,
  knownSince?: KnownSince,
): ClusterNames {
  const ownAddresses = ['192.168.1.1', '10.1.0.1']
  return new ClusterNames({
    ...(knownSince && { knownSince }),
    inventory: new InventoryNames(parseInventory(inventory, 'i.yaml'), ownAddresses, parts.scope as PodScope),
    view: onChange => new ClusterState({ peers: 'watch', nodeName: 'n1', ...parts, onChange }),
  })
}

/** An agent whose interfaces are those of `uids`, from slot 1 on. `remotes`: who names the other ends. */
export function agent(
  names: ClusterNames,
  uids: readonly string[],
  zones: 'on' | 'off' = 'off',
  remotes: Names = names,
) {
  const owner = (slot: number): InterfaceOwner | undefined => {
    const uid = uids[slot - 1]
    return uid === undefined ? undefined : { identity: names.pod(uid), device: 'eth0' }
  }
  const edges = new EdgeTable({ zones })
  const ledger = new InterfaceLedger(owner)
  const table = new FlowTable({ flowLimit: 256, names: remotes, owner, edges, ledger, startedAtMs: HEARD_MS - 1000 })
  for (const [i] of uids.entries()) ledger.attached(attachment(i + 1))
  let sequence = 0
  /** Flows that start, 100 bytes from the pod and 10 to it each; what the table says of its edges then. */
  const see = (...rows: StartedRow[]) => {
    sequence++
    const started = rows.map((row, i) => ({ slot: i + 1, generation: sequence, startMs: HEARD_MS + 500, ...row }))
    const counted = { fromPodPackets: 1, fromPodBytes: 100, toPodPackets: 1, toPodBytes: 10 }
    const flows = started.map(({ slot, generation }) => ({ slot, generation, ...counted, ended: true }))
    table.apply(flowBatch({ sequence, started, flows, readAtMs: HEARD_MS + sequence * 1000 }))
    return edgesOf(edges)
  }
  return { names, edges, ledger, table, see }
}

export const fromOutside = { opener: Opener.remote, localPort: 8080, remotePort: 40_000 }

/** Both agents of a cluster of which everything is known. */
export function twoNodes(parts: Partial<ClusterStateParts> = {}, zones: 'on' | 'off' = 'off') {
  const here = namesOf(parts)
  const there = namesOf({ ...parts, nodeName: 'n2' })
  for (const names of [here, there]) tellAll(names)
  return {
    first: agent(here, [pods.web.uid, pods.api.uid], zones),
    second: agent(there, [pods.db.uid], zones),
  }
}
