import assert from 'node:assert/strict'
import { ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer'
import { AggregationTemporality, DataPointType } from '@opentelemetry/sdk-metrics'
import { describe, it } from 'mocha'
import { MetricProtobufEncoder } from '../../lib/encode/metric-protobuf.ts'
import { AttributeSet } from '../../lib/signals/attribute-set.ts'
import type { MetricSink } from '../../lib/signals/metric-sink.ts'
import { SdkSink } from '../../lib/signals/sdk-sink.ts'
import { scope, signalResource } from '../support/event-records.ts'
import { type Decoded, decodeRequest } from '../support/otlp-decoder.ts'
import {
  agent,
  END_MS,
  exemplars,
  histogram,
  metricNamed,
  START_MS,
  tellCounter,
  tellEverything,
  tellPoint,
} from '../support/told-metrics.ts'

type Tell = (sink: MetricSink) => void
type Form = ConstructorParameters<typeof MetricProtobufEncoder>[1]

const cumulative: Form = { temporality: 'cumulative', histograms: 'explicit' }

function encoded(tell: Tell, form = cumulative): Decoded {
  const encoder = new MetricProtobufEncoder(scope, form)
  tell(encoder)
  return decodeRequest('metrics', encoder.finish().body)
}

/** The official serializer takes one resource at a time; two messages behind each other are one with both. */
function official(tell: Tell, isDelta = false): Decoded {
  const sink = new SdkSink()
  tell(sink)
  const requests = sink.take(scope, isDelta).map(metrics => ProtobufMetricsSerializer.serializeRequest(metrics)!)
  return decodeRequest('metrics', Buffer.concat(requests))
}

/** The points of the only metric there is. */
function pointsOf(request: Decoded, kind: string): Decoded[] {
  const [ofResource] = request.resourceMetrics as Decoded[]
  const [ofScope] = ofResource!.scopeMetrics as Decoded[]
  const [metric] = ofScope!.metrics as Decoded[]
  return (metric![kind] as Decoded).dataPoints as Decoded[]
}

describe('metrics as OTLP protobuf', () => {
  it('are what the official serializer makes of them, resource by resource', () => {
    const ours = encoded(tellEverything)
    assert.deepEqual(ours, official(tellEverything))
    assert.equal((ours.resourceMetrics as Decoded[]).length, 2)
  })

  it('are so as differences too: levels and gauges stay what they are', () => {
    const ours = encoded(tellEverything, { ...cumulative, temporality: 'delta' })
    assert.deepEqual(ours, official(tellEverything, true))
    const temporalities = JSON.stringify(ours)
      .match(/"aggregationTemporality":\d/g)!
      .map(each => each.at(-1))
    assert.deepEqual(temporalities, ['1', '1', '2', '1', '1'])
  })

  it('have texts and messages of every length right, on both sides of where a length takes one byte more', () => {
    for (const length of [0, 1, 40, 60, 70, 80, 90, 100, 110, 120, 127, 128, 16_200, 16_300, 16_383, 16_384, 2 ** 21]) {
      const text = 'a'.repeat(length)
      const tell: Tell = sink => {
        tellPoint(sink, metricNamed(text), new AttributeSet({ [text]: 1 }), 1)
        sink.resource(signalResource({ text }))
        sink.metric(metricNamed('h', 'histogram', 's'))
        sink.histogram(new AttributeSet({ text }), undefined, START_MS, END_MS, histogram([1, 2, 3, 4, 5]))
      }
      assert.deepEqual(encoded(tell), official(tell), String(length))
    }
  })

  it('are the same when their attributes were encoded before, and when lengths are guessed from the request before', () => {
    const metric = metricNamed('n')
    const points = Array.from({ length: 3_000 }, (_, i) => i)
    const tells: Tell[] = [1, 3_000, 2, 200].map(length => sink => tellCounter(sink, metric, points.slice(0, length)))
    const encoder = new MetricProtobufEncoder(scope, cumulative)
    for (const tell of [...tells, ...tells]) {
      tell(encoder)
      assert.deepEqual(decodeRequest('metrics', encoder.finish().body), official(tell))
    }
  })

  it('may be told again of a resource and a metric', () => {
    const tell: Tell = sink => {
      for (const resource of [agent, signalResource({ other: true }), agent])
        for (const name of ['a', 'b', 'a']) tellCounter(sink, metricNamed(name), [1, 2], resource)
    }
    const names = JSON.stringify(encoded(tell)).match(/"name":"[ab]"/g)!
    assert.equal(names.length, 9)
  })

  it('count their points, and have nothing of a resource or metric without any', () => {
    const encoder = new MetricProtobufEncoder(scope, cumulative)
    encoder.resource(agent)
    encoder.metric(metricNamed('empty'))
    tellCounter(encoder, metricNamed('a'), [1, 2, 3])
    encoder.metric(metricNamed('empty'))
    const { body, items, signal } = encoder.finish()
    assert.deepEqual([items, signal], [3, 'metrics'])
    assert.deepEqual(
      decodeRequest('metrics', body),
      official(sink => tellCounter(sink, metricNamed('a'), [1, 2, 3])),
    )
    assert.deepEqual([encoder.bytes, encoder.finish().body.length], [0, 0])
  })

  it('say that a series has ended by a flag in place of a value', () => {
    for (const [instrument, kind] of [
      ['counter', 'sum'],
      ['up_down_counter', 'sum'],
      ['gauge', 'gauge'],
      ['histogram', 'histogram'],
    ] as const) {
      const request = encoded(sink => {
        sink.resource(agent)
        sink.metric(metricNamed('a', instrument))
        sink.ended(new AttributeSet({ i: 1 }), new AttributeSet({ j: 2 }), START_MS, END_MS)
      })
      const [{ attributes, ...rest }] = pointsOf(request, kind) as [Decoded]
      assert.deepEqual(
        (attributes as Decoded[]).map(({ key }) => key),
        ['i', 'j'],
      )
      assert.deepEqual(rest, {
        startTimeUnixNano: '1763730000000000000',
        timeUnixNano: '1763730010250000000',
        flags: 1,
      })
    }
  })

  it('carry exemplars with their spans', () => {
    const form: Form[] = [cumulative, { ...cumulative, histograms: 'exponential' }]
    for (const [kind, point] of form.map(each => [each.histograms, exemplified(each)] as const))
      assert.deepEqual(
        point.exemplars,
        [
          {
            timeUnixNano: '1763730000001500000',
            asDouble: 0.75,
            spanId: '0000000000000007',
            traceId: 'fedcba98765432100123456789000001',
          },
          {
            timeUnixNano: '1763730000002000000',
            asDouble: 1e-7,
            spanId: 'ff00000000000008',
            traceId: '00000000000000000000010000000000',
          },
        ],
        kind,
      )
  })
})

function exemplified(form: Form): Decoded {
  const request = encoded(sink => {
    sink.resource(agent)
    sink.metric(metricNamed('a', 'histogram', 's'))
    sink.histogram(new AttributeSet({}), undefined, START_MS, END_MS, histogram([1, 0, 1, 0, 0], { exemplars }))
  }, form)
  return pointsOf(request, form.histograms === 'explicit' ? 'histogram' : 'exponentialHistogram')[0]!
}

describe('exponential histograms as OTLP protobuf', () => {
  const form: Form = { temporality: 'cumulative', histograms: 'exponential' }
  const metric = metricNamed('h', 'histogram', 's')

  function told(...values: ReturnType<typeof histogram>[]): Tell {
    return sink => {
      sink.resource(agent)
      sink.metric(metric)
      for (const value of values) sink.histogram(new AttributeSet({ a: 1 }), undefined, START_MS, END_MS, value)
    }
  }

  it('have the explicit ones’ buckets, of which the first is the zero bucket', () => {
    const [point] = pointsOf(encoded(told(histogram([5, 0, 2 ** 33, 1, 4])), form), 'exponentialHistogram')
    const { scale = 0, zeroCount, zeroThreshold, positive, count } = point!
    assert.deepEqual({ scale, zeroCount, zeroThreshold }, { scale: 0, zeroCount: '5', zeroThreshold: 0.125 })
    assert.deepEqual(positive, { offset: -3, bucketCounts: [0, 2 ** 33, 1, 4] })
    assert.equal(count, String(2 ** 33 + 10))
  })

  it('are what the official serializer makes of the same, but for the threshold that it does not know', () => {
    const value = histogram([5, 0, 200, 1, 4])
    const { zeroThreshold, ...ours } = pointsOf(encoded(told(value), form), 'exponentialHistogram')[0]!
    assert.equal(zeroThreshold, 0.125)
    const sink = new SdkSink()
    told(value)(sink)
    const [metrics] = sink.take(scope)
    const none = { offset: 0, bucketCounts: [] }
    const positive = { offset: -3, bucketCounts: [0, 200, 1, 4] }
    const { startTime, endTime, attributes } = metrics!.scopeMetrics[0]!.metrics[0]!.dataPoints[0]!
    const { count, sum } = value
    const sdkMetric = {
      ...metrics!.scopeMetrics[0]!.metrics[0]!,
      aggregationTemporality: AggregationTemporality.CUMULATIVE,
      dataPointType: DataPointType.EXPONENTIAL_HISTOGRAM as const,
      dataPoints: [
        { startTime, endTime, attributes, value: { count, sum, scale: 0, zeroCount: 5, positive, negative: none } },
      ],
    }
    const bytes = ProtobufMetricsSerializer.serializeRequest({
      resource: metrics!.resource,
      scopeMetrics: [{ scope, metrics: [sdkMetric] }],
    })!
    assert.deepEqual(ours, pointsOf(decodeRequest('metrics', bytes), 'exponentialHistogram')[0])
  })

  it('stay explicit where there are no bounds, and end as what they were', () => {
    const request = encoded(sink => {
      told(histogram([1, 2, 3, 4, 5]))(sink)
      sink.ended(new AttributeSet({ a: 1 }), undefined, START_MS, END_MS)
    }, form)
    assert.deepEqual(
      pointsOf(request, 'exponentialHistogram').map(({ flags = 0 }) => flags),
      [0, 1],
    )
    const bare = encoded(told(histogram([300], { bounds: [] })), form)
    assert.deepEqual(pointsOf(bare, 'histogram')[0]!.bucketCounts, ['300'])
  })

  it('are refused with bounds that they can’t have', () => {
    for (const bounds of [
      [0.1, 0.2],
      [0.25, 1],
      [3, 6],
    ])
      assert.throws(() => encoded(told(histogram([1, 2, 3], { bounds })), form), /no exponential buckets/)
  })
})
