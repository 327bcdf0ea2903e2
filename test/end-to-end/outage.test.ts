import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'mocha'
import { Agent } from '../support/agent.ts'
import { type Collector, type OtlpPoint, prepareCollector } from '../support/collector.ts'
import { Namespaces, type WireHop } from '../support/namespaces.ts'
import { comeToRest } from '../support/rest.ts'
import { skip } from '../support/skip.ts'

const EDGES = 600
/** An export has about 1 MB, and what it leaves behind waits for the garbage collector: peaks of so many are compared. */
const FAILURES = 40
const GROWTH_LIMIT_KB = 20_000

describe('a Collector that is away', function () {
  this.timeout(60_000)
  const namespaces = new Namespaces()
  let folder = ''
  let hop: WireHop
  let collector: Collector
  let agent: Agent

  before('build the Collector, once', async function () {
    this.timeout('15m')
    if (process.getuid?.() !== 0) skip(this, 'needs root to load eBPF and to make network namespaces')
    folder = mkdtempSync(join(tmpdir(), 'podweir-outage-'))
    collector = await prepareCollector({ folder })
    hop = await namespaces.wireHop({ ipv6: true })
  })

  after(async () => {
    await agent?.stop()
    await collector?.stop()
    await namespaces.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  /** Each destination port is an edge of its own. */
  function datagrams(count: number, rate: number): Promise<unknown> {
    const shape = ['--tuples', EDGES, '--ports', EDGES, '--count', count, '--rate', rate] as const
    return hop.a.traffic('udp-send', '--to', hop.b.addresses.v4, '--port', 9000, ...shape)
  }

  async function failuresGrow(by: number): Promise<void> {
    const { exporters } = await agent.status()
    const before = exporters[0]!.failures
    await agent.until('requests fail', status => status.exporters[0]!.failures >= before + by)
  }

  /** The most that is resident behind any of so many failures. */
  async function peakOver(failures: number): Promise<number> {
    let peak = 0
    for (let i = 0; i < failures; i++) {
      await failuresGrow(1)
      peak = Math.max(peak, agent.residentKilobytes)
    }
    return peak
  }

  async function acknowledgedSince(sinceMs: number): Promise<void> {
    await agent.until('delivery goes on', ({ exporters }) => Date.parse(exporters[0]?.acknowledgedAt ?? '') > sinceMs)
  }

  it('gets exact sums afterwards: down at the start, killed in the middle, back again', async () => {
    const receiver = { collection_interval: '100ms' }
    agent = await Agent.start({ folder, pods: [{ name: 'a', namespace: hop.a }], otlp: collector.endpoint, receiver })
    await hop.b.serve('udp-serve', '--port', 9000, '--ports', EDGES)
    await hop.b.serve('tcp-serve', '--port', 5001, '--sink')
    await datagrams(2000, 4000)
    await failuresGrow(5)
    await collector.restart()
    await acknowledgedSince(0)
    const bulk = hop.a.traffic('tcp-bulk', '--to', hop.b.addresses.v6, '--port', 5001, '--bytes', 16e6, '--rate', 2e6)
    const stream = datagrams(40_000, 4000)
    await agent.until('the stream is delivered', () => collector.points('podweir.network.flow.bytes', tcp).length > 4)
    await collector.kill()
    dropHalfLine(collector.file)
    await failuresGrow(5)
    await hop.a.traffic('ping', '--to', hop.b.addresses.v4, '--count', 5, '--interval', 0.01)
    const earlyKilobytes = await peakOver(FAILURES)
    const lateKilobytes = await peakOver(FAILURES)
    await collector.restart()
    await acknowledgedSince(Date.now())
    await Promise.all([bulk, stream])
    await comeToRest([hop.a.name, hop.b.name, hop.middle.name])
    assert.equal(agent.running, true)
    const { code, stderr } = await agent.stop()
    assert.equal(code, 0, stderr)
    await collector.stop()
    const wire = await hop.wire()
    assert.deepEqual(
      ['packets', 'bytes'].map(unit => collector.sums(`podweir.network.flow.${unit}`, { ...request })),
      [BigInt(wire.transmitPackets), BigInt(wire.transmitBytes)],
    )
    assert.deepEqual(
      ['packets', 'bytes'].map(unit => collector.sums(`podweir.network.flow.${unit}`, { ...response })),
      [BigInt(wire.receivePackets), BigInt(wire.receiveBytes)],
    )
    assert.equal(collector.sums('podweir.network.flow.packets', { ...request, 'network.transport': 'icmp' }), 5n)
    console.log(
      `      resident in the outage: at most ${earlyKilobytes} kB, in ${FAILURES} more failures ${lateKilobytes} kB`,
    )
    assert.ok(lateKilobytes - earlyKilobytes < GROWTH_LIMIT_KB)
  })

  it('has a zero point before the first value of every series', () => {
    const counts = { series: 0, points: 0 }
    for (const [name, points] of counterPoints(collector)) {
      const last = new Map<string, bigint>()
      // A request that was written before its Collector was killed, and not acknowledged, comes once more as it was.
      const seen = new Set<string>()
      for (const point of points) {
        const key = `${point.startTimeUnixNano} ${JSON.stringify(point.attributes)}`
        const value = BigInt(point.asInt!)
        const exactly = `${key} ${point.timeUnixNano} ${value}`
        if (seen.has(exactly)) continue
        seen.add(exactly)
        const before = last.get(key)
        if (before === undefined) {
          counts.series++
          assert.deepEqual([value, point.timeUnixNano], [0n, point.startTimeUnixNano], `${name} ${key}`)
        }
        assert.ok(value >= (before ?? 0n), `${name} ${key} fell`)
        last.set(key, value)
        counts.points++
      }
    }
    // Of each edge two directions in bytes and packets, and connections opened.
    assert.ok(counts.series > 5 * EDGES, JSON.stringify(counts))
  })
})

const request = { 'podweir.flow.direction': 'request' }
const response = { 'podweir.flow.direction': 'response' }
const tcp = { ...request, 'network.transport': 'tcp' }

/** The Collector would write on behind it. */
function dropHalfLine(file: string): void {
  truncateSync(file, readFileSync(file).lastIndexOf('\n') + 1)
}

/** The points of each counter in the order in which they arrived. */
function counterPoints(collector: Collector): Map<string, OtlpPoint[]> {
  const points = new Map<string, OtlpPoint[]>()
  for (const { resourceMetrics } of collector.requests())
    for (const { name, sum } of resourceMetrics.flatMap(each => each.scopeMetrics).flatMap(each => each.metrics))
      if (sum?.isMonotonic && sum.dataPoints.every(({ asInt }) => asInt !== undefined))
        points.set(name, [...(points.get(name) ?? []), ...sum.dataPoints])
  return points
}
