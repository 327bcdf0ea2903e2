import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, it } from 'mocha'
import type { RetryConfig } from '../../lib/config/exporter-delivery.ts'
import { RequestQueue, type RequestQueueParts } from '../../lib/export/request-queue.ts'
import { systemClock } from '../../lib/host/clock.ts'
import { createLog } from '../../lib/host/log.ts'
import {
  delivered,
  later,
  refused,
  retry,
  retryAfter,
  ScriptedSender,
  textRequest,
} from '../support/scripted-sender.ts'
import { until } from '../support/until.ts'

const soon: RetryConfig = { enabled: true, initialMs: 1, maxMs: 1, multiplier: 1, maxElapsedMs: 0 }
const log = createLog('silent')

let sender: ScriptedSender
let queues: RequestQueue[]

beforeEach(() => {
  sender = new ScriptedSender()
  queues = []
})

afterEach(async () => {
  for (const queue of queues) {
    assertBalanced(queue)
    await queue.close(0)
    assertBalanced(queue)
  }
})

function queueWith(parts: Partial<RequestQueueParts> = {}): RequestQueue {
  const limits = { bytes: 1_000_000, items: 1_000_000 }
  const common = { id: 'otlp_grpc', signal: 'traces', sender, retry: soon, limits, log, clock: systemClock } as const
  const queue = new RequestQueue({ ...common, ...parts })
  queues.push(queue)
  return queue
}

function assertBalanced({ counts }: RequestQueue): void {
  const lost = [...counts.lost.values()].reduce((sum, items) => sum + items, 0)
  const { produced, delivered: taken, superseded, queue } = counts
  assert.equal(produced, taken + superseded + lost + queue.items)
}

function figures({ counts }: RequestQueue) {
  const { produced, delivered: taken, queue } = counts
  return { produced, delivered: taken, lost: Object.fromEntries(counts.lost), ...queue }
}

const nothing = { produced: 0, delivered: 0, lost: {}, items: 0, bytes: 0 }

describe('a queue of requests', () => {
  it('sends in order, one at a time', async () => {
    const queue = queueWith()
    for (let i = 0; i < 20; i++) void queue.push(textRequest(String(i), 3))
    assert.equal(queue.counts.queue.items, 60)
    await queue.drained()
    assert.deepEqual(
      sender.texts,
      Array.from({ length: 20 }, (_, i) => String(i)),
    )
    assert.equal(sender.mostUnderWay, 1)
    assert.deepEqual(figures(queue), { ...nothing, produced: 60, delivered: 60 })
  })

  it('sends what comes just when it has become empty', async () => {
    for (let turns = 0; turns < 40; turns++) {
      const own = new ScriptedSender()
      const queue = queueWith({ sender: own })
      void queue.push(textRequest('a'))
      for (let turn = 0; turn < turns; turn++) await Promise.resolve()
      void queue.push(textRequest('b'))
      await until(`b, ${turns} turns after a`, () => own.sent.length === 2)
    }
  })

  it('sends again what was not taken, as it was, until it is taken', async () => {
    sender.script.push(retry, retry, retry)
    const queue = queueWith()
    void queue.push(textRequest('a', 5))
    void queue.push(textRequest('b', 5))
    await queue.drained()
    assert.deepEqual(sender.texts, ['a', 'a', 'a', 'a', 'b'])
    assert.equal(sender.sent[0]!.body, sender.sent[3]!.body)
    assert.deepEqual(figures(queue), { ...nothing, produced: 10, delivered: 10 })
    assert.equal(queue.failures, 3)
    assert.ok(queue.acknowledgedAtMs !== undefined)
  })

  it('counts what the receiver rejected and what it refused, and goes on', async () => {
    sender.script.push({ kind: 'delivered', rejected: 2, message: 'too old' }, refused)
    const queue = queueWith()
    for (const text of ['a', 'b', 'c']) void queue.push(textRequest(text, 5))
    await queue.drained()
    assert.deepEqual(sender.texts, ['a', 'b', 'c'])
    assert.deepEqual(figures(queue), { ...nothing, produced: 15, delivered: 8, lost: { rejected: 2, refused: 5 } })
    assert.equal(queue.failures, 2)
  })

  it('waits as long as the receiver says', async () => {
    sender.script.push(retryAfter(80))
    const queue = queueWith()
    const startMs = performance.now()
    void queue.push(textRequest('a'))
    await queue.drained()
    assert.ok(performance.now() - startMs >= 79)
  })

  it('never gives up by itself, and after the time that it was told to', async () => {
    let elapsedMs = 0
    const clock = { ...systemClock, monotonicMs: () => elapsedMs }
    sender.otherwise = () => {
      elapsedMs += 3_600_000
      return sender.sent.length < 30 ? retry : delivered
    }
    const queue = queueWith({ clock })
    await queue.push(textRequest('a'))
    await queue.drained()
    assert.equal(queue.counts.delivered, 1)

    elapsedMs = 0
    const impatient = queueWith({ clock, retry: { ...soon, maxElapsedMs: 300_000 } })
    const answers = [100_000, 299_999, 300_000]
    sender.otherwise = () => {
      const answer = answers.shift()
      elapsedMs = answer ?? 0
      return answer === undefined ? delivered : retry
    }
    await impatient.push(textRequest('b', 7))
    await impatient.drained()
    assert.deepEqual(figures(impatient), { ...nothing, produced: 7, lost: { given_up: 7 } })
  })

  it('gives up at once where sending again is off', async () => {
    sender.script.push(retry)
    const queue = queueWith({ retry: { ...soon, enabled: false } })
    void queue.push(textRequest('a', 2))
    void queue.push(textRequest('b', 2))
    await queue.drained()
    assert.deepEqual(figures(queue), { ...nothing, produced: 4, delivered: 2, lost: { given_up: 2 } })
  })

  it('does not mind a wall clock that steps', async () => {
    let nowMs = 1_763_730_000_000
    const clock = { ...systemClock, nowMs: () => nowMs }
    const queue = queueWith({ clock })
    for (const step of [3_600_000, -7_200_000, 86_400_000]) {
      sender.script.push(retry)
      nowMs += step
      const startMs = performance.now()
      void queue.push(textRequest('a'))
      await queue.drained()
      assert.ok(performance.now() - startMs < 1000)
    }
    assert.equal(queue.counts.delivered, 3)
    assert.equal(queue.acknowledgedAtMs, nowMs)
  })
})

