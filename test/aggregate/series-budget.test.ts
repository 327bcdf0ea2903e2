import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { EdgeTable } from '../../lib/aggregate/edge-table.ts'
import { SeriesBudget } from '../../lib/aggregate/series-budget.ts'
import { api, db, external, podIdentity } from './small-cluster.ts'

function takeAll(budget: SeriesBudget, series: number, namespace?: string): number {
  let times = 0
  while (budget.take(series, namespace)) times++
  return times * series
}

describe('series budget', () => {
  it('is given whole to who comes first where it is small', () => {
    assert.equal(takeAll(new SeriesBudget(100), 10, 'shop'), 100)
  })

  it('keeps a quarter for those that have little, and no more than that', () => {
    const budget = new SeriesBudget(10_000)
    assert.equal(takeAll(budget, 10, 'greedy'), 7500)
    assert.equal(takeAll(budget, 10, 'greedy too'), 500)
    assert.equal(takeAll(budget, 10, 'modest'), 500)
    assert.equal(takeAll(budget, 10, 'greedy'), 0)
    for (const name of ['a', 'b', 'c']) assert.equal(takeAll(budget, 10, name), 500)
    assert.equal(takeAll(budget, 10, 'late'), 0)
  })

  it('leaves edges to others when a namespace has 100,000 peers, and its totals stay', () => {
    const edges = new EdgeTable({ seriesLimit: 10_000 })
    const rest = { transport: 'tcp', family: 4, observer: 'client' } as const
    for (let i = 0; i < 100_000; i++) {
      const peer = podIdentity('many', `peer-${i}`, `peer-${i}`)
      const edge = edges.edgeFor({ ...rest, client: db, server: peer, serverPort: 80 })
      edges.add(edge, 1, 100, 0, 0)
    }
    const mine = edges.edgeFor({ ...rest, client: api, server: external, serverPort: 443 })
    assert.deepEqual([edges.edges[mine]!.overflow, edges.edges[mine]!.client.namespace], [false, 'shop'])
    assert.equal(edges.totals().bytes, 10_000_000)
    const served = edges.edgeFor({ ...rest, client: external, server: api, serverPort: 8080, observer: 'server' })
    assert.equal(edges.edges[served]!.overflow, false)
  })
})
