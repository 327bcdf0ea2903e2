import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { defaultMetricForm } from '../../lib/config/metric-form.ts'
import { MetricProtobufEncoder } from '../../lib/encode/metric-protobuf.ts'
import { NamedMetricEncoder } from '../../lib/encode/named-metrics.ts'
import { AttributeNaming } from '../../lib/signals/attribute-naming.ts'
import { AttributeSet } from '../../lib/signals/attribute-set.ts'
import type { MetricSink } from '../../lib/signals/metric-sink.ts'
import { scope } from '../support/event-records.ts'
import { decodeRequest } from '../support/otlp-decoder.ts'
import { agent, END_MS, histogram, metricNamed, START_MS } from '../support/told-metrics.ts'

const naming = new AttributeNaming([
  {
    type: 'attributes',
    id: 'attributes',
    place: 'a.yaml:1:1',
    profile: 'none',
    rename: { a: 'x', b: 'y' },
    drop: ['c'],
  },
])

/** Each way to tell of a point. */
function tell(sink: MetricSink, base: AttributeSet, more: AttributeSet): void {
  sink.resource(agent)
  sink.metric(metricNamed('n'))
  sink.number(base, more, START_MS, END_MS, 1)
  sink.ended(base, undefined, START_MS, END_MS)
  sink.metric(metricNamed('h', 'histogram', 's'))
  sink.histogram(base, more, START_MS, END_MS, histogram([1, 2, 3, 4, 5]))
}

describe('metrics with other names of attributes', () => {
  it('are those that had these names from the beginning', () => {
    const named = new NamedMetricEncoder(new MetricProtobufEncoder(scope, defaultMetricForm), naming)
    const plain = new MetricProtobufEncoder(scope, defaultMetricForm)
    tell(named, new AttributeSet({ a: 1, c: 'dropped' }), new AttributeSet({ b: 'two' }))
    tell(plain, new AttributeSet({ x: 1 }), new AttributeSet({ y: 'two' }))
    assert.deepEqual([named.items, named.bytes], [plain.items, plain.bytes])
    assert.deepEqual(decodeRequest('metrics', named.finish().body), decodeRequest('metrics', plain.finish().body))
  })
})
