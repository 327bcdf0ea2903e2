// Beside foreign programs: each sees exactly what we see, and keeps its place.
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'mocha'
import type { Hook } from '../../lib/capture/flow-source.ts'
import { drainRow, Sources } from '../addon/interface-row.ts'
import { type Hook as ForeignHook, LoadCounter, tcxPrograms } from '../support/kernel.ts'
import { Namespaces, type TestNamespace } from '../support/namespaces.ts'
import { comeToRest } from '../support/rest.ts'
import { skip } from '../support/skip.ts'

const LAST_PRIORITY = 65_535
const DATAGRAMS = 200

describe('beside foreign programs', function () {
  this.timeout(30_000)
  const namespaces = new Namespaces()
  const sources = new Sources()
  const counters: LoadCounter[] = []
  let pod: TestNamespace
  let peer: TestNamespace

  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load kernel programs')
    ;({ a: pod, b: peer } = await namespaces.createPair())
  })
  afterEach(async () => {
    for (const counter of counters.splice(0)) counter.close()
    await sources.close()
  })
  after(() => namespaces.remove())

  function foreign(hook: Omit<ForeignHook, 'netns' | 'device'>, verdict?: 'next' | 'pass'): LoadCounter {
    const counter = new LoadCounter({ ...hook, netns: pod.path, device: 'eth0' }, verdict)
    counters.push(counter)
    return counter
  }

  /** In both directions, to its end. */
  async function talk(): Promise<void> {
    await pod.traffic('ping', '--to', peer.addresses.v4, '--count', DATAGRAMS)
    await comeToRest([pod.name, peer.name])
  }

  const chain = (direction: 'ingress' | 'egress') => tcxPrograms({ netns: pod.path, device: 'eth0', direction })

  for (const hook of ['tcx', 'clsact'] satisfies Hook[])
    it(`by ${hook} counts what a tcx program at the tail and a filter of the last priority count`, async () => {
      const source = await sources.open()
      const { interfaceSlot } = await source.attach({ netns: pod.path, device: 'eth0', place: 'pod', hook })
      const tails = {
        out: foreign({ direction: 'egress', where: 'tcx-tail' }),
        in: foreign({ direction: 'ingress', where: 'tcx-tail' }),
      }
      const filters = {
        out: foreign({ direction: 'egress', where: 'clsact', priority: LAST_PRIORITY }),
        in: foreign({ direction: 'ingress', where: 'clsact', priority: LAST_PRIORITY }),
      }
      const before = await drainRow(source, interfaceSlot)
      await talk()
      const { fromPod, toPod } = await drainRow(source, interfaceSlot)
      const sent = { skbs: fromPod.skbs - before.fromPod.skbs, bytes: fromPod.skbBytes - before.fromPod.skbBytes }
      const got = { skbs: toPod.skbs - before.toPod.skbs, bytes: toPod.skbBytes - before.toPod.skbBytes }
      assert.ok(sent.skbs >= DATAGRAMS && got.skbs >= DATAGRAMS)
      for (const counter of [tails, filters]) assert.deepEqual([counter.out.read(), counter.in.read()], [sent, got])
    })

  it('sees all, although the next program ends the chain', async () => {
    const passing = foreign({ direction: 'egress', where: 'tcx-head' }, 'pass')
    const source = await sources.open()
    const { interfaceSlot } = await source.attach({ netns: pod.path, device: 'eth0', place: 'pod', hook: 'tcx' })
    await talk()
    const { fromPod } = await drainRow(source, interfaceSlot)
    assert.ok(fromPod.skbs >= DATAGRAMS)
    assert.equal(passing.read().skbs, fromPod.skbs)
  })

  it('leaves them where they were', async () => {
    for (const direction of ['egress', 'ingress'] as const) foreign({ direction, where: 'tcx-tail' })
    const alone = { egress: chain('egress'), ingress: chain('ingress') }
    const source = await sources.open()
    const { interfaceSlot } = await source.attach({ netns: pod.path, device: 'eth0', place: 'pod', hook: 'tcx' })
    for (const direction of ['egress', 'ingress'] as const) {
      assert.equal(chain(direction).length, 2)
      assert.equal(chain(direction)[1], alone[direction][0])
    }
    await source.detach(interfaceSlot)
    await source.drain()
    assert.deepEqual({ egress: chain('egress'), ingress: chain('ingress') }, alone)
  })
})
