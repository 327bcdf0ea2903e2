// What spans and log records say of one connection alike: who, where, how much, how it went.
import type { ConnectionRecord, ConnectionSide } from '../aggregate/connection-record.ts'
import { type EdgeEnd, EdgeEnds } from '../aggregate/edge-end.ts'
import type { TcpSideView } from '../aggregate/flow-view.ts'
import type { Identity } from '../aggregate/identity.ts'
import { hasPorts } from '../aggregate/transport.ts'
import { Closed, ConnectionState } from '../capture/flow-batch.ts'
import { attribute, endAttributes, eventAttribute } from './attribute-names.ts'
import { AttributeSet } from './attribute-set.ts'
import { attributesOf } from './edge-attributes.ts'

/** Who opened the connection is the client. */
export interface ConnectionFacts {
  readonly record: ConnectionRecord
  readonly localIsClient: boolean
  readonly client: FactsEnd
  readonly server: FactsEnd
  /** 0: none. */
  readonly serverPort: number
  readonly transport: string
  /** What connections between these two workloads share. */
  readonly base: AttributeSet
  /** By `Failed`; undefined: it did not fail. */
  readonly failed: string | undefined
  /** `podweir.connection.end`; undefined: it did not end as far as anybody saw. */
  readonly end: string | undefined
}

export interface FactsEnd {
  readonly identity: Identity
  readonly end: EdgeEnd
  readonly address: string
  /** 0: none, or left out. */
  readonly port: number
  readonly node: string | undefined
  readonly packets: number
  readonly bytes: number
  readonly tcp: TcpSideView | undefined
  readonly began: ConnectionSide
}

const source = endAttributes('source')
const destination = endAttributes('destination')
const failures = [undefined, 'refused', 'timeout', 'unreachable', 'reset'] as const
const MOST_BASES = 16_384

export class ConnectionReader {
  readonly #clients = new EdgeEnds('client', 'pod')
  readonly #servers = new EdgeEnds('server', 'pod')
  readonly #bases = new Map<string, AttributeSet>()

  read(record: ConnectionRecord): ConnectionFacts {
    const { flow } = record
    const localIsClient = flow.client === 'local'
    const local = this.#localEnd(record, localIsClient)
    const remote = this.#remoteEnd(record, localIsClient)
    const [client, server] = localIsClient ? [local, remote] : [remote, local]
    const facts = { record, localIsClient, client, server, serverPort: server.port, transport: flow.transport }
    return { ...facts, base: this.#baseOf(facts), failed: failures[flow.failed], end: endOf(record) }
  }

  #localEnd({ flow, local }: ConnectionRecord, isClient: boolean): FactsEnd {
    const port = hasPorts(flow.protocol) ? flow.localPort : 0
    const counts = { packets: flow.fromPodPackets, bytes: flow.fromPodBytes, tcp: flow.tcp?.fromPod }
    return { ...this.#who(flow.local, isClient), address: flow.localAddress, port, ...counts, began: local }
  }

  #remoteEnd({ flow, remote }: ConnectionRecord, localIsClient: boolean): FactsEnd {
    const port = hasPorts(flow.protocol) ? flow.remotePort : 0
    const counts = { packets: flow.toPodPackets, bytes: flow.toPodBytes, tcp: flow.tcp?.toPod }
    return { ...this.#who(flow.remote, !localIsClient), address: flow.remoteAddress, port, ...counts, began: remote }
  }

  #who(identity: Identity, isClient: boolean): Pick<FactsEnd, 'identity' | 'end' | 'node'> {
    const end = (isClient ? this.#clients : this.#servers).of(identity)
    return { identity, end, node: identity.pod ? (identity.place?.node ?? identity.pod.node) : undefined }
  }

  #baseOf({
    record,
    localIsClient,
    client,
    server,
    serverPort,
    transport,
  }: Omit<ConnectionFacts, 'base' | 'failed' | 'end'>) {
    const networkType = record.flow.family === 6 ? ('ipv6' as const) : ('ipv4' as const)
    const observer = localIsClient ? ('client' as const) : ('server' as const)
    const key = [client.end.key, server.end.key, serverPort, transport, networkType, observer].join('\0')
    const known = this.#bases.get(key)
    if (known) return known
    if (this.#bases.size >= MOST_BASES) this.#bases.clear()
    const edge = { client: client.end, server: server.end, serverPort, transport, networkType, observer }
    const base = new AttributeSet(attributesOf({ ...edge, pair: -1, overflow: false }).forward)
    this.#bases.set(key, base)
    return base
  }
}

