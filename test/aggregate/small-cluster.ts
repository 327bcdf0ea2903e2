// Two pods on this node, one of another node, a Service and the world outside: enough names for a flow table.
import type { ConnectionListener } from '../../lib/aggregate/connection-record.ts'
import { COUNTS_PER_EDGE, EdgeCount } from '../../lib/aggregate/edge-counts.ts'
import { EdgeTable, type EdgeTableOptions } from '../../lib/aggregate/edge-table.ts'
import { FlowTable } from '../../lib/aggregate/flow-table.ts'
import type { Identity, InterfaceOwner, Names } from '../../lib/aggregate/identity.ts'
import { InterfaceLedger } from '../../lib/aggregate/interface-ledger.ts'
import type { OwnTraffic } from '../../lib/aggregate/own-flows.ts'
import { type AddressKey, formatKey } from '../../lib/capture/address.ts'
import type { Attachment } from '../../lib/capture/flow-source.ts'

export function podIdentity(namespace: string, name: string, workload: string, ports: string[] = []): Identity {
  const owner = { namespace, kind: 'Deployment', name: workload }
  return {
    class: 'pod',
    workload: owner,
    pod: { namespace, name, uid: `uid-${name}`, workload: owner },
    ports: new Set(ports),
  }
}

export const web = podIdentity('shop', 'web-1', 'web')
export const api = podIdentity('shop', 'api-1', 'api', ['tcp/8080', 'udp/5353'])
export const db = podIdentity('data', 'db-1', 'db', ['tcp/50051'])
export const apiService: Identity = {
  class: 'service',
  workload: { namespace: 'shop', kind: 'Deployment', name: 'api' },
  service: { namespace: 'shop', name: 'api-svc' },
  ports: new Set(['tcp/80']),
}
export const node: Identity = { class: 'node', name: 'node', ports: new Set() }
export const external: Identity = { class: 'external', name: 'external', ports: new Set() }

export class FixedNames implements Names {
  version = 1
  readonly addresses = new Map<string, Identity>([
    ['10.0.0.1', web],
    ['10.0.0.2', api],
    ['10.0.1.3', db],
    ['10.96.0.1', apiService],
    ['192.168.1.1', node],
    ['fd00::1', web],
    ['fd00::2', api],
  ])

  remote(address: AddressKey): Identity {
    return this.addresses.get(formatKey(address)) ?? external
  }
}

export const startedAtMs = 900_000

export function attachment(interfaceSlot: number, parts: Partial<Attachment> = {}): Attachment {
  return {
    interfaceSlot,
    device: 'eth0',
    place: 'pod',
    hook: 'tcx',
    attachedAtMs: 1_000_000,
    transmitCounter: 'skb',
    receiveCounter: 'skb',
    baselineExact: true,
    replacedStale: false,
    adopted: false,
    ...parts,
  }
}

/** Interface 1 is web's, interface 2 is api's. */
interface ClusterParts extends EdgeTableOptions {
  readonly flowLimit?: number
  readonly ownTraffic?: OwnTraffic
  readonly edgeIdleMs?: number
  readonly connections?: ConnectionListener
}

export function smallCluster(parts: ClusterParts = {}) {
  const names = new FixedNames()
  const owners = new Map<number, InterfaceOwner>([
    [1, { identity: web, device: 'eth0' }],
    [2, { identity: api, device: 'eth0' }],
  ])
  const owner = (interfaceSlot: number) => owners.get(interfaceSlot)
  const edges = new EdgeTable(parts)
  const ledger = new InterfaceLedger(owner)
  const { flowLimit = 64, ownTraffic, edgeIdleMs, connections } = parts
  const asked = { ...(ownTraffic && { ownTraffic }), ...(connections && { connections }) }
  const more = { ...asked, ...(edgeIdleMs !== undefined && { edgeIdleMs }) }
  const table = new FlowTable({ flowLimit, names, owner, edges, ledger, startedAtMs, ...more })
  ledger.attached(attachment(1))
  ledger.attached(attachment(2))
  return { names, owners, edges, ledger, table }
}

/** `web>api:8080/tcp client`, of edges that are there, and its first five counts: bytes and packets of both directions, opened. */
export function edgesOf(edges: EdgeTable): Record<string, number[]> {
  const entries = edges.edges.flatMap((edge, index): [string, number[]][] => {
    if (!edge) return []
    const ends = [edge.client, edge.server].map(end => end.ownerName ?? end.name).join('>')
    const counts = edges.values.subarray(index * COUNTS_PER_EDGE, index * COUNTS_PER_EDGE + EdgeCount.opened + 1)
    return [[`${ends}:${edge.serverPort}/${edge.transport} ${edge.observer}`, [...counts]]]
  })
  return Object.fromEntries(entries)
}
