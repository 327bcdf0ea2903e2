import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { MetricLinesEncoder } from '../../lib/encode/metric-lines.ts'
import { AttributeSet } from '../../lib/signals/attribute-set.ts'
import type { MetricSink } from '../../lib/signals/metric-sink.ts'
import { signalResource } from '../support/event-records.ts'
import { agent, END_MS, histogram, metricNamed, START_MS, tellPoint } from '../support/told-metrics.ts'

const start = 'start_time_unix_nano=1763730000000000000i'
const end = '1763730010250000000'

function lines(tell: (sink: MetricSink) => void, temporality: 'cumulative' | 'delta' = 'cumulative'): string[] {
  const encoder = new MetricLinesEncoder({ temporality })
  tell(encoder)
  return Buffer.from(encoder.finish().body).toString().split('\n').slice(0, -1)
}

function tagsOf(attributes: ConstructorParameters<typeof AttributeSet>[0], resource = agent): string {
  const [line] = lines(sink => {
    sink.resource(resource)
    sink.metric(metricNamed('n'))
    sink.number(new AttributeSet(attributes), undefined, START_MS, END_MS, 1)
  })
  return line!.slice(0, line!.indexOf(' counter=1i'))
}

describe('metrics as lines', () => {
  it('have the metric as measurement, attributes as tags, and nanoseconds', () => {
    const told = lines(sink => {
      sink.resource(agent)
      sink.metric(metricNamed('podweir.network.flow.bytes'))
      const way = new AttributeSet({ 'podweir.flow.direction': 'request' })
      sink.number(new AttributeSet({ 'server.port': 80 }), way, START_MS, END_MS, 2 ** 53)
      sink.metric(metricNamed('level', 'gauge', 's'))
      sink.number(new AttributeSet({}), undefined, START_MS, END_MS + 1 / 8, -0.5)
    })
    const who = 'service.name=podweir,host.name=node-1'
    assert.deepEqual(told, [
      `podweir.network.flow.bytes,${who},server.port=80,podweir.flow.direction=request counter=9007199254740992i,${start} ${end}`,
      `level,${who} gauge=-0.5,${start} 1763730010250125000`,
    ])
  })

  it('call a sum counter, and what may fall or is a difference gauge', () => {
    const told = (instrument: 'counter' | 'up_down_counter', temporality: 'cumulative' | 'delta') =>
      lines(sink => {
        sink.resource(agent)
        sink.metric(metricNamed('n', instrument))
        sink.number(new AttributeSet({}), undefined, START_MS, END_MS, 3)
      }, temporality)[0]
    assert.match(told('counter', 'cumulative')!, / counter=3i,/)
    assert.match(told('counter', 'delta')!, / gauge=3i,/)
    assert.match(told('up_down_counter', 'cumulative')!, / gauge=3i,/)
  })

  it('have a histogram’s buckets as fields, each with all below it', () => {
    const [line] = lines(sink => {
      sink.resource(agent)
      sink.metric(metricNamed('h', 'histogram', 's'))
      sink.histogram(new AttributeSet({}), undefined, START_MS, END_MS, histogram([3, 0, 2, 0, 1]))
    })
    const fields = 'count=6,sum=2,0.125=3,0.25=3,0.5=5,1=5,+Inf=6'
    assert.equal(line, `h,service.name=podweir,host.name=node-1 ${fields},${start} ${end}`)
  })

  it('escape what separates, and leave out what no line can have', () => {
    const attributes = { 'a b': 'c,d=e f', 'g=h': 'i\\j', k: 'l\nm', n: 'o\\\\', p: '', '': 'q', r: '\\,' }
    const tags = ',a\\ b=c\\,d\\=e\\ f,g\\=h=i\\j,k=l\\ m,n=o,r=\\\\,'
    assert.equal(tagsOf(attributes), `n,service.name=podweir,host.name=node-1${tags}`)
    assert.match(lines(sink => tellPoint(sink, metricNamed('a b,c=d'), new AttributeSet({}), 1))[0]!, /^a\\ b\\,c=d,/)
  })

  it('have each key once: a point’s own wins', () => {
    const resource = signalResource({ 'k8s.cluster.name': 'a', 'host.name': 'node-1' })
    assert.equal(tagsOf({ 'k8s.cluster.name': 'b' }, resource), 'n,host.name=node-1,k8s.cluster.name=b')
    assert.equal(tagsOf({ x: 'y' }, resource), 'n,k8s.cluster.name=a,host.name=node-1,x=y')
  })

  it('keep a set’s tags apart when its resource is another', () => {
    const base = new AttributeSet({ zone: 'own' })
    const told = lines(sink => {
      for (const resource of [signalResource({ zone: 'a', host: 'b' }), signalResource({ host: 'c' })]) {
        sink.resource(resource)
        sink.metric(metricNamed('n'))
        sink.number(base, undefined, START_MS, END_MS, 1)
      }
    })
    assert.deepEqual(
      told.map(line => line.split(' ')[0]),
      ['n,host=b,zone=own', 'n,host=c,zone=own'],
    )
  })

  it('say nothing of an end, nor of what is no number, and count both', () => {
    const encoder = new MetricLinesEncoder({ temporality: 'cumulative' })
    encoder.resource(agent)
    encoder.metric(metricNamed('n', 'gauge', 's'))
    encoder.ended()
    encoder.number(new AttributeSet({}), undefined, START_MS, END_MS, Number.NaN)
    assert.equal(encoder.items, 2)
    const { body, items } = encoder.finish()
    assert.deepEqual([body.length, items], [0, 2])
  })
})
