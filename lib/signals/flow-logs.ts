// A log record of each flow that failed, or of every flow when it is over.
import type { ConnectionRecord, Glimpse } from '../aggregate/connection-record.ts'
import { Protocol } from '../aggregate/transport.ts'
import { FlowFlag } from '../capture/flow-batch.ts'
import { eventAttribute } from './attribute-names.ts'
import { AttributeSet } from './attribute-set.ts'
import { communityId, echoType, icmpPorts } from './community-id.ts'
import { addEndpoints, addOutcome, addTcp, type ConnectionFacts, failureText, type Said } from './connection-facts.ts'
import { spanName } from './dialled.ts'
import type { LogRecord } from './log-record.ts'
import { netflowRecords } from './netflow-profile.ts'
import type { Parties } from './parties.ts'

export const FLOW_EVENT = 'podweir.network.flow'

export interface FlowLogsParts {
  readonly parties: Parties
  readonly flows: 'failed' | 'all' | 'off'
  readonly profile: 'default' | 'netflow'
}

/** Ids of a span that tells of the same. */
export type SpanOfRecord = { readonly traceId: string; readonly spanId: string } | undefined

export class FlowLogs {
  readonly #parts: FlowLogsParts
  #sequence = 0

  constructor(parts: FlowLogsParts) {
    this.#parts = parts
  }

  /** How many records there are of it. What the other end's observer counts, it tells. */
  wants({ occasion, exported, directions }: Glimpse): number {
    const { flows, profile } = this.#parts
    if (flows === 'off' || !exported || occasion !== (flows === 'all' ? 'left' : 'failed')) return 0
    return profile === 'netflow' ? directions : 1
  }

  recordsOf(facts: ConnectionFacts, observedMs: number, span: SpanOfRecord): LogRecord[] {
    const [local] = facts.localIsClient ? [facts.client] : [facts.server]
    const shared = {
      ...{ resource: this.#parts.parties.of(local.end, local.node).resource, eventName: FLOW_EVENT, observedMs },
      severity: facts.failed === undefined ? ('INFO' as const) : ('WARN' as const),
      ...(span && { traceId: span.traceId, spanId: span.spanId }),
    }
    if (this.#parts.profile === 'netflow') return netflowRecords(facts, shared, () => ++this.#sequence)
    const said: Said = {}
    addEndpoints(said, facts)
    addOutcome(said, facts)
    said[eventAttribute.flowStart] = timeText(facts.record.beganMs)
    said[eventAttribute.flowEnd] = timeText(facts.record.endedMs)
    if (!facts.record.flow.collapsed) said[eventAttribute.communityId] = communityIdOf(facts)
    addTcp(said, facts)
    const more = new AttributeSet(said)
    return [{ ...shared, timeMs: facts.record.endedMs, body: bodyOf(facts), base: facts.base, more }]
  }
}

/** For who reads records one by one. */
function bodyOf(facts: ConnectionFacts): string {
  const { client, server, end } = facts
  const { namespace, service, ownerName, name } = client.end
  const from = ownerName ?? service ?? name ?? namespace ?? 'unknown'
  const how = failureText(facts) ?? end
  return `${from} > ${spanName({ ...facts, server: server.end })}${how === undefined ? '' : ` ${how}`}`
}

function communityIdOf({ record, client, server }: ConnectionFacts): string {
  const [sourcePort, destinationPort] = portsOf(record)
  const addresses = { sourceAddress: client.address, destinationAddress: server.address }
  return communityId({ protocol: record.flow.protocol, ...addresses, sourcePort, destinationPort })
}

/** The client's first. */
function portsOf({ flow }: ConnectionRecord): [number, number] {
  const { protocol, localPort, remotePort } = flow
  if (protocol !== Protocol.icmp && protocol !== Protocol.icmp6)
    return flow.client === 'local' ? [localPort, remotePort] : [remotePort, localPort]
  if ((flow.flags & FlowFlag.icmpType) === 0) return icmpPorts(protocol, echoType(protocol), 0)
  return icmpPorts(protocol, localPort >> 8, localPort & 255)
}

function timeText(ms: number): string {
  return new Date(ms).toISOString()
}
