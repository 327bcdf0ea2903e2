// Beside others on the same interface: they see every packet, keep what they have, and lose nothing when we go.
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'mocha'
import type { AttachRequest } from '../../lib/capture/flow-source.ts'
import { Failure } from '../../lib/host/failure.ts'
import { quiesce } from '../support/counters.ts'
import { type HookPlace, LoadCounter, tcxPrograms } from '../support/kernel.ts'
import { Namespaces, type TestNamespace } from '../support/namespaces.ts'
import { skip } from '../support/skip.ts'
import { foreignFilters, hookQdiscs, ownFilters, tc } from '../support/traffic-control.ts'
import { drainRow, drainSkbs, Sources } from './interface-row.ts'

const LAST_PRIORITY = 65_535
const MATCH_ALL = ['u32', 'match', 'u32', '0', '0']

const sources = new Sources()
const counters: LoadCounter[] = []
let namespaces: Namespaces
let a: TestNamespace
let b: TestNamespace

const request = (hook: AttachRequest['hook']): AttachRequest => ({ netns: a.path, device: 'eth0', place: 'pod', hook })
const place = (direction: HookPlace['direction']): HookPlace => ({ netns: a.path, device: 'eth0', direction })

function count(where: 'tcx-head' | 'tcx-tail' | 'clsact', direction: HookPlace['direction'], verdict?: 'pass') {
  const counter = new LoadCounter({ ...place(direction), where, priority: LAST_PRIORITY }, verdict)
  counters.push(counter)
  return counter
}

const tcInside = (...args: string[]) => tc(a.name, ...args)
const addFilter = (direction: string, priority: number, ...match: string[]) =>
  tcInside('filter', 'add', 'dev', 'eth0', direction, 'prio', String(priority), 'protocol', 'all', ...match)

/** Datagrams that nobody answers. */
async function send(from: TestNamespace, to: TestNamespace, datagrams: number): Promise<void> {
  const server = await to.serve('udp-serve', '--port', 9000)
  await from.traffic('udp-send', '--to', to.addresses.v4, '--port', 9000, '--count', datagrams)
  await server.stop()
}

async function bulk(from: TestNamespace, to: TestNamespace): Promise<void> {
  const sink = await to.serve('tcp-serve', '--port', 5001, '--sink')
  await from.traffic('tcp-bulk', '--to', to.addresses.v4, '--port', 5001, '--bytes', 2_000_000)
  await sink.stop()
  await quiesce([from.name, to.name])
}

/** What others have on the interface, without what it has counted. */
async function foreign() {
  const qdiscs = await hookQdiscs('eth0', a.name)
  return { qdiscs, filters: await foreignFilters('eth0', a.name) }
}

