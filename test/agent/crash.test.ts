// The agent killed in the middle of traffic: what it leaves, and that its successor counts nothing twice.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, before, beforeEach, describe, it } from 'mocha'
import type { TrafficProgram } from '../../lib/demo/traffic-program.ts'
import { Agent } from '../support/agent.ts'
import { existingLinks, heldBy } from '../support/bpf-objects.ts'
import { hasValue } from '../support/collected-otlp.ts'
import type { OtlpPoint, OtlpRequest } from '../support/collector.ts'
import { quiesce } from '../support/counters.ts'
import { Namespaces, type TestNamespace } from '../support/namespaces.ts'
import { skip } from '../support/skip.ts'
import { filters, hookQdiscs, ownFilters, tc } from '../support/traffic-control.ts'

const PACKETS = 'podweir.network.flow.packets'

let folder = ''
let namespaces: Namespaces
let agent: Agent | undefined
let a: TestNamespace
let b: TestNamespace
let sink: TrafficProgram

function start(hook: 'tcx' | 'clsact'): Promise<Agent> {
  const receiver = { hook, drain_interval: '100ms', collection_interval: '200ms' }
  return Agent.start({ folder, pods: [{ name: 'a', namespace: a }], receiver })
}

async function send(count: number): Promise<void> {
  await a.traffic('udp-send', '--to', b.addresses.v4, '--port', 9000, '--count', count, '--rate', 4000)
  await quiesce([a.name, b.name])
}

/** Values of every series of the metric in the file, by start time and series, in the order of the requests. */
function exported(metric: string): Map<string, number[][]> {
  const text = readFileSync(join(folder, 'metrics.jsonl'), 'utf8')
  const series = new Map<string, Map<string, number[]>>()
  for (const line of text.slice(0, text.lastIndexOf('\n')).split('\n'))
    for (const point of pointsOf(JSON.parse(line) as OtlpRequest, metric)) {
      const start = point.startTimeUnixNano!
      const ofStart = series.get(start) ?? new Map<string, number[]>()
      series.set(start, ofStart)
      const key = JSON.stringify(point.attributes)
      ofStart.set(key, [...(ofStart.get(key) ?? []), Number(point.asInt)])
    }
  return new Map([...series].map(([start, ofStart]) => [start, [...ofStart.values()]]))
}

function pointsOf(request: OtlpRequest, metric: string): OtlpPoint[] {
  const metrics = request.resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(each => each.metrics))
  return metrics.filter(({ name }) => name === metric).flatMap(({ sum }) => (sum?.dataPoints ?? []).filter(hasValue))
}

const sumOfLast = (series: readonly number[][]) => series.reduce((sum, values) => sum + values.at(-1)!, 0)

/** Under traffic, a moment after some of it was exported. */
async function killUnderTraffic(first: Agent): Promise<void> {
  const sending = a.traffic('udp-send', '--to', b.addresses.v4, '--port', 9000, '--count', 6_000, '--rate', 4000)
  await first.until('something is exported', ({ exporters }) => exporters[0]?.acknowledgedAt !== undefined)
  await first.until('flows are counted', ({ flows }) => flows.live > 0)
  await new Promise(resolve => setTimeout(resolve, 500))
  await first.kill()
  await sending
  await quiesce([a.name, b.name])
}

describe('an agent that is killed', function () {
  this.timeout(40_000)

  before(function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load kernel programs')
  })
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'podweir-crash-'))
    namespaces = new Namespaces()
    ;({ a, b } = await namespaces.createPair())
    sink = await b.serve('udp-serve', '--port', 9000)
  })
  afterEach(async () => {
    await agent?.kill()
    await namespaces.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  for (const hook of ['tcx', 'clsact'] as const)
    it(`by ${hook} is followed by one that counts from 0 under a new start time, and nothing twice`, async () => {
      agent = await start(hook)
      const { links } = heldBy(agent.pid)
      assert.equal(links.length, hook === 'tcx' ? 2 : 0)
      await killUnderTraffic(agent)
      const left = await existingLinks()
      assert.ok(!links.some(id => left.includes(id)), 'its tcx links are still there')
      const truth = (await a.device()).transmitPackets
      const before = exported(PACKETS)
      assert.equal(before.size, 1)
      const first = sumOfLast([...before.values()][0]!)
      assert.ok(first > 0 && first < truth, `${first} of ${truth}`)
      agent = await start(hook)
      await send(1_234)
      assert.equal((await agent.stop()).code, 0)
      const after = exported(PACKETS)
      assert.equal(after.size, 2)
      const [[earlier, old], [later, series]] = [...after] as [[string, number[][]], [string, number[][]]]
      assert.ok(BigInt(later) > BigInt(earlier))
      assert.equal(sumOfLast(old), first)
      for (const values of series) {
        assert.equal(values[0], 0)
        assert.deepEqual(
          values,
          values.toSorted((x, y) => x - y),
        )
      }
      assert.equal(sumOfLast(series), 1_234)
      assert.equal((await a.device()).transmitPackets, truth + 1_234)
      assert.equal((await sink.stop()).received, truth + 1_234)
    })

  it('leaves clsact filters that its successor replaces, one for each direction, and removes with the clsact', async () => {
    agent = await start('clsact')
    await killUnderTraffic(agent)
    const stale = await ownFilters('eth0', a.name)
    assert.equal(stale.length, 2)
    const staleProgram = await programIds()
    agent = await start('clsact')
    assert.match(agent.messages.join(), /replaced the filter that a killed agent had left/)
    assert.equal((await ownFilters('eth0', a.name)).length, 2)
    assert.ok((await programIds()).every(id => !staleProgram.includes(id)))
    assert.equal((await agent.stop()).code, 0)
    assert.deepEqual(await hookQdiscs('eth0', a.name), [])
  })

  it('leaves no filter to one that uses tcx', async () => {
    agent = await start('clsact')
    await agent.kill()
    agent = await start('tcx')
    assert.deepEqual(await hookQdiscs('eth0', a.name), [])
    assert.equal((await agent.stop()).code, 0)
  })

  it('had found a clsact of somebody else: its successor leaves that one', async () => {
    await tc(a.name, 'qdisc', 'add', 'dev', 'eth0', 'clsact')
    agent = await start('clsact')
    await agent.kill()
    assert.equal((await ownFilters('eth0', a.name)).length, 2)
    agent = await start('clsact')
    assert.equal((await ownFilters('eth0', a.name)).length, 2)
    assert.equal((await agent.stop()).code, 0)
    assert.deepEqual(await hookQdiscs('eth0', a.name), ['clsact'])
    assert.deepEqual(await ownFilters('eth0', a.name), [])
  })
})

async function programIds(): Promise<number[]> {
  return (await filters('eth0', a.name)).map(({ options }) => options!.prog!.id)
}
