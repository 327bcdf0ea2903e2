// Somebody takes our programs off a real device, moves it or changes it: we notice, come back, and say what we missed.
import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { afterEach, before, beforeEach, describe, it } from 'mocha'
import { type FlowBatch, InterfaceCondition } from '../../lib/capture/flow-batch.ts'
import type { AttachRequest } from '../../lib/capture/flow-source.ts'
import type { NativeProbeSource } from '../../lib/capture/native-probe.ts'
import { runCommand } from '../../lib/demo/command.ts'
import { ipBatch } from '../../lib/demo/iproute.ts'
import { Failure } from '../../lib/host/failure.ts'
import { heldBy } from '../support/bpf-objects.ts'
import { Namespaces, type TestNamespace } from '../support/namespaces.ts'
import { skip } from '../support/skip.ts'
import { hookQdiscs, ownFilters, tc } from '../support/traffic-control.ts'
import { drainRow, interfaceRow, Sources } from './interface-row.ts'

describe('an attached device', function () {
  this.timeout(30_000)
  const sources = new Sources()
  let namespaces: Namespaces
  let a: TestNamespace
  let b: TestNamespace
  let source: NativeProbeSource

  before(function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load kernel programs')
  })
  beforeEach(async () => {
    namespaces = new Namespaces()
    ;({ a, b } = await namespaces.createPair())
    source = await sources.open()
  })
  afterEach(async () => {
    await sources.close()
    await namespaces?.remove()
  })

  const attach = async (hook: AttachRequest['hook']): Promise<number> =>
    (await source.attach({ netns: a.path, inode: statSync(a.path).ino, device: 'eth0', place: 'pod', hook }))
      .interfaceSlot

  async function send(from: TestNamespace, to: TestNamespace, datagrams: number): Promise<void> {
    const server = await to.serve('udp-serve', '--port', 9000)
    await from.traffic('udp-send', '--to', to.addresses.v4, '--port', 9000, '--count', datagrams)
    await server.stop()
  }

  async function exchange(datagrams: number): Promise<void> {
    await send(a, b, datagrams)
    await send(b, a, datagrams)
  }

  /** By direction: what we saw, what we missed, and what nothing explains. */
  function figures(batch: FlowBatch, interfaceSlot: number) {
    const { condition, fromPod, toPod } = interfaceRow(batch, interfaceSlot)!
    const [seen, missed, unexplained] = [
      [fromPod.skbs, toPod.skbs],
      [fromPod.unobservedSkbs, toPod.unobservedSkbs],
      [fromPod, toPod].map(row => row.devicePackets - row.skbs - row.unobservedSkbs),
    ]
    return { removed: (condition & InterfaceCondition.removed) !== 0, seen, missed, unexplained }
  }
  const none = { removed: false, unexplained: [0, 0] }

  for (const { hook, remove } of [
    { hook: 'tcx' as const, remove: () => detachLinks() },
    { hook: 'clsact' as const, remove: () => tc(a.name, 'qdisc', 'del', 'dev', 'eth0', 'clsact') },
  ])
    it(`by ${hook} is observed again after somebody removed our programs, and what was missed is a number`, async () => {
      const slot = await attach(hook)
      await exchange(3)
      assert.deepEqual(figures(await source.drain(), slot), { ...none, seen: [3, 3], missed: [0, 0] })
      await remove()
      await exchange(5)
      assert.deepEqual(figures(await source.drain(), slot), { ...none, removed: true, seen: [3, 3], missed: [5, 5] })
      await exchange(2)
      assert.equal(await source.reattach(slot), true)
      assert.deepEqual(figures(await source.drain(), slot), { ...none, seen: [3, 3], missed: [7, 7] })
      await exchange(4)
      assert.deepEqual(figures(await source.drain(), slot), { ...none, seen: [7, 7], missed: [7, 7] })
      assert.equal(await source.reattach(slot), false)
      await source.close()
      assert.deepEqual(await hookQdiscs('eth0', a.name), [])
    })

  it('keeps the direction that nobody touched, to the packet', async () => {
    const slot = await attach('clsact')
    await tc(a.name, 'filter', 'del', 'dev', 'eth0', 'egress')
    await exchange(6)
    assert.deepEqual(figures(await source.drain(), slot), { ...none, removed: true, seen: [0, 6], missed: [6, 0] })
    assert.equal(await source.reattach(slot), true)
    await exchange(1)
    assert.deepEqual(figures(await source.drain(), slot), { ...none, seen: [1, 7], missed: [6, 0] })
    assert.equal((await ownFilters('eth0', a.name)).length, 2)
  })

  it('whose clsact is somebody else’s by now keeps theirs when we go', async () => {
    const slot = await attach('clsact')
    await tc(a.name, 'qdisc', 'del', 'dev', 'eth0', 'clsact')
    await tc(a.name, 'qdisc', 'add', 'dev', 'eth0', 'clsact')
    assert.equal(await source.reattach(slot), true)
    await source.close()
    assert.deepEqual([await hookQdiscs('eth0', a.name), await ownFilters('eth0', a.name)], [['clsact'], []])
  })

  it('that got an ingress qdisc instead of our clsact is refused by clsact, and says why', async () => {
    const slot = await attach('clsact')
    await tc(a.name, 'qdisc', 'del', 'dev', 'eth0', 'clsact')
    await tc(a.name, 'qdisc', 'add', 'dev', 'eth0', 'ingress')
    await assert.rejects(source.reattach(slot), (error: unknown) => {
      assert.ok(error instanceof Failure)
      assert.deepEqual([error.step, error.errno], ['create clsact', 16])
      return true
    })
  })

  for (const hook of ['tcx', 'clsact'] as const)
    it(`by ${hook} goes on being counted when it is renamed, goes down and up, and has another MTU`, async () => {
      const slot = await attach(hook)
      await exchange(2)
      await a.ip(
        'link set eth0 down',
        'link set eth0 name pod0',
        'link set pod0 mtu 1400',
        'link set pod0 up',
        `neighbour replace ${b.addresses.v4} lladdr ${b.addresses.mac} dev pod0 nud permanent`,
      )
      await exchange(3)
      assert.deepEqual(figures(await source.drain(), slot), { ...none, seen: [5, 5], missed: [0, 0] })
    })

  it('that is moved to another namespace is gone from where it was', async () => {
    const slot = await attach('tcx')
    await send(a, b, 2)
    await source.drain()
    const other = await namespaces.createPair()
    await a.ip(`link set eth0 name moved netns ${other.a.name}`)
    const row = await drainRow(source, slot)
    assert.deepEqual([row.devicePresent, row.fromPod.skbs], [false, 2])
  })

  it('whose other end is deleted is gone, with its last reading', async () => {
    const slot = await attach('tcx')
    await send(a, b, 2)
    await source.drain()
    await b.ip('link del eth0')
    const row = await drainRow(source, slot)
    assert.deepEqual([row.devicePresent, row.fromPod.devicePackets], [false, 2])
    await assert.rejects(source.reattach(slot), /No such device/)
  })

  it('on which nothing moves is read less often: what we see is told at once, what we can’t within five drains', async () => {
    const slot = await attach('tcx')
    for (let i = 0; i < 4; i++) await source.drain()
    await send(a, b, 2)
    assert.deepEqual(figures(await source.drain(), slot), { ...none, seen: [2, 0], missed: [0, 0] })
    for (let i = 0; i < 4; i++) await source.drain()
    await a.traffic('raw', '--device', 'eth0', '--count', 3, '--size', 142, '--mac', b.addresses.mac, '--bypass')
    const rows = []
    for (let i = 0; i < 5; i++) {
      const batch = await source.drain()
      rows.push(interfaceRow(batch, slot) && figures(batch, slot).unexplained[0])
    }
    assert.deepEqual([rows[0], rows.find(row => row !== undefined)], [undefined, 3])
  })

  it('in another namespace than the one that was meant is refused', async () => {
    const request = { netns: a.path, inode: statSync(b.path).ino, device: 'eth0', place: 'pod', hook: 'auto' } as const
    await assert.rejects(source.attach(request), (error: unknown) => {
      assert.ok(error instanceof Failure)
      assert.deepEqual([error.step, error.subject, error.errno], ['enter namespace', a.path, 116])
      assert.match(error.message, /another namespace is there by now/)
      return true
    })
  })

  it('loses our filters also when the path of its namespace is gone and a process keeps it', async () => {
    const keeper = await a.serve('udp-serve', '--port', 9001)
    await attach('clsact')
    await ipBatch([`netns del ${a.name}`])
    const inside = (...args: string[]) =>
      runCommand('nsenter', [`--net=/proc/${keeper.pid}/ns/net`, 'tc', ...args], { remedy: 'run as root' })
    assert.match(await inside('qdisc', 'show', 'dev', 'eth0'), /clsact/)
    await source.close()
    assert.doesNotMatch(await inside('qdisc', 'show', 'dev', 'eth0'), /clsact/)
  })
})

/** As an administrator does by the links' ids. */
async function detachLinks(): Promise<void> {
  const { links } = heldBy(process.pid)
  assert.equal(links.length, 2)
  for (const id of links) await runCommand('bpftool', ['link', 'detach', 'id', String(id)], { remedy: 'run as root' })
}
