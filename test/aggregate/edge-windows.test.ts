// What edges counted in each window.
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { COUNTS_PER_EDGE, EdgeCount } from '../../lib/aggregate/edge-counts.ts'
import { type EdgeWindow, EdgeWindows, WINDOW_COUNTS } from '../../lib/aggregate/edge-windows.ts'
import { Failed, Retired } from '../../lib/capture/flow-batch.ts'
import { type FlowRow, flowBatch, type StartedRow } from '../support/flow-batch.ts'
import { smallCluster } from './small-cluster.ts'

const SECOND = 1000
const WINDOW = 15 * SECOND
const START = 100 * WINDOW

interface Drained {
  readonly atMs: number
  readonly started?: StartedRow[]
  readonly flows?: FlowRow[]
}

/** Window by window what is drained, and the windows that came of it. */
function windowsOf(drains: readonly Drained[], cluster = smallCluster(), sinceMs = START) {
  const windows = new EdgeWindows(cluster.edges, WINDOW, sinceMs)
  const over: EdgeWindow[] = []
  drains.forEach(({ atMs, ...batch }, i) => {
    over.push(...[windows.drained(atMs)].filter(window => window !== undefined))
    cluster.table.apply(flowBatch({ sequence: i + 1, readAtMs: atMs, ...batch }))
  })
  const last = windows.finish()
  return { windows, over: last ? [...over, last] : over, ...cluster }
}

/** By server port. */
function countsOf({ edges, counts }: EdgeWindow): Record<number, Record<string, number>> {
  return Object.fromEntries(
    edges.map(({ serverPort }, row) => [
      serverPort,
      Object.fromEntries(
        Object.entries(EdgeCount)
          .filter(([, count]) => count < WINDOW_COUNTS)
          .map(([name, count]) => [name, counts[row * WINDOW_COUNTS + count]!] as const)
          .filter(([, value]) => value !== 0),
      ),
    ]),
  )
}

