// What the real span_metrics connector makes of an application's spans, with ours beside them and without.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, before, beforeEach, describe, it } from 'mocha'
import { Closed, ConnectionState, Failed } from '../../lib/capture/flow-batch.ts'
import { SpanProtobufEncoder } from '../../lib/encode/span-protobuf.ts'
import { AttributeSet } from '../../lib/signals/attribute-set.ts'
import type { SpanRecord } from '../../lib/signals/span-record.ts'
import { ToldEvents } from '../signals/told-events.ts'
import { attributeRecord, type OtlpAttribute } from '../support/collected-otlp.ts'
import { type Collector, prepareCollector, startCollector } from '../support/collector.ts'
import { scope, spanRecord } from '../support/event-records.ts'
import { until } from '../support/until.ts'

/** The line of docs/traces.md. */
const FILTER = /^processors: (\{ filter\/podweir: .*\}) +# in front of span_metrics$/m.exec(
  readFileSync(new URL('../../docs/traces.md', import.meta.url), 'utf8'),
)![1]!

const config = (processors: string) => `
receivers: { otlp: { protocols: { http: { endpoint: "\${env:HOST}:\${env:HTTP_PORT}" } } } }
processors: ${FILTER}
connectors: { span_metrics: { metrics_flush_interval: 200ms } }
exporters: { file: { path: "\${env:OUT}", append: true, flush_interval: 100ms } }
service:
  telemetry: { metrics: { level: none } }
  pipelines:
    traces: { receivers: [otlp], processors: [${processors}], exporters: [span_metrics] }
    metrics: { receivers: [span_metrics], exporters: [file] }
`

/** Of the application: a service that is called as one of ours would be without the suffix. */
function applicationSpans(nowMs: number): SpanRecord[] {
  const resource = { set: new AttributeSet({ 'service.name': 'web' }) }
  return Array.from({ length: 20 }, (_, i) =>
    spanRecord(i, {
      resource,
      startMs: nowMs - 1000,
      endMs: nowMs - 1000 + i * 7,
      ...(i % 5 === 0 && { status: 'error' as const }),
    }),
  )
}

/** Edges and connections of every kind. */
function ourSpans(): SpanRecord[] {
  const events = new ToldEvents({ traces: { edges: true }, suffix: '' })
  const over = { state: ConnectionState.closed, closed: Closed.fin, opened: 1 }
  events.drain({
    started: [{}, { slot: 8 }],
    flows: [over, { slot: 8, state: ConnectionState.refused, failed: Failed.refused }],
  })
  return events.finish().spans
}

describe('the span_metrics connector', function () {
  this.timeout(60_000)
  let folder: string
  let collector: Collector | undefined

  before('build the Collector, once', async function () {
    this.timeout('15m')
    const building = mkdtempSync(join(tmpdir(), 'podweir-span-metrics-'))
    await prepareCollector({ folder: building })
    rmSync(building, { recursive: true })
  })
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'podweir-span-metrics-'))
  })
  afterEach(async () => {
    await collector?.stop()
    collector = undefined
    rmSync(folder, { recursive: true })
  })

  /** Each series of calls and durations, with its last value. */
  async function seriesOf(spans: readonly SpanRecord[], processors: string): Promise<Record<string, unknown>> {
    rmSync(join(folder, 'otlp.jsonl'), { force: true })
    collector = await startCollector({ folder, config: config(processors) })
    for (const { body } of new SpanProtobufEncoder(scope).encode(spans)) {
      const headers = { 'content-type': 'application/x-protobuf' }
      const response = await fetch(`${collector.httpEndpoint}/v1/traces`, { method: 'POST', headers, body })
      assert.equal(response.status, 200, await response.text())
    }
    await until('span metrics', () => collector!.requests().length > 2)
    await collector.stop()
    const series: Record<string, unknown> = {}
    for (const { resourceMetrics } of collector.requests())
      for (const { resource, scopeMetrics } of resourceMetrics)
        for (const { name, sum, ...rest } of scopeMetrics.flatMap(({ metrics }) => metrics)) {
          const { histogram } = rest as { histogram?: { dataPoints: Point[] } }
          for (const point of (sum?.dataPoints ?? histogram?.dataPoints ?? []) as Point[])
            series[JSON.stringify([name, attributeRecord(resource.attributes), ofPoint(point)])] = [
              point.asInt,
              point.count,
              point.bucketCounts,
            ]
        }
    return series
  }

  it('makes of the application’s spans what it makes without ours, with the line that the documentation gives', async () => {
    const nowMs = Date.now()
    const alone = await seriesOf(applicationSpans(nowMs), 'filter/podweir')
    assert.ok(Object.keys(alone).length >= 4, JSON.stringify(alone))
    assert.deepEqual(await seriesOf([...applicationSpans(nowMs), ...ourSpans()], 'filter/podweir'), alone)
  })

  it('would count ours among them without that line', async () => {
    const nowMs = Date.now()
    const alone = await seriesOf(applicationSpans(nowMs), '')
    assert.notDeepEqual(await seriesOf([...applicationSpans(nowMs), ...ourSpans()], ''), alone)
  })
})

/** Without what differs from one Collector to the next. */
function ofPoint({ attributes }: Point): Record<string, string> {
  const { 'collector.instance.id': _, ...said } = attributeRecord(attributes)
  return said
}

interface Point {
  readonly attributes?: OtlpAttribute[]
  readonly asInt?: string
  readonly count?: string
  readonly bucketCounts?: readonly string[]
}
