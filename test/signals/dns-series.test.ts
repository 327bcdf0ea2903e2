import assert from 'node:assert/strict'
import type { Histogram } from '@opentelemetry/sdk-metrics'
import { describe, it } from 'mocha'
import { external, web } from '../aggregate/small-cluster.ts'
import { observedCluster } from './observed-cluster.ts'
import { pointsNamed, Receiver, valuesNamed } from './receiver.ts'

const duration = 'podweir.dns.lookup.duration'
const messages = 'podweir.dns.messages'
const bounds = [2 ** -13, 2 ** -11, 2 ** -9, 2 ** -7, 2 ** -5, 2 ** -3, 2 ** -1, 2]

describe('DNS series', () => {
  it('tells how long lookups took, by owner, domain and outcome, behind a zero', async () => {
    const { lookups, collect } = observedCluster()
    lookups.add(web, 'stripe.example', undefined, 0.001, 1_001_000)
    lookups.add(web, 'stripe.example', undefined, 0.25, 1_002_000)
    lookups.add(web, 'stripe.example', 'timeout', 5, 1_002_000)
    const points = pointsNamed(await collect(), duration)
    const owner = {
      'source.k8s.namespace.name': 'shop',
      'source.k8s.owner.name': 'web',
      'source.k8s.owner.type': 'Deployment',
      'podweir.dns.question.suffix': 'stripe.example',
    }
    const values = points.map(({ value, attributes, startTime }) => {
      const { count, sum, buckets } = value as unknown as Histogram
      assert.deepEqual(buckets.boundaries, bounds)
      return [attributes, startTime[0], count, sum, buckets.counts]
    })
    const none = new Array(9).fill(0)
    assert.deepEqual(values, [
      [owner, 1001, 0, 0, none],
      [owner, 1001, 2, 0.251, [0, 0, 1, 0, 0, 0, 1, 0, 0]],
      [{ ...owner, 'error.type': 'timeout' }, 1002, 0, 0, none],
      [{ ...owner, 'error.type': 'timeout' }, 1002, 1, 5, [0, 0, 0, 0, 0, 0, 0, 0, 1]],
    ])
  })

  it('has a bounded number of series, and every lookup in one; an owner with ever new domains takes no other’s', async () => {
    const { lookups, collect } = observedCluster()
    for (let i = 0; i < 1000; i++) lookups.add(web, `${i}.example`, undefined, 0.1, 1_001_000)
    lookups.add(external, 'stripe.example', undefined, 0.1, 1_001_000)
    const metrics = await collect()
    const receiver = new Receiver()
    receiver.take(metrics)
    assert.equal(receiver.sum(duration), 1001)
    assert.equal(pointsNamed(metrics, duration).length, 2 * (64 + 1 + 1))
    const overflow = pointsNamed(metrics, duration, { 'otel.metric.overflow': true })
    assert.deepEqual(overflow[1]!.attributes, { 'otel.metric.overflow': true })
    assert.equal((overflow[1]!.value as unknown as Histogram).count, 1000 - 64)
    for (let owner = 0; owner < 100; owner++)
      for (let i = 0; i < 10; i++)
        lookups.add({ class: 'pod', name: `pod-${owner}`, ports: new Set() }, `${i}.example`, undefined, 0.1, 1_001_000)
    assert.equal(lookups.lookups.length, 513)
    assert.equal(lookups.ended, 2001)
  })

  it('tells what became of every message, from the agent’s start on', async () => {
    const { lookups, collect } = observedCluster()
    lookups.messages.answer_unsolicited = 3
    const [zero, now] = pointsNamed(await collect(), messages, { 'podweir.dns.message.outcome': 'answer_unsolicited' })
    assert.deepEqual([zero!.value, now!.value, now!.startTime[0]], [0, 3, 900])
  })

  it('is not sent again while nothing changes', async () => {
    const { lookups, collect, outlet } = observedCluster()
    lookups.add(web, 'stripe.example', undefined, 0.001, 1_001_000)
    outlet.acknowledged(await collect())
    assert.deepEqual(valuesNamed(await collect(), duration), [])
  })
})
