// What it costs to encode metrics, beside OpenTelemetry's own serializer with the same points.
import { ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer'
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { EdgeTable } from '../lib/aggregate/edge-table.ts'
import type { Identity } from '../lib/aggregate/identity.ts'
import { defaultMetricForm } from '../lib/config/metric-form.ts'
import { LARGEST_REQUEST } from '../lib/encode/encoded-request.ts'
import { MetricProtobufEncoder } from '../lib/encode/metric-protobuf.ts'
import { systemClock } from '../lib/host/clock.ts'
import type { Collection } from '../lib/signals/collection.ts'
import { EdgeSeries } from '../lib/signals/edge-series.ts'
import { SdkSink } from '../lib/signals/sdk-sink.ts'
import { SeriesWriter } from '../lib/signals/series.ts'
import { SharedSets } from '../lib/signals/shared-sets.ts'
import { scope } from '../test/support/event-records.ts'

export const POINTS = 100_000
/** Of TCP, with detail `basic`. */
const POINTS_OF_EDGE = 11
const WORKLOADS = 200
const START_MS = 1_763_730_000_000

/** Each point of 460 bytes: names as clusters have them, eleven attributes. */
function workload(i: number): Identity {
  const namespace = `namespace-${i % 20}`
  return { class: 'pod', workload: { namespace, kind: 'Deployment', name: `workload-${i}-backend` }, ports: new Set() }
}

function busyEdges(): EdgeTable {
  const table = new EdgeTable({ seriesLimit: 2 * POINTS })
  table.startsAt(START_MS)
  const ends = Array.from({ length: WORKLOADS }, (_, i) => workload(i))
  for (let i = 0; i * POINTS_OF_EDGE < POINTS; i++) {
    const [client, server] = [ends[i % WORKLOADS]!, ends[(7 * i + 3) % WORKLOADS]!]
    const edge = table.edgeFor({
      client,
      server,
      serverPort: 1024 + i,
      transport: 'tcp',
      family: 4,
      observer: 'client',
    })
    table.add(edge, 1000 + i, 1e6 + i, 2000 + i, 2e9 + i)
  }
  return table
}

/** All series of all edges, none of them for the first time. */
function collected(): Collection {
  const sets = new SharedSets({ 'service.name': 'podweir' }, { 'k8s.cluster.name': 'production' })
  const writer = new SeriesWriter({ form: defaultMetricForm, clock: systemClock, sinceMs: Infinity })
  const series = new EdgeSeries(busyEdges(), () => new Float64Array(0), sets, writer, undefined)
  return writer.collect(() => series.write())
}

/** Requests of 3 MiB, as the agent makes them: what an edge is was encoded in the first round and is kept. */
function encode(collection: Collection, encoder: MetricProtobufEncoder): number {
  let [bytes, points] = [0, 0]
  for (let from = 0; from < collection.length; ) {
    from = collection.write(encoder, from, () => encoder.bytes >= LARGEST_REQUEST)
    const { body, items } = encoder.finish()
    bytes += body.length
    points += items
  }
  if (points < POINTS) throw new Error(`${points} points instead of ${POINTS}`)
  return bytes
}

export function metricEncoders(): { ours: () => number; official: () => number } {
  const collection = collected()
  const sink = new SdkSink()
  collection.writeAll(sink)
  const [sdkMetrics] = sink.take(scope) as [ResourceMetrics]
  const encoder = new MetricProtobufEncoder(scope, defaultMetricForm)
  return {
    ours: () => encode(collection, encoder),
    official: () => ProtobufMetricsSerializer.serializeRequest(sdkMetrics)!.length,
  }
}
