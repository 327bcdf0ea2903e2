import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { Histograms, powersOfTwo } from '../../lib/aggregate/histograms.ts'
import type { MetricForm } from '../../lib/config/metric-form.ts'
import { AttributeSet } from '../../lib/signals/attribute-set.ts'
import { Stream } from '../../lib/signals/stream.ts'
import { agent, metricNamed } from '../support/told-metrics.ts'
import { ToldPoints } from './told-points.ts'
import { linesOf, seriesWriter } from './written-series.ts'

const plain = new AttributeSet({})
const counter = () => new Stream({ resource: agent, metric: metricNamed('n'), delivers: 'packets' })

describe('series as differences', () => {
  it('are told since the last acknowledged point, without zeros and never unchanged', () => {
    const { now, writer, tell } = seriesWriter({ temporality: 'delta' })
    const series = writer.begin(counter(), plain, 900)
    assert.deepEqual(
      tell(() => writer.write(series, 5), false),
      ['n from 900 at 1000: 5'],
    )
    now.ms = 2000
    assert.deepEqual(
      tell(() => writer.write(series, 7)),
      ['n from 900 at 2000: 7'],
    )
    now.ms = 99_000
    assert.deepEqual(
      tell(() => writer.write(series, 7)),
      [],
    )
    assert.deepEqual(
      tell(() => writer.write(series, 10)),
      ['n from 2000 at 99000: 3'],
    )
    assert.equal(writer.delivered.packets, 10)
  })

  it('leave levels as they are', () => {
    const { writer, tell } = seriesWriter({ temporality: 'delta' })
    const level = new Stream({ resource: agent, metric: metricNamed('level', 'up_down_counter') })
    const series = writer.begin(level, plain, 900)
    tell(() => writer.write(series, 5))
    assert.deepEqual(
      tell(() => writer.write(series, 3)),
      ['level from 900 at 1000: 3'],
    )
  })

  it('end with the last difference, and without a word', () => {
    const { writer, tell } = seriesWriter({ temporality: 'delta' })
    const series = writer.begin(counter(), plain, 900)
    tell(() => writer.write(series, 5))
    writer.end(series, { value: 8, timeMs: 1500 })
    assert.deepEqual([tell(() => {}), writer.count], [['n from 1000 at 1500: 3'], 0])
  })
})

describe('histogram series', () => {
  const metric = metricNamed('h', 'histogram', 's')
  const kept = powersOfTwo(-2, 1)

  function withHistogram(form: Partial<MetricForm> = {}, sent: readonly number[] = [0.25, 1]) {
    const parts = seriesWriter(form)
    const histograms = new Histograms(kept)
    const shape = parts.writer.shape(kept, sent)
    const series = parts.writer.begin(new Stream({ resource: agent, metric, shape }), plain, 900)
    const write = () => parts.writer.writeHistogram(series, histograms, 3)
    for (const seconds of [0.2, 0.3, 0.5, 2, 100]) histograms.add(3, seconds, 900)
    return { ...parts, histograms, series, write }
  }

  it('have the samples of a bound that is not sent in the next one that is', () => {
    const { tell, write } = withHistogram()
    assert.deepEqual(tell(write), ['h from 900 at 900: 0 in 0 s: 0 0 0', 'h from 900 at 1000: 5 in 103 s: 1 2 2'])
  })

  it('are told as they were when they were collected', () => {
    const { writer, histograms, write } = withHistogram()
    const collection = writer.collect(write)
    histograms.add(3, 0.1, 900)
    assert.equal(linesOf(collection)[1], 'h from 900 at 1000: 5 in 103 s: 1 2 2')
    collection.acknowledge(0, 1)
    assert.deepEqual(linesOf(writer.collect(write)), ['h from 900 at 1000: 6 in 103.1 s: 2 2 2'])
  })

  it('have every bound that is kept where the receiver wants exponential ones', () => {
    const { writer, write } = withHistogram({ histograms: 'exponential' })
    const told = new ToldPoints()
    writer.collect(write).writeAll(told)
    assert.deepEqual(told.histograms[1], { count: 5, sum: 103, bounds: kept, counts: [1, 2, 0, 1, 1] })
  })

  it('as differences have what came since the last acknowledged one', () => {
    const { now, tell, histograms, write } = withHistogram({ temporality: 'delta' })
    assert.deepEqual(tell(write), ['h from 900 at 1000: 5 in 103 s: 1 2 2'])
    histograms.add(3, 0.5, 900)
    now.ms = 2000
    tell(write, false)
    histograms.add(3, 8, 900)
    assert.deepEqual(tell(write), ['h from 1000 at 2000: 2 in 8.5 s: 0 1 1'])
    assert.deepEqual(tell(write), [])
  })

  it('end with what they had, though it is forgotten where it was counted', () => {
    const { writer, tell, histograms, series } = withHistogram()
    writer.endHistogram(series, histograms, 3, 990)
    histograms.clear(3)
    assert.deepEqual(
      tell(() => {}),
      ['h from 900 at 900: 0 in 0 s: 0 0 0', 'h from 900 at 990: 5 in 103 s: 1 2 2', 'h from 900 at 991: ended'],
    )
    assert.equal(writer.count, 0)
  })

  it('carry their exemplars once', () => {
    const { writer, histograms, series, write } = withHistogram()
    const exemplar = { timeMs: 5, value: 0.5, traceId: '1', spanId: '2' }
    const told = new ToldPoints()
    const collection = writer.collect(() => writer.writeHistogram(series, histograms, 3, [exemplar]))
    collection.writeAll(told)
    assert.deepEqual(told.histograms[1]!.exemplars, [exemplar])
    const again = new ToldPoints()
    writer.collect(write).writeAll(again)
    assert.equal(again.histograms[1]!.exemplars, undefined)
  })
})