describe('windows of edges', () => {
  it('are aligned to the clock, and have what was drained in them', () => {
    const { over } = windowsOf([
      { atMs: START + SECOND, started: [{}], flows: [{ fromPodPackets: 1, fromPodBytes: 100, opened: 1 }] },
      { atMs: START + WINDOW - 1, flows: [{ toPodPackets: 1, toPodBytes: 50 }] },
      { atMs: START + WINDOW, flows: [{ fromPodPackets: 2, fromPodBytes: 7 }] },
    ])
    assert.deepEqual(
      over.map(window => [window.startMs, window.endMs, countsOf(window)]),
      [
        [
          START,
          START + WINDOW,
          { 8080: { requestBytes: 100, requestPackets: 1, responseBytes: 50, responsePackets: 1, opened: 1 } },
        ],
        [START + WINDOW, START + WINDOW, { 8080: { requestBytes: 7, requestPackets: 2 } }],
      ],
    )
  })

  it('begin where counting began, and end where it ended', () => {
    const { over } = windowsOf(
      [
        { atMs: START + 6 * SECOND, started: [{}], flows: [{ fromPodPackets: 1 }] },
        { atMs: START + 9 * SECOND, flows: [{ fromPodPackets: 1 }] },
      ],
      smallCluster(),
      START + 5 * SECOND,
    )
    assert.deepEqual(
      over.map(({ startMs, endMs }) => [startMs - START, endMs - START]),
      [[5 * SECOND, 9 * SECOND]],
    )
  })

  it('have only edges that counted something, a failure without a packet among it', () => {
    const { over } = windowsOf([
      {
        atMs: START,
        started: [{}, { slot: 8, remotePort: 81 }],
        flows: [{ fromPodPackets: 1 }, { slot: 8, fromPodPackets: 1 }],
      },
      { atMs: START + WINDOW, flows: [{ slot: 8, failed: Failed.timeout }] },
      { atMs: START + 2 * WINDOW },
      { atMs: START + 9 * WINDOW, flows: [{ ended: Retired.yes }] },
    ])
    assert.deepEqual(over.map(countsOf), [
      { 8080: { requestPackets: 1 }, 81: { requestPackets: 1 } },
      { 81: { failedTimeout: 1 } },
    ])
  })

  it('add up to what the edges count, whatever comes in between', () => {
    const cluster = smallCluster({ seriesLimit: 24 })
    let random = 1
    const next = (below: number) => {
      random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0
      return (random >>> 8) % below
    }
    const started = Array.from({ length: 20 }, (_, slot) => ({
      slot,
      remotePort: 80 + (slot % 5),
      localPort: 40_000 + slot,
    }))
    const drains = Array.from({ length: 200 }, (_, i) => ({
      // A clock that is set back now and then.
      atMs: START + i * 1100 - (i % 50 === 49 ? 40 * SECOND : 0),
      ...(i === 0 && { started }),
      flows: started
        .filter(() => i === 0 || next(3) === 0)
        .map(({ slot }) => ({
          slot,
          fromPodPackets: next(9),
          fromPodBytes: next(9000),
          toPodBytes: next(99),
          opened: next(2),
          failed: next(5),
        })),
    }))
    const { over, edges } = windowsOf(drains, cluster)
    assert.ok(over.length > 14 && edges.edges.some(edge => edge?.overflow))
    for (const [index, edge] of edges.edges.entries())
      for (let count = 0; count < WINDOW_COUNTS; count++) {
        const sum = over.reduce((all, window) => {
          const row = window.edges.indexOf(edge!)
          return row === -1 ? all : all + window.counts[row * WINDOW_COUNTS + count]!
        }, 0)
        assert.equal(sum, edges.values[index * COUNTS_PER_EDGE + count], `edge ${index} count ${count}`)
      }
  })

  it('lose nothing of a count that begins again from 0', () => {
    const most = Number.MAX_SAFE_INTEGER
    const { over, edges } = windowsOf([
      { atMs: START, started: [{}], flows: [{ fromPodBytes: most - 10 }] },
      { atMs: START + WINDOW, flows: [{ fromPodBytes: 4 }] },
      { atMs: START + WINDOW + SECOND, flows: [{ fromPodBytes: 100 }] },
    ])
    assert.equal(edges.restarts.length, 1)
    assert.deepEqual(over.map(countsOf), [{ 8080: { requestBytes: most - 10 } }, { 8080: { requestBytes: 104 } }])
  })

  it('have what an edge counted that is gone, and nothing of it for the one that gets its index', () => {
    const cluster = smallCluster({ edgeIdleMs: 2 * SECOND })
    const { over, edges } = windowsOf(
      [
        { atMs: START, started: [{}], flows: [{ fromPodBytes: 5, ended: Retired.yes }] },
        ...[3, 6, 9].map(seconds => ({ atMs: START + seconds * SECOND })),
        { atMs: START + 10 * SECOND, started: [{ remotePort: 81 }], flows: [{ fromPodBytes: 5, ended: Retired.yes }] },
      ],
      cluster,
    )
    assert.deepEqual(
      edges.edges.map(edge => edge?.serverPort),
      [81],
    )
    assert.deepEqual(over.map(countsOf), [{ 8080: { requestBytes: 5 }, 81: { requestBytes: 5 } }])
  })

  it('are told apart by their first drain, also two that a clock set back puts at the same place', () => {
    const { over } = windowsOf([
      { atMs: START + WINDOW, started: [{}], flows: [{ fromPodPackets: 1 }] },
      { atMs: START + SECOND, flows: [{ fromPodPackets: 1 }] },
      { atMs: START + WINDOW + SECOND, flows: [{ fromPodPackets: 1 }] },
    ])
    assert.equal(over.length, 3)
    assert.equal(new Set(over.map(({ drainedFromMs }) => drainedFromMs)).size, 3)
    for (const { startMs, endMs } of over) assert.ok(startMs <= endMs)
  })
})