/** How it failed, and why as far as anybody knows: for people. */
export function failureText({ record, failed }: ConnectionFacts): string | undefined {
  const { cause } = record.flow
  return failed === undefined || cause === undefined ? failed : `${failed}: ${cause.replaceAll('_', ' ')}`
}

/** Attributes on their way into one object: each copy of some would be most of what a span costs. */
export type Said = Record<string, string | number>

/** Both addresses, ports and nodes. */
export function addEndpoints(said: Said, { client, server }: ConnectionFacts): void {
  said[source.address] = client.address
  if (client.port !== 0) said[eventAttribute.sourcePort] = client.port
  if (client.node !== undefined) said[eventAttribute.sourceNode] = client.node
  said[destination.address] = server.address
  if (server.port !== 0) said[eventAttribute.destinationPort] = server.port
  if (server.node !== undefined) said[eventAttribute.destinationNode] = server.node
}

export function addOutcome(said: Said, { record, client, server, failed, end }: ConnectionFacts): void {
  said[eventAttribute.requestBytes] = client.bytes
  said[eventAttribute.responseBytes] = server.bytes
  said[eventAttribute.requestPackets] = client.packets
  said[eventAttribute.responsePackets] = server.packets
  if (failed !== undefined) said[attribute.errorType] = failed
  if (record.flow.cause !== undefined) said[eventAttribute.failureCause] = record.flow.cause
  if (end !== undefined) said[attribute.connectionEnd] = end
}

/** Of TCP. What did not happen is not there. */
export function addTcp(said: Said, { record, client, server }: ConnectionFacts): void {
  const { tcp } = record.flow
  if (!tcp) return
  const add = (key: string, value: number | undefined) => {
    if (value) said[key] = value
  }
  add(eventAttribute.handshakeSeconds, tcp.handshakeSeconds)
  add(eventAttribute.acceptSeconds, tcp.acceptedSeconds)
  add(eventAttribute.requestRtt, meanRtt(client.tcp!))
  add(eventAttribute.responseRtt, meanRtt(server.tcp!))
  add(eventAttribute.requestRetransmits, client.tcp!.retransmits)
  add(eventAttribute.responseRetransmits, server.tcp!.retransmits)
  add(eventAttribute.requestOutOfOrder, client.tcp!.outOfOrder)
  add(eventAttribute.responseOutOfOrder, server.tcp!.outOfOrder)
  add(eventAttribute.requestZeroWindows, client.tcp!.zeroWindows)
  add(eventAttribute.responseZeroWindows, server.tcp!.zeroWindows)
  add(eventAttribute.requestResets, client.tcp!.resets)
  add(eventAttribute.responseResets, server.tcp!.resets)
}

function meanRtt({ rttSamples, rttSumSeconds }: TcpSideView): number | undefined {
  return rttSamples === 0 ? undefined : Math.round((rttSumSeconds / rttSamples) * 1e9) / 1e9
}

function endOf({ flow, closed }: ConnectionRecord): string | undefined {
  const localIsClient = flow.client === 'local'
  switch (flow.tcp?.state) {
    case ConnectionState.closed:
      return 'fin'
    case ConnectionState.resetByLocal:
      return localIsClient ? 'reset_by_client' : 'reset_by_server'
    case ConnectionState.resetByRemote:
      return localIsClient ? 'reset_by_server' : 'reset_by_client'
    default:
      return closed === Closed.idle ? 'idle' : undefined
  }
}
