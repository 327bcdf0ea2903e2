// Spans to be encoded, by us and by OpenTelemetry's own serializer.
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer'
import { SpanProtobufEncoder } from '../lib/encode/span-protobuf.ts'
import { AttributeSet } from '../lib/signals/attribute-set.ts'
import type { SpanRecord } from '../lib/signals/span-record.ts'
import { hex, scope, sdkSpan, signalResource, spanRecord } from '../test/support/event-records.ts'

export const SPANS = 10_000
/** What a busy node has: half as many edges as spans, each with both its ends. */
const RESOURCES = 200

const resources = Array.from({ length: RESOURCES }, (_, i) =>
  signalResource({
    'service.name': `workload-${i} (net)`,
    'service.namespace': `namespace-${i % 20}`,
    'k8s.cluster.name': 'production',
    'k8s.deployment.name': `workload-${i}`,
  }),
)

function edgeSpans(edge: number): SpanRecord[] {
  const base = new AttributeSet({
    'source.k8s.namespace.name': `namespace-${edge % 20}`,
    'source.k8s.owner.name': `workload-${edge % RESOURCES}`,
    'source.k8s.owner.type': 'Deployment',
    'destination.k8s.namespace.name': `namespace-${(edge * 7) % 20}`,
    'destination.k8s.owner.name': `workload-${(edge * 7) % RESOURCES}`,
    'destination.k8s.owner.type': 'Deployment',
    'server.port': 8080,
    'network.transport': 'tcp',
    'network.type': 'ipv4',
    'podweir.observer': 'client',
    'podweir.span.kind': 'edge',
    'server.address': `workload-${(edge * 7) % RESOURCES}`,
    'service.peer.name': `workload-${(edge * 7) % RESOURCES} (net)`,
    'peer.service': `workload-${(edge * 7) % RESOURCES} (net)`,
  })
  const more = new AttributeSet({
    'podweir.flow.bytes.request': edge * 1000,
    'podweir.flow.bytes.response': edge * 10_000,
    'podweir.connection.opened': edge % 10,
    'podweir.connection.failed': 0,
  })
  const [client, server] = [hex(2 * edge + 1, 16), hex(2 * edge + 2, 16)]
  const shared = { traceId: hex(edge + 1, 32), name: `tcp workload-${edge % RESOURCES}:8080`, base, more }
  return [
    spanRecord(edge, { ...shared, resource: resources[edge % RESOURCES]!, spanId: client }),
    spanRecord(edge, {
      ...shared,
      ...{ resource: resources[(edge * 7) % RESOURCES]!, spanId: server, parentSpanId: client, kind: 'server' },
    }),
  ]
}

/** What an edge is was encoded in the first round and is kept, as it is in the agent; a window's own figures are not. */
export function spanEncoders(): { ours: () => number; official: () => number } {
  const spans = Array.from({ length: SPANS / 2 }, (_, edge) => edgeSpans(edge)).flat()
  const sdkSpans = spans.map(sdkSpan)
  const encoder = new SpanProtobufEncoder(scope)
  return {
    ours: () => encoder.encode(spans).reduce((sum, { body }) => sum + body.length, 0),
    official: () => ProtobufTraceSerializer.serializeRequest(sdkSpans)!.length,
  }
}
