import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, it } from 'mocha'
import { defaultDelivery } from '../../lib/config/default-delivery.ts'
import { defaultMetricForm } from '../../lib/config/metric-form.ts'
import type { EncodedRequest } from '../../lib/encode/encoded-request.ts'
import { MetricProtobufEncoder } from '../../lib/encode/metric-protobuf.ts'
import { MetricOutlet } from '../../lib/export/metric-outlet.ts'
import type { Sender, SendOutcome } from '../../lib/export/sender.ts'
import { systemClock } from '../../lib/host/clock.ts'
import { AttributeSet } from '../../lib/signals/attribute-set.ts'
import { capturedLog } from '../support/captured-log.ts'
import { scope } from '../support/event-records.ts'
import { decodeRequest } from '../support/otlp-decoder.ts'
import { until } from '../support/until.ts'
import { GrowingCounters } from './growing-counters.ts'

const taken: SendOutcome = { kind: 'delivered', rejected: 0 }
const away: SendOutcome = { kind: 'retry', error: new Error('127.0.0.1:4317 refused the connection') }
const refused: SendOutcome = { kind: 'refused', error: new Error('bad request') }

/** Answers as it is told, and keeps what it got. */
class Receiver implements Sender {
  readonly values: number[][] = []
  answer: SendOutcome | Promise<SendOutcome> = taken
  underWay = 0
  closed = false
  #giveUp: (() => void) | undefined

  async send({ body }: EncodedRequest): Promise<SendOutcome> {
    assert.equal(++this.underWay, 1, 'one request at a time')
    this.values.push(valuesIn(body))
    const givenUp = new Promise<SendOutcome>(resolve => {
      this.#giveUp = () => resolve(away)
    })
    const outcome = await Promise.race([this.answer, givenUp])
    this.underWay--
    return outcome
  }

  async close(): Promise<void> {
    this.closed = true
    this.#giveUp?.()
  }
}

function valuesIn(body: Uint8Array): number[] {
  const text = JSON.stringify(decodeRequest('metrics', body))
  return [...text.matchAll(/"asInt":"(\d+)"/g)].map(match => Number(match[1]))
}

let outlets: MetricOutlet[] = []

afterEach(async () => {
  for (const outlet of outlets) await outlet.close(100)
  outlets = []
})

function outletOf(
  counters = new GrowingCounters(),
  { intervalMs = 60_000, isDelta = false, largestItems = Number.POSITIVE_INFINITY } = {},
) {
  const receiver = new Receiver()
  const captured = capturedLog()
  const outlet = new MetricOutlet({
    id: 'otlp_grpc',
    source: counters,
    encoder: new MetricProtobufEncoder(scope, defaultMetricForm),
    sender: receiver,
    retry: defaultDelivery.retry,
    ...{ isDelta, intervalMs, largestItems, log: captured.log, clock: systemClock },
  })
  outlets.push(outlet)
  return { outlet, receiver, counters, messages: captured.messages }
}

/** Names of which a few thousand fill a request. */
function manyBases(count: number): AttributeSet[] {
  return Array.from({ length: count }, (_, i) => new AttributeSet({ name: `${i}`.padEnd(900, '-') }))
}

