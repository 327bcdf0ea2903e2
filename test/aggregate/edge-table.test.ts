import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { COUNTS_PER_EDGE, EdgeCount } from '../../lib/aggregate/edge-counts.ts'
import { type EdgeQuestion, EdgeTable } from '../../lib/aggregate/edge-table.ts'
import { api, apiService, external, podIdentity, web } from './small-cluster.ts'

const webToApi: EdgeQuestion = {
  client: web,
  server: api,
  serverPort: 8080,
  transport: 'tcp',
  family: 4,
  observer: 'client',
}

function valuesOf(edges: EdgeTable, edge: number): number[] {
  return [...edges.values.subarray(edge * COUNTS_PER_EDGE, edge * COUNTS_PER_EDGE + EdgeCount.opened + 1)]
}

describe('edge table', () => {
  it('has one edge for all pods of a workload', () => {
    const edges = new EdgeTable()
    const first = edges.edgeFor(webToApi)
    assert.equal(edges.edgeFor({ ...webToApi, client: podIdentity('shop', 'web-2', 'web') }), first)
    assert.equal(edges.edges.length, 1)
  })

  it('has an edge for each port, transport, family, observer and Service', () => {
    const edges = new EdgeTable()
    edges.edgeFor(webToApi)
    edges.edgeFor({ ...webToApi, serverPort: 8081 })
    edges.edgeFor({ ...webToApi, transport: 'udp' })
    edges.edgeFor({ ...webToApi, family: 6 })
    edges.edgeFor({ ...webToApi, observer: 'server' })
    edges.edgeFor({ ...webToApi, server: apiService })
    edges.edgeFor({ ...webToApi, client: api, server: web })
    assert.equal(edges.edges.length, 7)
  })

  it('does not tell ends apart that leave the program with the same attributes', () => {
    const edges = new EdgeTable()
    const elsewhere = { class: 'external', name: 'external', ports: new Set<string>() } as const
    const first = edges.edgeFor({ ...webToApi, server: external })
    assert.equal(edges.edgeFor({ ...webToApi, server: elsewhere }), first)
  })

  it('adds up both directions and connections', () => {
    const edges = new EdgeTable()
    const edge = edges.edgeFor(webToApi)
    edges.add(edge, 2, 200, 1, 1500)
    edges.add(edge, 1, 60, 0, 0)
    edges.addEvents(edge, EdgeCount.opened, 1)
    assert.deepEqual(valuesOf(edges, edge), [260, 3, 1500, 1, 1])
    assert.deepEqual(edges.totals(), { packets: 4, bytes: 1760 })
  })

  it('starts an edge when its first counts can have begun', () => {
    const edges = new EdgeTable()
    edges.startsAt(5000)
    const edge = edges.edgeFor(webToApi)
    edges.startsAt(6000)
    edges.edgeFor(webToApi)
    assert.equal(edges.starts[edge * COUNTS_PER_EDGE], 5000)
  })

  it('keeps counting when it grows', () => {
    const edges = new EdgeTable()
    for (let port = 1; port <= 500; port++) edges.add(edges.edgeFor({ ...webToApi, serverPort: port }), 1, port, 0, 0)
    assert.deepEqual(edges.totals(), { packets: 500, bytes: 125_250 })
  })

  it('puts what exceeds the series budget into one overflow edge, both directions together', () => {
    const edges = new EdgeTable({ seriesLimit: 29 })
    edges.edgeFor(webToApi)
    edges.edgeFor({ ...webToApi, serverPort: 1 })
    const third = edges.edgeFor({ ...webToApi, serverPort: 2 })
    assert.equal(edges.edgeFor({ ...webToApi, serverPort: 3 }), third)
    assert.equal(edges.edges[third]!.overflow, true)
    edges.add(third, 2, 200, 3, 300)
    assert.deepEqual(valuesOf(edges, third), [500, 5, 0, 0, 0])
    assert.equal(edges.edgeFor(webToApi), 0)
  })

  it('restarts a count that would not be exact any more', () => {
    const edges = new EdgeTable()
    edges.startsAt(1000)
    const edge = edges.edgeFor(webToApi)
    edges.add(edge, 1, Number.MAX_SAFE_INTEGER, 0, 0)
    assert.equal(edges.restarts.length, 0)
    edges.startsAt(2000)
    edges.add(edge, 1, 1, 0, 0)
    assert.deepEqual(edges.restarts, [
      { index: EdgeCount.requestBytes, startMs: 1000, endMs: 2000, value: Number.MAX_SAFE_INTEGER },
    ])
    assert.deepEqual(valuesOf(edges, edge), [1, 2, 0, 0, 0])
    assert.equal(edges.starts[EdgeCount.requestBytes], 2000)
    assert.equal(edges.starts[EdgeCount.requestPackets], 1000)
    assert.equal(edges.totals().packets, 2)
  })
})
