// Flows of the table as the records of the agent's socket.
import type { FlowView } from '../aggregate/flow-view.ts'
import type { Identity } from '../aggregate/identity.ts'
import type { OpenerBasis } from '../aggregate/opener.ts'
import { hasPorts } from '../aggregate/transport.ts'
import { Confidence } from '../capture/flow-batch.ts'
import { problemsOf } from './flow-problems.ts'
import type { End, FlowRecord } from './flow-record.ts'
import { tcpRecord } from './tcp-records.ts'

export function flowRecord(flow: FlowView): FlowRecord {
  const localIsClient = flow.client === 'local'
  const ports = hasPorts(flow.protocol)
  const local = endRecord(flow.local, flow.localAddress, ports ? flow.localPort : 0)
  const failed = failures[flow.failed]
  const remote = endRecord(flow.remote, flow.remoteAddress, ports ? flow.remotePort : 0)
  const record = {
    time: new Date(flow.lastMs).toISOString(),
    start: new Date(flow.startMs).toISOString(),
    source: localIsClient ? local : remote,
    destination: localIsClient ? remote : local,
    transport: flow.transport,
    type: flow.family === 6 ? 'ipv6' : 'ipv4',
    observer: localIsClient ? 'client' : 'server',
    counted: flow.exported,
    requestPackets: localIsClient ? flow.fromPodPackets : flow.toPodPackets,
    requestBytes: localIsClient ? flow.fromPodBytes : flow.toPodBytes,
    responsePackets: localIsClient ? flow.toPodPackets : flow.fromPodPackets,
    responseBytes: localIsClient ? flow.toPodBytes : flow.fromPodBytes,
    opened: flow.opened,
    state: flow.life === 'live' ? 'active' : flow.life,
    ...(flow.tcp && { tcp: tcpRecord(flow.tcp, localIsClient) }),
    ...(failed !== undefined && { failed }),
    ...(failed !== undefined && flow.cause !== undefined && { cause: flow.cause }),
    ...(flow.collapsed && { collapsed: true }),
    interface: flow.device ?? '',
    confidence: confidenceOf(flow.clientBasis, flow.confidence),
  } as const
  return { ...record, problems: problemsOf(record) }
}

/** By `Failed`. */
const failures = [undefined, 'refused', 'timeout', 'unreachable', 'reset'] as const

function endRecord(identity: Identity, address: string, port: number): End {
  const workload = identity.workload ?? identity.pod?.workload
  const namespace = identity.pod?.namespace ?? workload?.namespace ?? identity.service?.namespace
  const isKubernetes = workload !== undefined || identity.service !== undefined
  return {
    ...(namespace !== undefined && { namespace }),
    ...(workload && { workload: workload.name, kind: workload.kind }),
    ...(identity.pod && { pod: identity.pod.name }),
    ...(!isKubernetes && { name: identity.name ?? identity.class }),
    ...(identity.service && { service: identity.service.name }),
    ...placeOf(identity),
    ...(identity.pod?.labels && { labels: identity.pod.labels }),
    address,
    port,
  }
}

function placeOf({ place, pod }: Identity): Pick<End, 'node' | 'zone'> {
  const node = pod?.node ?? place?.node
  return { ...(node !== undefined && { node }), ...(place?.zone !== undefined && { zone: place.zone }) }
}

function confidenceOf(basis: OpenerBasis, confidence: number): FlowRecord['confidence'] {
  if (basis === 'handshake') return 'handshake'
  return confidence === Confidence.resumed ? 'resumed' : 'first_packet'
}