describe('a queue that is full', () => {
  it('lets the oldest go that is not with the receiver now, by bytes and by items', async () => {
    for (const limits of [
      { bytes: 3, items: 100 },
      { bytes: 100, items: 3 },
    ]) {
      const { promise, resolve } = later()
      sender.script.push(promise)
      const queue = queueWith({ limits })
      for (const text of ['a', 'b', 'c', 'd', 'e']) void queue.push(textRequest(text))
      assert.deepEqual(figures(queue), { produced: 5, delivered: 0, lost: { queue_full: 2 }, items: 3, bytes: 3 })
      resolve(delivered)
      await queue.drained()
      assert.deepEqual(sender.texts.splice(0), ['a', 'd', 'e'])
      sender.sent.length = 0
    }
  })

  it('lets go even the oldest of all while it only waits to be sent again', async () => {
    sender.script.push(retryAfter(100))
    const queue = queueWith({ limits: { bytes: 2, items: 100 } })
    void queue.push(textRequest('a'))
    await until('the first answer', () => queue.failures === 1)
    for (const text of ['b', 'c', 'd']) void queue.push(textRequest(text))
    assert.deepEqual(figures(queue), { produced: 4, delivered: 0, lost: { queue_full: 2 }, items: 2, bytes: 2 })
    await queue.drained()
    assert.deepEqual(sender.texts, ['a', 'c', 'd'])
  })

  it('never holds one that is larger than all it may hold', async () => {
    const { promise, resolve } = later()
    sender.script.push(promise)
    const queue = queueWith({ limits: { bytes: 5, items: 100 } })
    void queue.push(textRequest('a'))
    void queue.push(textRequest('much too long', 9))
    assert.deepEqual(figures(queue), { produced: 10, delivered: 0, lost: { queue_full: 9 }, items: 1, bytes: 1 })
    resolve(delivered)
  })

  it('holds its bounds and balances whatever happens', async function () {
    this.timeout(30_000)
    let seed = 12_345
    const random = () => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
      return seed / 2 ** 31
    }
    for (let round = 0; round < 40; round++) {
      const limits = { bytes: 20 + Math.floor(random() * 200), items: 1 + Math.floor(random() * 60) }
      const own = new ScriptedSender()
      const taken: string[] = []
      own.otherwise = async ({ body, items }) => {
        if (random() < 0.5) await sleep(0)
        const chance = random()
        if (chance < 0.3) return retry
        if (chance < 0.4) return refused
        taken.push(Buffer.from(body).toString())
        return chance < 0.5 ? { kind: 'delivered', rejected: Math.floor(random() * items) } : delivered
      }
      const queue = queueWith({ limits, sender: own })
      for (let i = 0; i < 60; i++) {
        void queue.push(textRequest(String(i).padEnd(1 + Math.floor(random() * 40), '.'), 1 + Math.floor(random() * 9)))
        const { queue: held } = queue.counts
        // One that is under way is beside what waits.
        assert.ok(held.bytes <= limits.bytes + 40 && held.items <= limits.items + 9)
        assertBalanced(queue)
        if (random() < 0.3) await sleep(0)
      }
      if (random() < 0.5) await queue.drained()
      await queue.close(random() < 0.5 ? 0 : 50)
      assertBalanced(queue)
      assert.equal(queue.counts.queue.items, 0)
      assert.equal(new Set(taken).size, taken.length, 'nothing is taken twice')
      const order = taken.map(text => Number.parseInt(text, 10))
      assert.deepEqual(
        order,
        order.toSorted((a, b) => a - b),
      )
    }
  })
})

describe('a queue at its end', () => {
  it('tries what waits once more, without waiting in between, and counts what is left', async () => {
    sender.script.push(retryAfter(60_000), delivered, retry)
    const queue = queueWith()
    for (const text of ['a', 'b', 'c']) void queue.push(textRequest(text, 2))
    await until('the first answer', () => queue.failures === 1)
    const startMs = performance.now()
    await queue.close(5_000)
    assert.ok(performance.now() - startMs < 1_000)
    assert.deepEqual(sender.texts, ['a', 'a', 'b'])
    assert.deepEqual(figures(queue), { ...nothing, produced: 6, delivered: 2, lost: { shutdown: 4 } })
  })

  it('does not wait longer than it may for a receiver that never answers', async () => {
    const { promise, resolve } = later()
    sender.script.push(promise)
    const queue = queueWith()
    void queue.push(textRequest('a', 2))
    await queue.close(50)
    assert.deepEqual(figures(queue), { ...nothing, produced: 2, lost: { shutdown: 2 } })
    resolve(delivered)
    await sleep(5)
    assert.deepEqual(figures(queue), { ...nothing, produced: 2, lost: { shutdown: 2 } })
  })

  it('counts what comes too late', async () => {
    const queue = queueWith()
    await queue.close(0)
    await queue.push(textRequest('a', 2))
    assert.deepEqual(figures(queue), { ...nothing, produced: 2, lost: { shutdown: 2 } })
    assert.deepEqual(sender.texts, [])
  })
})
