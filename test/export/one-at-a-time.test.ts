import assert from 'node:assert/strict'
import { emptyResource } from '@opentelemetry/resources'
import type { CollectionResult } from '@opentelemetry/sdk-metrics'
import { describe, it } from 'mocha'
import { oneAtATime } from '../../lib/export/one-at-a-time.ts'

const collected = (name: string): CollectionResult => ({
  resourceMetrics: { resource: emptyResource(), scopeMetrics: [{ scope: { name }, metrics: [] }] },
  errors: [],
})
const nameOf = ({ resourceMetrics }: CollectionResult) => resourceMetrics.scopeMetrics[0]?.scope.name

describe('collections one at a time', () => {
  it('wait for the answer to the one before, and only the newest that waits is made', async () => {
    let answer = () => {}
    let underWay: Promise<void> | undefined
    let made = 0
    const producer = oneAtATime(
      {
        collect: async () => {
          made++
          underWay = new Promise<void>(resolve => {
            answer = resolve
          })
          return collected(String(made))
        },
      },
      async () => underWay,
    )
    assert.equal(nameOf(await producer.collect()), '1')
    const waiting = [producer.collect(), producer.collect(), producer.collect()]
    await new Promise(resolve => setTimeout(resolve, 20))
    assert.equal(made, 1)
    answer()
    assert.deepEqual(
      (await Promise.all([waiting[0], waiting[1]])).map(each => nameOf(each!)),
      [undefined, undefined],
    )
    assert.equal(nameOf(await waiting[2]!), '2')
  })

  it('go on behind one that failed', async () => {
    let made = 0
    const producer = oneAtATime(
      {
        collect: async () => {
          if (++made === 1) throw new Error('no')
          return collected('fine')
        },
      },
      async () => {},
    )
    await assert.rejects(producer.collect(), /no/)
    assert.equal(nameOf(await producer.collect()), 'fine')
  })
})
