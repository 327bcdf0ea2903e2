// A span for a connection on each side that sees it. By initial sequence numbers, which no NAT changes, both are of one trace.
import type { Attributes } from '@opentelemetry/api'
import type { Glimpse } from '../aggregate/connection-record.ts'
import { Retired } from '../capture/flow-batch.ts'
import { attribute, eventAttribute } from './attribute-names.ts'
import { AttributeSet } from './attribute-set.ts'
import {
  addEndpoints,
  addOutcome,
  addTcp,
  type ConnectionFacts,
  type FactsEnd,
  failureText,
  type Said,
} from './connection-facts.ts'
import { ALWAYS_TAKEN, ConsistentSampling } from './consistent-sampling.ts'
import { addServerAddress, spanName } from './dialled.ts'
import { addPeer, type Parties } from './parties.ts'
import { idsOf, type SpanIds } from './span-ids.ts'
import type { SpanEvent, SpanRecord } from './span-record.ts'

export interface ConnectionSpansParts {
  readonly parties: Parties
  /** The failed ones are among all of these but `off`. */
  readonly connections: 'failed' | 'slow' | 'sampled' | 'all' | 'off'
  readonly slowThresholdMs: number
  readonly sampleRatio: number
  /** Which agent of which cluster tells it: for what can't be joined. */
  readonly origin: string
}

export interface JoinedIds extends SpanIds {
  /** The other side's span, if there is one, has the ids that follow from the same numbers. */
  readonly isJoined: boolean
}

export class ConnectionSpans {
  readonly #parts: ConnectionSpansParts
  readonly #sampling: ConsistentSampling

  constructor(parts: ConnectionSpansParts) {
    this.#parts = parts
    this.#sampling = new ConsistentSampling(parts.sampleRatio)
  }

  /** Whether there may be a span for it. */
  wants(glimpse: Glimpse): boolean {
    const { connections } = this.#parts
    if (connections === 'off' || !glimpse.included) return false
    if (glimpse.occasion === 'failed') return true
    // What has left the table without an end: its interface went away, or it was silent for hours.
    if (glimpse.occasion === 'left' && glimpse.toldBefore) return false
    return connections === 'slow' ? this.#isSlow(glimpse.handshakeSeconds) : connections !== 'failed'
  }

