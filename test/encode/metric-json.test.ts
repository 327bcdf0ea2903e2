import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { MetricJsonEncoder } from '../../lib/encode/metric-json.ts'
import { MetricProtobufEncoder } from '../../lib/encode/metric-protobuf.ts'
import { AttributeSet } from '../../lib/signals/attribute-set.ts'
import type { MetricSink } from '../../lib/signals/metric-sink.ts'
import { everyAttribute, scope, signalResource } from '../support/event-records.ts'
import { decodeRequest } from '../support/otlp-decoder.ts'
import {
  agent,
  END_MS,
  exemplars,
  histogram,
  metricNamed,
  START_MS,
  tellCounter,
  tellEverything,
} from '../support/told-metrics.ts'

type Form = ConstructorParameters<typeof MetricJsonEncoder>[1]

const forms = (['cumulative', 'delta'] as const).flatMap((temporality): Form[] => [
  { temporality, histograms: 'explicit' },
  { temporality, histograms: 'exponential' },
])

function textOf(tell: (sink: MetricSink) => void, form = forms[0]!): string {
  const encoder = new MetricJsonEncoder(scope, form)
  tell(encoder)
  return Buffer.from(encoder.finish().body).toString()
}

/** What protobuf says, in the few places where JSON writes it otherwise. */
function asJson(value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  if (Array.isArray(value)) return value.map(asJson)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, each]) => {
    return [key, key === 'exponentialHistogram' ? exponentialAsJson(each) : asJson(each)] as const
  })
  return Object.fromEntries(entries)
}

function exponentialAsJson({ dataPoints, ...rest }: { dataPoints: { positive?: { bucketCounts: number[] } }[] }) {
  const points = dataPoints.map(({ positive, ...point }) => {
    const written = positive ? { ...positive, bucketCounts: positive.bucketCounts.map(String) } : {}
    return { ...(asJson(point) as object), positive: written, negative: {} }
  })
  return { ...rest, dataPoints: points }
}

describe('metrics as OTLP JSON', () => {
  it('say what protobuf says, in each form', () => {
    const tell = (sink: MetricSink) => {
      tellEverything(sink)
      sink.ended(new AttributeSet({}), undefined, START_MS, END_MS)
      sink.metric(metricNamed('exemplified', 'histogram', 's'))
      sink.histogram(new AttributeSet({}), undefined, START_MS, END_MS, histogram([0, 1, 1, 0, 0], { exemplars }))
      sink.ended(new AttributeSet({ i: 1 }), undefined, START_MS, END_MS)
    }
    for (const form of forms) {
      const protobuf = new MetricProtobufEncoder(scope, form)
      tell(protobuf)
      const said = decodeRequest('metrics', protobuf.finish().body)
      assert.deepEqual(JSON.parse(textOf(tell, form)), asJson(said), JSON.stringify(form))
    }
  })

  it('are one line, whatever is in a text', () => {
    const resource = signalResource({ ...everyAttribute, text: 'a\nb\r\u2028 half a pair \ud800' })
    const text = textOf(sink => tellCounter(sink, metricNamed('a\nb'), [1], resource))
    assert.doesNotMatch(text, /[\n\r]/)
    assert.match(JSON.stringify(JSON.parse(text)), /half a pair \ufffd/)
  })

  it('count their points, begin anew, and are an empty request without any', () => {
    const encoder = new MetricJsonEncoder(scope, forms[0]!)
    tellCounter(encoder, metricNamed('a'), [1, 2])
    assert.equal(encoder.finish().items, 2)
    const { body, items } = encoder.finish()
    assert.deepEqual([Buffer.from(body).toString(), items], ['{"resourceMetrics":[]}', 0])
    tellCounter(encoder, metricNamed('a'), [1], agent)
    assert.equal(encoder.finish().items, 1)
  })
})
