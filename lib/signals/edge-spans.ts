// A pair of spans for each edge and window: a service map of any tracing backend, without a byte of the application's.
import type { Attributes } from '@opentelemetry/api'
import { EdgeCount } from '../aggregate/edge-counts.ts'
import type { Edge } from '../aggregate/edge-table.ts'
import { type EdgeWindow, WINDOW_COUNTS } from '../aggregate/edge-windows.ts'
import { attribute, eventAttribute } from './attribute-names.ts'
import { AttributeSet } from './attribute-set.ts'
import { addServerAddress, spanName } from './dialled.ts'
import { attributesOf } from './edge-attributes.ts'
import { addPeer, type Parties, type Party } from './parties.ts'
import { idsOf } from './span-ids.ts'
import type { SpanRecord } from './span-record.ts'

/** In the order of their counts. */
const causes = ['refused', 'timeout', 'unreachable', 'reset'] as const
const OVERFLOW_NAME = 'overflow'

/** What is the same in each window. */
interface Told {
  readonly client: Party
  readonly server: Party
  readonly ofClient: AttributeSet
  readonly ofServer: AttributeSet
}

export class EdgeSpans {
  readonly #parties: Parties
  readonly #origin: string
  readonly #told = new WeakMap<Edge, Told>()

  /** `origin`: which agent of which cluster tells it. Two that tell of one edge tell of two traces. */
  constructor(parties: Parties, origin: string) {
    this.#parties = parties
    this.#origin = origin
  }

  /** Those of one edge follow each other, the client's first. */
  *of(window: EdgeWindow): Generator<SpanRecord> {
    for (const [row, edge] of window.edges.entries()) yield* this.#pair(window, edge, row * WINDOW_COUNTS)
  }

  #pair({ startMs, endMs, drainedFromMs, counts }: EdgeWindow, edge: Edge, at: number): readonly SpanRecord[] {
    const { client, server, ofClient, ofServer } = this.#tell(edge)
    const { traceId, clientSpanId, serverSpanId } = idsOf('edge', this.#origin, keyOf(edge), drainedFromMs)
    const failed = causes.map((_, cause) => counts[at + EdgeCount.failedRefused + cause]!)
    const shared = {
      ...{ traceId, name: edge.overflow ? OVERFLOW_NAME : spanName(edge), startMs, endMs },
      more: new AttributeSet(countAttributes(counts, at, failed)),
      ...statusOf(failed),
    }
    return [
      { ...shared, resource: client.resource, spanId: clientSpanId, kind: 'client', base: ofClient },
      {
        ...{ ...shared, resource: server.resource, spanId: serverSpanId, parentSpanId: clientSpanId },
        ...{ kind: 'server', base: ofServer },
      },
    ]
  }

  #tell(edge: Edge): Told {
    const client = this.#parties.of(edge.overflow ? overflowEnd : edge.client)
    const server = this.#parties.of(edge.overflow ? overflowEnd : edge.server)
    const before = this.#told.get(edge)
    if (before?.client === client && before.server === server) return before
    const told = { client, server, ofClient: attributesOn(edge, server), ofServer: attributesOn(edge, client) }
    this.#told.set(edge, told)
    return told
  }
}

function attributesOn(edge: Edge, peer: Party): AttributeSet {
  const attributes: Attributes = { ...attributesOf(edge).forward, [eventAttribute.spanKind]: 'edge' }
  if (!edge.overflow) addServerAddress(attributes, edge.server)
  addPeer(attributes, peer)
  return new AttributeSet(attributes)
}

const overflowEnd = { name: OVERFLOW_NAME, key: OVERFLOW_NAME }

function keyOf({ client, server, serverPort, transport, networkType, observer, overflow }: Edge): string {
  return [client.key, server.key, serverPort, transport, networkType, observer, overflow].join('\0')
}

function countAttributes(counts: Float64Array, at: number, failed: readonly number[]): Attributes {
  const opened = counts[at + EdgeCount.opened]!
  return {
    [eventAttribute.requestBytes]: counts[at + EdgeCount.requestBytes]!,
    [eventAttribute.responseBytes]: counts[at + EdgeCount.responseBytes]!,
    [eventAttribute.requestPackets]: counts[at + EdgeCount.requestPackets]!,
    [eventAttribute.responsePackets]: counts[at + EdgeCount.responsePackets]!,
    [eventAttribute.opened]: opened,
    [eventAttribute.failed]: sumOf(failed),
    ...(opened > 0 && { [eventAttribute.sampleRatio]: 1 / opened }),
    ...(sumOf(failed) > 0 && { [attribute.errorType]: causes[failed.indexOf(Math.max(...failed))]! }),
  }
}

function statusOf(failed: readonly number[]): Pick<SpanRecord, 'status' | 'statusMessage'> {
  if (sumOf(failed) === 0) return { status: 'unset' }
  const parts = causes.flatMap((cause, i) => (failed[i]! > 0 ? [`${failed[i]} ${cause}`] : []))
  return { status: 'error', statusMessage: parts.join(', ') }
}

function sumOf(failed: readonly number[]): number {
  return failed.reduce((sum, count) => sum + count, 0)
}