  /** `ids`: as `idsOf` gave them. */
  spanOf(facts: ConnectionFacts, ids: JoinedIds): SpanRecord {
    const { record, client, server, localIsClient, base } = facts
    const [local, remote] = localIsClient ? [client, server] : [server, client]
    // Nobody of ours is at an external client.
    const hasParent = ids.isJoined && !localIsClient && client.identity.class !== 'external'
    const isFailed = record.occasion === 'failed'
    return {
      ...{ resource: this.#parts.parties.of(local.end, local.node).resource, traceId: ids.traceId },
      spanId: localIsClient ? ids.clientSpanId : ids.serverSpanId,
      ...(hasParent && { parentSpanId: ids.clientSpanId }),
      ...(this.#parts.connections === 'sampled' && {
        traceState: isFailed ? ALWAYS_TAKEN : this.#sampling.traceState,
      }),
      ...{ name: spanName({ ...facts, server: server.end }), kind: localIsClient ? 'client' : 'server', base },
      startMs: Math.min(record.beganMs, record.endedMs),
      endMs: record.endedMs,
      more: new AttributeSet(this.#attributes(facts, remote, ids)),
      events: eventsOf(facts),
      ...(isFailed ? { status: 'error', statusMessage: failureText(facts) ?? '' } : { status: 'unset' }),
    }
  }

  #attributes(facts: ConnectionFacts, remote: FactsEnd, { isJoined }: JoinedIds): Said {
    const said: Said = { [eventAttribute.spanKind]: 'connection' }
    if (!isJoined) said[eventAttribute.traceJoin] = 'single'
    addServerAddress(said, facts.server.end, facts.server.address)
    addPeer(said, this.#parts.parties.of(remote.end, remote.node))
    addEndpoints(said, facts)
    addOutcome(said, facts)
    addTcp(said, facts)
    return said
  }

  /** Those of its span, also of one that was told on another occasion; undefined: it has none. */
  idsOf(facts: ConnectionFacts): JoinedIds | undefined {
    const { connections } = this.#parts
    const { record, failed, end } = facts
    const { occasion, flow, retired } = record
    const isConnection = occasion !== 'left' || end !== undefined || failed !== undefined || flow.tcp !== undefined
    if (!isConnection || (occasion === 'left' && retired === Retired.parked)) return undefined
    if (occasion === 'failed' || (failed !== undefined && end === undefined)) return this.#all(facts)
    if (connections === 'failed') return undefined
    if (connections === 'slow' && !this.#isSlow(flow.tcp?.handshakeSeconds ?? 0)) return undefined
    const ids = this.#all(facts)
    return connections !== 'sampled' || this.#sampling.takes(ids.traceId) ? ids : undefined
  }

  #all(facts: ConnectionFacts): JoinedIds {
    const { record, client, server, serverPort, transport, failed, end } = facts
    const { flow } = record
    // What failed and was answered after all is told twice, and can't be the same span.
    const isSecond = failed !== undefined && end !== undefined
    const [clientStart, serverStart] = [client.began.sequence, server.began.sequence]
    if (clientStart !== undefined && serverStart !== undefined && !isSecond)
      return { ...idsOf('connection', transport, clientStart, serverStart), isJoined: true }
    const place = [this.#parts.origin, flow.interfaceSlot, client.address, client.port, server.address, server.port]
    const own = idsOf('single', ...place, flow.startMs, isSecond ? 2 : 1)
    if (clientStart === undefined || isSecond) return { ...own, isJoined: false }
    const { traceId } = idsOf('attempt', transport, clientStart, serverPort)
    return { ...own, traceId, isJoined: false }
  }

  #isSlow(handshakeSeconds: number): boolean {
    return handshakeSeconds * 1000 > this.#parts.slowThresholdMs
  }
}

function eventsOf(facts: ConnectionFacts): SpanEvent[] {
  const { record, localIsClient, client, server, end } = facts
  const { beganMs, endedMs, retransmissions } = record
  const { handshakeSeconds, acceptedSeconds } = record.flow.tcp ?? {}
  const within = (timeMs: number) => Math.min(Math.max(timeMs, Math.min(beganMs, endedMs)), endedMs)
  const events: SpanEvent[] = []
  const add = (name: string, timeMs: number, attributes?: Attributes) =>
    events.push({ name, timeMs: within(timeMs), ...(attributes && { attributes: new AttributeSet(attributes) }) })
  if (handshakeSeconds !== undefined) {
    const accepted = acceptedSeconds === undefined ? {} : { [eventAttribute.acceptSeconds]: acceptedSeconds }
    const tookMs = (handshakeSeconds + (acceptedSeconds ?? 0)) * 1000
    add('handshake', beganMs + tookMs, { [eventAttribute.handshakeSeconds]: handshakeSeconds, ...accepted })
  }
  for (const [{ began }, from] of [
    [client, 'request'],
    [server, 'response'],
  ] as const)
    if (began.firstDataAtMs !== undefined) add('first_data', began.firstDataAtMs, { [attribute.flowDirection]: from })
  for (const { drainedAtMs, senderIsLocal, packets } of retransmissions) {
    const from = senderIsLocal === localIsClient ? 'request' : 'response'
    add('retransmit', drainedAtMs, { [attribute.flowDirection]: from, [eventAttribute.retransmits]: packets })
  }
  const resetBy = resetterOf(facts)
  if (resetBy) add('reset', endedMs, { [attribute.flowDirection]: resetBy })
  else if (end !== undefined) add('close', endedMs, { [attribute.connectionEnd]: end })
  return events.sort((a, b) => a.timeMs - b.timeMs)
}

/** Whose RST it was; undefined: it did not end by one. */
function resetterOf({ failed, end, server }: ConnectionFacts): 'request' | 'response' | undefined {
  if (end === 'reset_by_client') return 'request'
  if (end === 'reset_by_server') return 'response'
  if (end !== undefined || !server.tcp || (failed !== 'refused' && failed !== 'reset')) return undefined
  return server.tcp.resets > 0 ? 'response' : 'request'
}