describe('beside others', function () {
  this.timeout(30_000)

  before(function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load kernel programs')
  })
  beforeEach(async () => {
    namespaces = new Namespaces()
    ;({ a, b } = await namespaces.createPair())
  })
  afterEach(async () => {
    await sources.close()
    for (const counter of counters.splice(0)) counter.close()
    await namespaces?.remove()
  })
  after(() => namespaces?.remove())

  for (const hook of ['tcx', 'clsact'] as const)
    it(`by ${hook} passes every skb on to programs at the end of both chains, in both directions`, async () => {
      await tcInside('qdisc', 'add', 'dev', 'eth0', 'clsact')
      const sent = [count('tcx-tail', 'egress'), count('clsact', 'egress')]
      const got = [count('tcx-tail', 'ingress'), count('clsact', 'ingress')]
      const source = await sources.open()
      const { interfaceSlot } = await source.attach(request(hook))
      await bulk(a, b)
      await bulk(b, a)
      await send(a, b, 11)
      await send(b, a, 13)
      const { fromPod, toPod } = await drainRow(source, interfaceSlot)
      assert.ok(fromPod.seenPackets > fromPod.skbs && toPod.seenPackets > toPod.skbs, 'no super-packets')
      assert.deepEqual(
        sent.map(counter => counter.read().skbs),
        [fromPod.skbs, fromPod.skbs],
      )
      assert.deepEqual(
        got.map(counter => counter.read().skbs),
        [toPod.skbs, toPod.skbs],
      )
    })

  for (const hook of ['tcx', 'clsact'] as const)
    it(`by ${hook} leaves a filter and a program of others as they are, before, during and after`, async () => {
      await tcInside('qdisc', 'add', 'dev', 'eth0', 'clsact')
      await addFilter('egress', 1, ...MATCH_ALL, 'flowid', '1:1')
      await addFilter('ingress', 7, ...MATCH_ALL, 'action', 'mirred', 'egress', 'mirror', 'dev', 'lo')
      const program = count('tcx-head', 'ingress')
      const before = { ...(await foreign()), chain: tcxPrograms(place('ingress')) }
      assert.deepEqual(
        [...new Set(before.filters.map(({ direction, pref }) => `${direction} ${pref}`))],
        ['ingress 7', 'egress 1'],
      )
      const source = await sources.open()
      const { interfaceSlot } = await source.attach(request(hook))
      await send(b, a, 5)
      const chain = tcxPrograms(place('ingress'))
      assert.deepEqual({ ...(await foreign()), chain: chain.slice(hook === 'tcx' ? 1 : 0) }, before)
      assert.deepEqual([program.read().skbs, (await drainSkbs(source, interfaceSlot))[1]], [5, 5])
      await source.close()
      await send(b, a, 5)
      assert.deepEqual({ ...(await foreign()), chain: tcxPrograms(place('ingress')) }, before)
      assert.equal(program.read().skbs, 10)
      assert.deepEqual(await mirrored(), 10)
    })

  it('counts ahead of a program that ends the chain', async () => {
    count('tcx-head', 'egress', 'pass')
    const source = await sources.open()
    const { interfaceSlot } = await source.attach(request('auto'))
    await send(a, b, 6)
    assert.deepEqual(await drainSkbs(source, interfaceSlot), [6, 0])
  })

  it('is not kept out by a filter of another kind at the first priority', async () => {
    await tcInside('qdisc', 'add', 'dev', 'eth0', 'clsact')
    await addFilter('egress', 1, 'u32', 'match', 'ip', 'dst', '192.0.2.1', 'flowid', '1:1')
    const before = await foreign()
    const source = await sources.open()
    const { interfaceSlot, replacedStale } = await source.attach(request('clsact'))
    assert.equal(replacedStale, false)
    const priorities = (await ownFilters('eth0', a.name)).map(row => row.replace(/ podweir_.*/, ''))
    assert.deepEqual(priorities, ['ingress 1', 'egress 2'])
    await send(a, b, 4)
    assert.deepEqual(await drainSkbs(source, interfaceSlot), [4, 0])
    assert.deepEqual(await foreign(), before)
  })

  it('never removes a clsact of somebody else, be it empty', async () => {
    await tcInside('qdisc', 'add', 'dev', 'eth0', 'clsact')
    const source = await sources.open()
    await source.attach(request('clsact'))
    await source.close()
    assert.deepEqual(await foreign(), { qdiscs: ['clsact'], filters: [] })
    assert.deepEqual(await ownFilters('eth0', a.name), [])
  })

  it('leaves its own clsact to who has put a filter there meanwhile', async () => {
    const source = await sources.open()
    await source.attach(request('clsact'))
    await addFilter('egress', 9, ...MATCH_ALL, 'flowid', '1:1')
    const { filters } = await foreign()
    await source.close()
    assert.deepEqual(await foreign(), { qdiscs: ['clsact'], filters })
  })

  it('bears that somebody removes its clsact, and can attach again', async () => {
    const source = await sources.open()
    const { interfaceSlot } = await source.attach(request('clsact'))
    await tcInside('qdisc', 'del', 'dev', 'eth0', 'clsact')
    await tcInside('qdisc', 'add', 'dev', 'eth0', 'clsact')
    await source.detach(interfaceSlot)
    assert.equal((await drainRow(source, interfaceSlot)).ended, true)
    assert.deepEqual(await hookQdiscs('eth0', a.name), ['clsact'])
    const again = await source.attach(request('clsact'))
    await send(a, b, 3)
    assert.deepEqual(await drainSkbs(source, again.interfaceSlot), [3, 0])
  })

  it('needs no clsact where somebody has an ingress qdisc, and says so when it is to make one', async () => {
    await tcInside('qdisc', 'add', 'dev', 'eth0', 'ingress')
    await addFilter('ingress', 1, ...MATCH_ALL, 'flowid', '1:1')
    const before = await foreign()
    const source = await sources.open()
    const { interfaceSlot, hook } = await source.attach(request('auto'))
    assert.equal(hook, 'tcx')
    await assert.rejects(source.attach(request('clsact')), (error: unknown) => {
      assert.ok(error instanceof Failure)
      assert.deepEqual([error.step, error.subject], ['create clsact', 'eth0'])
      assert.match(String(error.cause), /has an ingress qdisc.*use hook: tcx/)
      return true
    })
    await send(a, b, 4)
    await send(b, a, 2)
    assert.deepEqual(await drainSkbs(source, interfaceSlot), [4, 2])
    await source.close()
    assert.deepEqual(await foreign(), before)
  })
})

/** What the mirroring filter has passed on. */
async function mirrored(): Promise<number> {
  const text = await tcInside('-json', '-statistics', 'filter', 'show', 'dev', 'eth0', 'ingress')
  const actions = JSON.parse(text).flatMap(
    (filter: { options?: { actions?: object[] } }) => filter.options?.actions ?? [],
  )
  return (actions as { stats: { packets: number } }[])[0]!.stats.packets
}
