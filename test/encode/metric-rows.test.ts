import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { MetricRowsEncoder } from '../../lib/encode/metric-rows.ts'
import { AttributeSet } from '../../lib/signals/attribute-set.ts'
import { edgeMetric, pairMetric } from '../../lib/signals/edge-metrics.ts'
import { type Metric, podMetric } from '../../lib/signals/metric-names.ts'
import type { MetricSink } from '../../lib/signals/metric-sink.ts'
import { signalResource } from '../support/event-records.ts'
import { END_MS, histogram, metricNamed, START_MS } from '../support/told-metrics.ts'

const node = signalResource({ 'service.name': 'podweir', 'os.type': 'linux', 'host.name': 'h', 'k8s.node.name': 'n1' })

const shared = { 'server.port': 80, 'network.transport': 'tcp', 'podweir.observer': 'client' }
const forward = new AttributeSet({
  ...{ 'source.k8s.namespace.name': 'shop', 'source.k8s.owner.name': 'cart', 'source.k8s.owner.type': 'Deployment' },
  ...{ 'destination.k8s.namespace.name': 'pay', 'destination.k8s.owner.name': 'bank', ...shared },
})
const backward = new AttributeSet({
  ...{ 'source.k8s.namespace.name': 'pay', 'source.k8s.owner.name': 'bank' },
  ...{ 'destination.k8s.namespace.name': 'shop', 'destination.k8s.owner.name': 'cart' },
  ...{ 'destination.k8s.owner.type': 'Deployment', ...shared },
})
const request = new AttributeSet({ 'podweir.flow.direction': 'request' })
const response = new AttributeSet({ 'podweir.flow.direction': 'response' })
const cartToBank =
  'dst_namespace=pay,dst_port=80,dst_workload_name=bank,namespace=shop,node_name=n1,observer=client,protocol=tcp,workload_kind=Deployment,workload_name=cart'
const end = '1763730010250000000'

function lines(tell: (sink: MetricSink) => void): string[] {
  const encoder = new MetricRowsEncoder()
  encoder.resource(node)
  tell(encoder)
  return Buffer.from(encoder.finish().body).toString().split('\n').slice(0, -1)
}

function tellNumber(
  sink: MetricSink,
  metric: Metric,
  base: AttributeSet,
  more: AttributeSet | undefined,
  value: number,
) {
  sink.metric(metric)
  sink.number(base, more, START_MS, END_MS, value)
}

describe('metrics as lines of NetApp’s form', () => {
  it('make one line of an edge, as its client sees it', () => {
    const told = lines(sink => {
      tellNumber(sink, edgeMetric.bytes, forward, request, 100)
      sink.number(backward, response, START_MS, END_MS, 200)
      tellNumber(sink, edgeMetric.opened, forward, undefined, 3)
      tellNumber(sink, edgeMetric.failed, forward, new AttributeSet({ 'error.type': 'refused' }), 4)
    })
    const fields = 'bytes_sent=100i,bytes_received=200i,connections_opened=3i,connections_failed_refused=4i'
    assert.deepEqual(told, [`podweir_flow,${cartToBank} ${fields} ${end}`])
  })

  it('make one line of a pod', () => {
    const pod = new AttributeSet({ 'k8s.namespace.name': 'shop', 'k8s.pod.name': 'db-0', 'k8s.statefulset.name': 'db' })
    const told = lines(sink => {
      tellNumber(sink, podMetric.io, pod, new AttributeSet({ 'network.io.direction': 'transmit' }), 1)
      sink.number(pod, new AttributeSet({ 'network.io.direction': 'receive' }), START_MS, END_MS, 2)
    })
    const tags = 'namespace=shop,node_name=n1,pod_name=db-0,workload_kind=StatefulSet,workload_name=db'
    assert.deepEqual(told, [`podweir_pod,${tags} bytes_sent=1i,bytes_received=2i ${end}`])
  })

  it('make lines of each moment', () => {
    const told = lines(sink => {
      sink.metric(edgeMetric.opened)
      sink.number(forward, undefined, START_MS, START_MS, 0)
      sink.number(forward, undefined, START_MS, END_MS, 1)
    })
    assert.deepEqual(told, [
      `podweir_flow,${cartToBank} connections_opened=0i 1763730000000000000`,
      `podweir_flow,${cartToBank} connections_opened=1i ${end}`,
    ])
  })

  it('say of a histogram how many there were and their mean in milliseconds', () => {
    const told = lines(sink => {
      sink.metric(pairMetric.rtt)
      sink.histogram(forward, request, START_MS, END_MS, histogram([2, 0, 0, 0, 0], { sum: 0.5 }))
      sink.histogram(backward, response, START_MS, END_MS, histogram([0, 0, 0, 0, 0], { sum: 0 }))
    })
    assert.deepEqual(told, [`podweir_latency,${cartToBank} rtt_count=2i,rtt_ms=250,rtt_response_count=0i ${end}`])
  })

  it('give what has no place in them a measurement of its own, with all attributes as tags', () => {
    const stage = new AttributeSet({ 'podweir.ledger.stage': 'seen', 'k8s.pod.label.app.kubernetes.io/name': 'x' })
    const told = lines(sink => {
      tellNumber(sink, metricNamed('podweir.ledger.packets'), new AttributeSet({}), stage, 5)
      sink.metric(metricNamed('podweir.dns.lookup.duration', 'histogram', 's'))
      sink.histogram(new AttributeSet({}), undefined, START_MS, END_MS, histogram([1, 0, 0, 0, 0], { sum: 0.25 }))
    })
    assert.deepEqual(told, [
      `podweir_ledger_packets,node_name=n1,label_app_kubernetes_io_name=x,ledger_stage=seen value=5i ${end}`,
      `podweir_dns_lookup_duration,node_name=n1 count=1i,ms=250 ${end}`,
    ])
  })

  it('have no more in a request than its bytes say', () => {
    const encoder = new MetricRowsEncoder()
    encoder.resource(node)
    encoder.metric(edgeMetric.bytes)
    encoder.number(forward, request, START_MS, END_MS, 1)
    encoder.number(backward, response, START_MS, END_MS, 1)
    const { bytes, items } = encoder
    const { body } = encoder.finish()
    assert.deepEqual([body.length <= bytes, bytes - body.length < 10, items], [true, true, 2])
    assert.equal(encoder.bytes, 0)
  })
})
