import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { AttributeSet } from '../../lib/signals/attribute-set.ts'
import { Stream } from '../../lib/signals/stream.ts'
import { signalResource } from '../support/event-records.ts'
import { agent, metricNamed } from '../support/told-metrics.ts'
import { ToldPoints } from './told-points.ts'
import { linesOf, seriesWriter } from './written-series.ts'

const plain = new AttributeSet({})
const counter = () => new Stream({ resource: agent, metric: metricNamed('n'), delivers: 'packets' })

describe('series', () => {
  it('are told until they are acknowledged, each first time behind a zero at its start', () => {
    const { now, writer, tell } = seriesWriter()
    const series = writer.begin(counter(), plain, 900)
    assert.deepEqual(
      tell(() => writer.write(series, 5), false),
      ['n from 900 at 900: 0', 'n from 900 at 1000: 5'],
    )
    now.ms = 2000
    assert.deepEqual(
      tell(() => writer.write(series, 5)),
      ['n from 900 at 900: 0', 'n from 900 at 2000: 5'],
    )
    assert.deepEqual(
      tell(() => writer.write(series, 5)),
      [],
    )
    assert.deepEqual(
      tell(() => writer.write(series, 7)),
      ['n from 900 at 2000: 7'],
    )
    assert.equal(writer.delivered.packets, 7)
  })

  it('that an agent before this one has begun have no zero', () => {
    const { writer, tell } = seriesWriter({}, 950)
    const series = writer.begin(counter(), plain, 949)
    assert.deepEqual(
      tell(() => writer.write(series, 5)),
      ['n from 949 at 1000: 5'],
    )
  })

  it('without change are told again after resend_unchanged, or never', () => {
    for (const resendUnchangedMs of [30_000, 0]) {
      const { now, writer, tell } = seriesWriter({ resendUnchangedMs })
      const series = writer.begin(counter(), plain, 900)
      tell(() => writer.write(series, 5))
      now.ms += 29_999
      assert.deepEqual(
        tell(() => writer.write(series, 5)),
        [],
      )
      now.ms += 1
      const again = tell(() => writer.write(series, 5))
      assert.deepEqual(again, resendUnchangedMs === 0 ? [] : ['n from 900 at 31000: 5'])
    }
  })

  it('that may fall have no zero, and are told when they fell', () => {
    const { writer, tell } = seriesWriter()
    const level = new Stream({ resource: agent, metric: metricNamed('level', 'up_down_counter') })
    const series = writer.begin(level, plain, 900)
    assert.deepEqual(
      [7, 0, 0].map(value => tell(() => writer.write(series, value)).length),
      [1, 1, 0],
    )
  })

  it('have no point that ends before it starts when the clock is set back', () => {
    const { now, writer, tell } = seriesWriter()
    const series = writer.begin(counter(), plain, 900)
    now.ms = 5
    assert.deepEqual(
      tell(() => writer.write(series, 5)),
      ['n from 900 at 900: 0', 'n from 900 at 901: 5'],
    )
  })

  it('are told sorted by resource and metric, however they are written, and otherwise as they were written', () => {
    const { writer } = seriesWriter()
    const pod = signalResource({ pod: 1 })
    const streams = [
      ['a', agent],
      ['b', pod],
      ['b', agent],
    ] as const
    const made = streams.map(([name, resource]) => new Stream({ resource, metric: metricNamed(name, 'gauge') }))
    const again = new Stream({ resource: agent, metric: made[0]!.metric, more: new AttributeSet({ more: 'x' }) })
    const series = [...made, again, ...made].map((stream, i) => writer.begin(stream, new AttributeSet({ i }), 0))
    const told = new ToldPoints()
    writer.collect(() => series.forEach((each, i) => void writer.write(each, i))).writeAll(told)
    const names = told.lines.map(line => line.slice(0, line.indexOf(' from')))
    assert.deepEqual(names, ['a 0', 'a 3 x', 'a 4', 'b 2', 'b 6', 'b 1', 'b 5'])
    assert.deepEqual(told.resources, [agent, pod])
  })

  it('of which there are very many are told in parts, all of one moment', () => {
    const { writer } = seriesWriter()
    const [one, other] = [counter(), new Stream({ resource: agent, metric: metricNamed('m') })]
    const series = Array.from({ length: 9_000 }, (_, i) => writer.begin(i % 2 ? one : other, plain, 0))
    const collection = writer.collect(() => {
      for (const each of series) writer.write(each, each + 1)
    })
    const parts: string[][] = []
    for (let from = 0; from < collection.length; ) {
      const told = new ToldPoints()
      const to = collection.write(told, from)
      collection.acknowledge(from, to)
      parts.push(told.lines)
      from = to
    }
    assert.ok(parts.length > 1)
    const values = parts.flat().map(line => Number(line.split(': ')[1]))
    assert.deepEqual(
      values.filter(Boolean).sort((a, b) => a - b),
      series.map(each => each + 1),
    )
    assert.equal(linesOf(writer.collect(() => series.forEach(each => void writer.write(each, each + 1)))).length, 0)
  })

  it('are acknowledged one by one, each once', () => {
    const { writer } = seriesWriter()
    const stream = counter()
    const series = [1, 2, 3].map(i => writer.begin(stream, new AttributeSet({ i }), 900))
    const walk = () => series.forEach((each, i) => void writer.write(each, 10 * (i + 1)))
    const collection = writer.collect(walk)
    collection.acknowledge(1, 2)
    collection.acknowledge(0, 2)
    collection.acknowledge(0, 2)
    assert.equal(writer.delivered.packets, 30)
    assert.deepEqual(linesOf(writer.collect(walk)), ['n 3 from 900 at 900: 0', 'n 3 from 900 at 1000: 30'])
  })
})