describe('metric outlet', () => {
  it('tells at every interval, and acknowledges what was taken', async () => {
    const { receiver, counters, outlet } = outletOf(undefined, { intervalMs: 20 })
    await until('three collections are delivered', () => counters.deliveries >= 3)
    assert.ok(counters.acknowledged >= 3 * 1_000_003)
    assert.deepEqual(receiver.values.slice(0, 2), [[0, 1_000_003], [2_000_006]])
    assert.ok(outlet.acknowledgedAtMs! > 1e12)
  })

  it('tells again with newer values, and its zero, what was not taken', async () => {
    const { outlet, receiver, counters } = outletOf()
    receiver.answer = away
    await outlet.flush()
    assert.deepEqual([counters.acknowledged, outlet.failures, outlet.acknowledgedAtMs], [0, 1, undefined])
    receiver.answer = taken
    await outlet.flush()
    await outlet.flush()
    assert.deepEqual(receiver.values, [[0, 1_000_003], [0, 2_000_006], [3_000_009]])
    assert.deepEqual([counters.acknowledged, counters.deliveries], [3_000_009, 2])
  })

  it('cuts a collection into requests, and acknowledges each by itself', async () => {
    const { outlet, receiver, counters } = outletOf(new GrowingCounters(manyBases(5_000)))
    let requests = 0
    Object.defineProperty(receiver, 'answer', { get: () => (++requests === 2 ? away : taken) })
    await outlet.flush()
    const points = receiver.values.map(values => values.length)
    assert.equal(points.length, 2, 'nobody is asked after a request that failed')
    assert.equal(counters.acknowledged, (points[0]! / 2) * 1_000_003)
    assert.equal(counters.deliveries, 0)
    await outlet.flush()
    assert.equal(counters.acknowledged, 5_000 * 2_000_006)
    assert.deepEqual([counters.deliveries, outlet.items.queue], [1, { items: 0, bytes: 0 }])
  })

  it('makes no request larger than 3 MiB and a point', async () => {
    const { outlet, receiver } = outletOf(new GrowingCounters(manyBases(5_000)))
    const sizes: number[] = []
    const send = receiver.send.bind(receiver)
    receiver.send = request => {
      sizes.push(request.body.length)
      return send(request)
    }
    await outlet.flush()
    assert.ok(sizes.length > 2 && Math.max(...sizes) < 3 * 2 ** 20 + 2_000, String(sizes))
    assert.equal(receiver.values.flat().length, 10_000)
  })

  it('makes no request of more points than it may', async () => {
    const { outlet, receiver, counters } = outletOf(new GrowingCounters(manyBases(100)), { largestItems: 11 })
    await outlet.flush()
    const points = receiver.values.map(values => values.length)
    assert.deepEqual([Math.max(...points), points.reduce((sum, each) => sum + each, 0)], [10, 200])
    assert.deepEqual([counters.acknowledged, counters.deliveries], [100 * 1_000_003, 1])
  })

  it('goes on with the next request behind one that is refused, which is lost and told again', async () => {
    const { outlet, receiver, counters } = outletOf(new GrowingCounters(manyBases(5_000)))
    let requests = 0
    Object.defineProperty(receiver, 'answer', { get: () => (++requests === 1 ? refused : taken) })
    await outlet.flush()
    const [first, ...others] = receiver.values.map(values => values.length)
    assert.equal(counters.acknowledged, (others.reduce((sum, each) => sum + each, 0) / 2) * 1_000_003)
    assert.deepEqual([...outlet.items.lost], [['refused', first]])
    assert.equal(counters.deliveries, 0)
  })

  it('accounts for every point: produced = delivered + superseded + lost + what waits', async () => {
    const { outlet, receiver, messages } = outletOf()
    const answers = [away, taken, { kind: 'delivered', rejected: 1, message: 'too old' } as const, refused, taken]
    for (const answer of answers) {
      receiver.answer = answer
      await outlet.flush()
    }
    const { produced, delivered, superseded, lost } = outlet.items
    assert.deepEqual({ produced, delivered, superseded }, { produced: 7, delivered: 3, superseded: 2 })
    assert.deepEqual(
      [...lost],
      [
        ['rejected', 1],
        ['refused', 1],
      ],
    )
    assert.match(messages.join('\n'), /refused the connection; the counts stay and go with the next request/)
  })

  it('has what is under way in its queue', async () => {
    const { outlet, receiver } = outletOf()
    const { promise, resolve } = Promise.withResolvers<SendOutcome>()
    receiver.answer = promise
    const flushed = outlet.flush()
    await until('it is under way', () => receiver.underWay === 1)
    assert.equal(outlet.items.queue.items, 2)
    assert.ok(outlet.items.queue.bytes > 100)
    resolve(taken)
    await flushed
    assert.deepEqual(outlet.items.queue, { items: 0, bytes: 0 })
  })

  it('takes points that were rejected for not told, unless it tells differences', async () => {
    for (const isDelta of [false, true]) {
      const form = { ...defaultMetricForm, ...(isDelta && { temporality: 'delta' as const }) }
      const { outlet, receiver, counters } = outletOf(new GrowingCounters(undefined, form), { isDelta })
      receiver.answer = { kind: 'delivered', rejected: 1 }
      await outlet.flush()
      assert.equal(counters.acknowledged, isDelta ? 1_000_003 : 0)
      assert.deepEqual([outlet.failures, counters.deliveries], [1, isDelta ? 1 : 0])
    }
  })

  it('comes back within an interval after a failure, and not before the receiver’s time', async () => {
    const { receiver } = outletOf(undefined, { intervalMs: 100 })
    receiver.answer = { ...away, afterMs: 400 } as SendOutcome
    await until('it was asked', () => receiver.values.length === 1)
    const askedMs = systemClock.monotonicMs()
    receiver.answer = away
    await until('it is asked again', () => receiver.values.length === 2)
    const waitedMs = systemClock.monotonicMs() - askedMs
    assert.ok(waitedMs > 380, `${waitedMs} ms`)
    await until('it is asked five times more', () => receiver.values.length === 7)
  })

  it('collects nothing while a request is under way, and then what is newest', async () => {
    const { receiver, counters } = outletOf(undefined, { intervalMs: 20 })
    const { promise, resolve } = Promise.withResolvers<SendOutcome>()
    receiver.answer = promise
    await until('it is under way', () => receiver.underWay === 1)
    await sleep(100)
    assert.equal(counters.collections, 1)
    receiver.answer = taken
    resolve(taken)
    await until('it goes on', () => counters.deliveries >= 3)
  })

  it('ends within the time when the receiver never answers, and has counted what was lost with it', async () => {
    const { outlet, receiver } = outletOf()
    receiver.answer = new Promise(() => {})
    const startMs = systemClock.monotonicMs()
    await outlet.close(200)
    const tookMs = systemClock.monotonicMs() - startMs
    assert.ok(tookMs >= 190 && tookMs < 700, `${tookMs} ms`)
    assert.ok(receiver.closed)
    assert.deepEqual([...outlet.items.lost], [['shutdown', 2]])
  })

  it('goes on when a collection fails', async () => {
    const counters = new GrowingCounters()
    const { messages } = outletOf(counters, { intervalMs: 20 })
    const collect = counters.collect.bind(counters)
    let calls = 0
    counters.collect = async () => {
      if (++calls === 1) throw new Error('the capture is closed')
      return collect()
    }
    await until('it goes on', () => counters.deliveries > 0)
    assert.match(messages[0]!, /the capture is closed/)
  })

  it('says once that the receiver is away, and once that it is back', async () => {
    const { outlet, receiver, messages } = outletOf()
    receiver.answer = away
    for (let i = 0; i < 3; i++) await outlet.flush()
    receiver.answer = taken
    for (let i = 0; i < 2; i++) await outlet.flush()
    assert.deepEqual(messages, [
      'exporter otlp_grpc: 127.0.0.1:4317 refused the connection; the counts stay and go with the next request',
      'exporter otlp_grpc: delivers again after 0 s',
    ])
  })
})
