import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { MetricTextEncoder } from '../../lib/encode/metric-text.ts'
import { AttributeSet } from '../../lib/signals/attribute-set.ts'
import type { MetricSink } from '../../lib/signals/metric-sink.ts'
import { scope } from '../support/event-records.ts'
import { agent, END_MS, histogram, metricNamed, START_MS, tellPoint } from '../support/told-metrics.ts'

const bytes = metricNamed('podweir.network.flow.bytes')

function tellFlows(sink: MetricSink): void {
  sink.resource(agent)
  sink.metric(bytes)
  sink.number(new AttributeSet({ port: 80 }), new AttributeSet({ way: 'there' }), START_MS, END_MS, 120)
  sink.number(new AttributeSet({}), undefined, START_MS, END_MS, 0)
  sink.metric(metricNamed('b'))
  sink.number(new AttributeSet({}), undefined, START_MS, END_MS, 7)
}

function written(verbosity: 'basic' | 'normal' | 'detailed', tell = tellFlows): string[] {
  const encoder = new MetricTextEncoder(scope, verbosity)
  tell(encoder)
  return Buffer.from(encoder.finish().body).toString().trimEnd().split('\n')
}

describe('metrics as text', () => {
  it('basic: one line per request', () => {
    assert.deepEqual(written('basic'), ['2025-11-21T13:00:10.250Z metrics: 2, data points: 3'])
  })

  it('normal: one line per data point', () => {
    assert.deepEqual(written('normal'), [
      'podweir.network.flow.bytes{port=80, way=there} 120 By',
      'podweir.network.flow.bytes{} 0 By',
      'b{} 7 By',
    ])
  })

  it('detailed: resource, scope and times too', () => {
    const [resource, scopeLine, first] = written('detailed')
    assert.equal(resource, 'resource {service.name=podweir, host.name=node-1}')
    assert.equal(scopeLine, 'scope podweir 0.1.0')
    const times = 'start=2025-11-21T13:00:00.000Z time=2025-11-21T13:00:10.250Z'
    assert.equal(first, `podweir.network.flow.bytes{port=80, way=there} 120 By ${times}`)
  })

  it('shows a histogram by its count and sum, and the end of a series', () => {
    const lines = written('normal', sink => {
      sink.resource(agent)
      sink.metric(metricNamed('h', 'histogram', 's'))
      sink.histogram(new AttributeSet({}), undefined, START_MS, END_MS, histogram([1, 2, 0, 0, 0]))
      sink.ended(new AttributeSet({}), undefined, START_MS, END_MS)
    })
    assert.deepEqual(lines, ['h{} count=3 sum=1 s', 'h{} ended s'])
  })

  it('lets no control character of a name through', () => {
    const lines = written('normal', sink =>
      tellPoint(sink, metricNamed('a'), new AttributeSet({ pod: 'x\u001b[2J\n\u009b' }), 1),
    )
    assert.deepEqual(lines, ['a{pod=x\\u001b[2J\\u000a\\u009b} 1 By'])
  })
})
