import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { ownTelemetryConfig, ownTelemetrySchema } from '../../lib/config/own-telemetry.ts'
import { OwnTelemetry, type OwnTelemetryParts } from '../../lib/export/own-telemetry.ts'
import { systemClock } from '../../lib/host/clock.ts'
import { agentMetric, processMetric } from '../../lib/signals/agent-metrics.ts'
import { ledgerMetric } from '../../lib/signals/metric-names.ts'
import { observedCluster } from '../signals/observed-cluster.ts'
import { capturedLog } from '../support/captured-log.ts'
import { scope } from '../support/event-records.ts'
import { otlpGrpcConfig } from '../support/exporter-config.ts'
import { type Decoded, decodeRequest } from '../support/otlp-decoder.ts'
import { GrpcReceiver } from '../support/otlp-receivers.ts'
import { freePort } from '../support/server-process.ts'
import { until } from '../support/until.ts'

let receiver: GrpcReceiver
let own: OwnTelemetry | undefined

beforeEach(async () => {
  receiver = new GrpcReceiver()
  await receiver.start()
})

afterEach(async () => {
  await own?.close(1_000)
  own = undefined
  await receiver.stop()
})

function open(settings: object, more: Partial<OwnTelemetryParts> = {}) {
  const cluster = observedCluster()
  const queue = { items: 2, bytes: 300 }
  const counts = { produced: 10, delivered: 5, superseded: 2, lost: new Map([['refused', 1]]), queue }
  cluster.items.push({ exporter: 'otlp_grpc', signal: 'metrics', counts })
  cluster.interfaces.push({ state: 'attached', mode: 'tcx', place: 'pod' })
  const captured = capturedLog()
  const { drains } = cluster
  own = new OwnTelemetry({
    config: ownTelemetryConfig(ownTelemetrySchema.parse({ level: 'basic', interval: '1s', ...settings }), true, []),
    targets: [],
    resource: { 'service.name': 'podweir' },
    everyPoint: { 'k8s.cluster.name': 'blue' },
    ...{ scope, figures: cluster.sources.agent, drains, log: captured.log, clock: systemClock, ...more },
  })
  return { drains, messages: captured.messages }
}

/** The metrics of the newest request, by name. */
function told(): Map<string, Decoded> {
  const request = decodeRequest('metrics', receiver.calls.at(-1)!.body)
  const [ofResource] = request.resourceMetrics as Decoded[]
  const metrics = (ofResource!.scopeMetrics as Decoded[]).flatMap(ofScope => ofScope.metrics as Decoded[])
  return new Map(metrics.map(metric => [String(metric.name), metric]))
}

function pointsOf(metric: Decoded | undefined): Decoded[] {
  const data = (metric?.sum ?? metric?.gauge ?? metric?.histogram) as Decoded
  return data.dataPoints as Decoded[]
}

async function toldOnce(): Promise<Map<string, Decoded>> {
  await until('it was told', () => receiver.calls.length > 0)
  return told()
}

describe('own telemetry', () => {
  it('tells by the SDK’s own exporter what else is told with the data, as documented', async () => {
    const { drains } = open({ endpoint: `http://127.0.0.1:${receiver.port}` })
    for (const seconds of [0.002, 0.5]) drains.add(seconds)
    const metrics = await toldOnce()
    const ours = [...Object.values(agentMetric), ...Object.values(processMetric), ledgerMetric.items]
    assert.deepEqual([...metrics.keys()].sort(), ours.map(({ name }) => name).sort())
    for (const { name, unit, instrument } of ours) {
      const { sum, gauge, histogram, unit: toldUnit } = metrics.get(name)!
      const kind = histogram
        ? 'histogram'
        : gauge
          ? 'gauge'
          : (sum as Decoded).isMonotonic
            ? 'counter'
            : 'up_down_counter'
      assert.deepEqual([toldUnit, kind], [unit, instrument], name)
    }
    const [limit] = pointsOf(metrics.get('podweir.agent.flow.limit'))
    assert.deepEqual(limit!.attributes, [{ key: 'k8s.cluster.name', value: { stringValue: 'blue' } }])
    assert.equal(pointsOf(metrics.get('podweir.agent.drain.duration'))[0]!.count, '2')
    assert.match(String(receiver.calls[0]!.metadata.get('user-agent')), /OTel-OTLP-Exporter-JavaScript/)
  })

  it('goes where the exporters of metrics send, with their headers, when it has no endpoint', async () => {
    const endpoint = `http://127.0.0.1:${receiver.port}`
    const { targets } = otlpGrpcConfig({ endpoint, headers: { authorization: 'Bearer x' } })
    open({}, { targets: [targets.metrics] })
    await toldOnce()
    assert.deepEqual(receiver.calls[0]!.metadata.get('authorization'), ['Bearer x'])
  })

  it('can be fetched by a Prometheus, and is then not sent', async () => {
    const address = `localhost:${await freePort()}`
    const { targets } = otlpGrpcConfig({ endpoint: `http://127.0.0.1:${receiver.port}` })
    open({ address }, { targets: [targets.metrics] })
    const page = await (await fetch(`http://${address}/metrics`)).text()
    assert.match(page, /^podweir_agent_flow_limit\{.*k8s_cluster_name="blue".*\} 64$/m)
    assert.match(page, /^process_cpu_time_total\{.*cpu_mode="user".*\} 1\.5$/m)
    assert.equal(receiver.calls.length, 0)
  })

  it('says so when its address is taken', async () => {
    const { messages } = open({ address: `127.0.0.1:${receiver.port}` })
    await until('it says so', () => messages.length > 0)
    assert.match(messages[0]!, /listen for Prometheus 127\.0\.0\.1:\d+: .*EADDRINUSE.*telemetry\.metrics\.address/)
  })

  it('has the names of a Collector’s own metrics when asked to', async () => {
    open({ endpoint: `http://127.0.0.1:${receiver.port}`, collector_names: 'on' })
    const metrics = await toldOnce()
    const figureOf = (name: string) => {
      const [{ asInt, asDouble }] = pointsOf(metrics.get(name)) as [Decoded]
      return asInt ?? asDouble
    }
    assert.deepEqual(
      ['exporter_sent_metric_points', 'exporter_send_failed_metric_points', 'exporter_queue_size'].map(name =>
        figureOf(`otelcol_${name}`),
      ),
      ['5', '3', '2'],
    )
    assert.deepEqual(
      [figureOf('otelcol_process_cpu_seconds'), figureOf('otelcol_process_memory_rss')],
      [1.75, '134217728'],
    )
    assert.equal(metrics.has('podweir.ledger.items'), false)
    assert.ok(metrics.has('podweir.agent.flow.count'))
  })

  it('gives exporters a meter provider from level normal on', () => {
    open({})
    assert.equal(own!.meterProvider, undefined)
    open({ level: 'normal' })
    assert.ok(own!.meterProvider)
  })

  it('says once that it does not get through, and tells a last time when it ends', async () => {
    const { port } = receiver
    await receiver.stop()
    const { messages } = open({ endpoint: `http://127.0.0.1:${port}` })
    await until('it says so', () => messages.length > 0)
    assert.match(
      messages[0]!,
      /of service\.telemetry\.metrics: 127\.0\.0\.1:\d+ refused the connection; it is tried again/,
    )
    receiver = new GrpcReceiver()
    await receiver.start()
    open({ endpoint: `http://127.0.0.1:${receiver.port}`, interval: '1h' })
    await own!.close(2_000)
    assert.equal(receiver.calls.length, 1)
  })
})