describe('series that end', () => {
  it('are told their last value and their end until both are acknowledged; then their number is another’s', () => {
    const { now, writer, tell } = seriesWriter()
    const series = writer.begin(counter(), plain, 900)
    tell(() => writer.write(series, 5))
    now.ms = 2000
    writer.end(series, { value: 8, timeMs: 1500 })
    assert.deepEqual(
      tell(() => {}, false),
      ['n from 900 at 1500: 8', 'n from 900 at 1501: ended'],
    )
    now.ms = 3000
    assert.deepEqual(
      tell(() => {}),
      ['n from 900 at 1500: 8', 'n from 900 at 1501: ended'],
    )
    assert.deepEqual([tell(() => {}), writer.delivered.packets, writer.count], [[], 8, 0])
    assert.equal(writer.begin(counter(), plain, 2500), series)
    assert.deepEqual(
      tell(() => writer.write(series, 1)),
      ['n from 2500 at 2500: 0', 'n from 2500 at 3000: 1'],
    )
  })

  it('are told their end alone when the receiver has the value', () => {
    const { writer, tell } = seriesWriter()
    const series = writer.begin(counter(), plain, 900)
    tell(() => writer.write(series, 5))
    assert.deepEqual(
      tell(() => writer.end(series, { value: 5, timeMs: 990 })),
      ['n from 900 at 991: ended'],
    )
  })

  it('end while a request with an earlier value is under way, and lose nothing', () => {
    const { writer, tell } = seriesWriter()
    const series = writer.begin(counter(), plain, 900)
    const collection = writer.collect(() => writer.write(series, 5))
    writer.end(series, { value: 9, timeMs: 1001 })
    assert.deepEqual(linesOf(collection), ['n from 900 at 900: 0', 'n from 900 at 1000: 5'])
    collection.acknowledge(0, collection.length)
    assert.deepEqual([writer.delivered.packets, writer.count], [5, 1])
    assert.deepEqual(
      tell(() => {}),
      ['n from 900 at 1001: 9', 'n from 900 at 1002: ended'],
    )
    assert.deepEqual([writer.delivered.packets, writer.count], [9, 0])
  })

  it('quietly are told their last value alone, before what goes on under their attributes', () => {
    const { now, writer, tell } = seriesWriter()
    const stream = counter()
    const series = writer.begin(stream, plain, 900)
    tell(() => writer.write(series, 5))
    now.ms = 2000
    const next = writer.begin(stream, plain, 1500)
    writer.end(series, { value: 8, timeMs: 1500 }, true)
    const lines = ['n from 900 at 1500: 8', 'n from 1500 at 1500: 0', 'n from 1500 at 2000: 1']
    assert.deepEqual(
      tell(() => writer.write(next, 1)),
      lines,
    )
    writer.end(next, { value: 1, timeMs: 2000 }, true)
    assert.deepEqual([tell(() => {}), writer.count], [[], 0])
  })

  it('with what the receiver has when they are abandoned, of which it may have heard nothing', () => {
    const { writer, tell } = seriesWriter()
    const [heard, unheard] = [1, 2].map(i => writer.begin(counter(), new AttributeSet({ i }), 900))
    tell(() => writer.write(heard!, 5))
    writer.abandon(heard!, 1200)
    writer.abandon(unheard!, 1200)
    assert.deepEqual([tell(() => {}), writer.count], [['n 1 from 900 at 1201: ended'], 0])
  })

  it('are given up, the oldest first, when a receiver does not answer for very long, but for those that carry packets', () => {
    const { writer, tell } = seriesWriter()
    const stream = new Stream({ resource: agent, metric: metricNamed('n') })
    const packets = writer.begin(counter(), new AttributeSet({ name: 'packets' }), 900)
    writer.end(packets, { value: 1, timeMs: 990 })
    for (let i = 0; i < 25_000; i++)
      writer.end(writer.begin(stream, new AttributeSet({ i }), 900), { value: 2, timeMs: 990 })
    const lines = tell(() => {}, false)
    assert.equal(lines.length, 3 * (24_576 + 1))
    assert.equal(lines[0], 'n packets from 900 at 900: 0')
    assert.equal(lines[3], `n ${25_000 - 24_576} from 900 at 900: 0`)
    assert.equal(writer.givenUp, 25_000 - 24_576)
  })
})
