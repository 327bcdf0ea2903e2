// Attaching to real pairs of devices: where, how, which way round, and what is left when it ends.
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, afterEach, before, describe, it } from 'mocha'
import { formatAddress } from '../../lib/capture/address.ts'
import type { AttachRequest } from '../../lib/capture/flow-source.ts'
import type { NativeProbeSource } from '../../lib/capture/native-probe.ts'
import { ipBatch } from '../../lib/demo/iproute.ts'
import { Failure } from '../../lib/host/failure.ts'
import { heldBy, programsUsing } from '../support/bpf-objects.ts'
import { Namespaces, type Pod, type TestNamespace } from '../support/namespaces.ts'
import { skip } from '../support/skip.ts'
import { filters, hookQdiscs, ownFilters, tc } from '../support/traffic-control.ts'
import { drainRow, drainSkbs, interfaceRow, Sources } from './interface-row.ts'

/** Slots 1 to 1023, given out in turn. */
const SLOTS = 1023

const namespaces = new Namespaces()
const sources = new Sources()
let one: Pod
let two: Pod

type Hook = AttachRequest['hook']
const inPod = (pod: Pod, hook: Hook = 'auto'): AttachRequest => ({ ...inside(pod.namespace), hook })
const inside = ({ path }: TestNamespace): AttachRequest => ({ netns: path, device: 'eth0', place: 'pod', hook: 'auto' })
const atHost = (pod: Pod, hook: Hook = 'auto'): AttachRequest => ({ device: pod.hostDevice, place: 'host', hook })

/** Datagrams that nobody answers. */
async function send(from: TestNamespace, to: TestNamespace, count: number): Promise<void> {
  const server = await to.serve('udp-serve', '--port', 9000)
  await from.traffic('udp-send', '--to', to.addresses.v4, '--port', 9000, '--count', count)
  await server.stop()
}

/** Patterns for step, subject, cause and remedy. */
async function assertRefused(attaching: Promise<unknown>, ...parts: readonly RegExp[]): Promise<void> {
  const failure = await attaching.then(
    () => assert.fail('it attached'),
    (error: unknown) => error,
  )
  assert.ok(failure instanceof Failure, String(failure))
  const { step, subject, cause, remedy } = failure
  for (const [i, text] of [step, subject, String(cause), remedy].entries()) assert.match(text, parts[i]!)
}

describe('attaching', function () {
  this.timeout(30_000)

  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load kernel programs')
    ;[one, two] = (await namespaces.createPods(2)) as [Pod, Pod]
  })
  afterEach(() => sources.close())
  after(() => namespaces.remove())

  for (const place of ['pod', 'host'] as const)
    for (const hook of ['tcx', 'clsact'] as const)
      it(`by ${hook} at the ${place} end counts what the pod sends as from the pod`, async () => {
        const source = await sources.open()
        const attachment = await source.attach(place === 'pod' ? inPod(one, hook) : atHost(one, hook))
        assert.deepEqual([attachment.place, attachment.hook], [place, hook])
        await send(one.namespace, two.namespace, 7)
        await send(two.namespace, one.namespace, 3)
        const batch = await source.drain()
        const { fromPod, toPod } = interfaceRow(batch, attachment.interfaceSlot)!
        assert.deepEqual([fromPod.skbs, toPod.skbs], [7, 3])
        assert.deepEqual([fromPod.seenPackets, toPod.seenPackets], [7, 3])
        const { started, flows } = batch
        assert.equal(started.length, 2)
        for (let i = 0; i < started.length; i++)
          assert.equal(formatAddress(started.localAddress, 16 * i, 4), one.namespace.addresses.v4)
        assert.deepEqual([...flows.fromPodPackets].sort(), [0, 7])
        assert.deepEqual([...flows.toPodPackets].sort(), [0, 3])
      })

  it('takes tcx when the choice is left to it, and makes no qdisc', async () => {
    const source = await sources.open()
    for (const request of [inPod(one), atHost(two)]) assert.equal((await source.attach(request)).hook, 'tcx')
    assert.deepEqual(await hookQdiscs('eth0', one.namespace.name), [])
    assert.deepEqual(await hookQdiscs(two.hostDevice), [])
  })

  it('removes its clsact from the pod, and leaves an empty one at the host’s end', async () => {
    await tc(undefined, 'qdisc', 'replace', 'dev', two.hostDevice, 'clsact')
    await tc(undefined, 'qdisc', 'del', 'dev', two.hostDevice, 'clsact')
    const source = await sources.open()
    await source.attach(inPod(one, 'clsact'))
    await source.attach(atHost(two, 'clsact'))
    assert.equal((await ownFilters('eth0', one.namespace.name)).length, 2)
    assert.equal((await ownFilters(two.hostDevice)).length, 2)
    await source.close()
    assert.deepEqual(await hookQdiscs('eth0', one.namespace.name), [])
    assert.deepEqual(await hookQdiscs(two.hostDevice), ['clsact'])
    assert.deepEqual(await filters(two.hostDevice), [])
  })

  it('refuses a device that is not there', async () => {
    const source = await sources.open()
    const request = { ...inPod(one), device: 'eth7' }
    await assertRefused(source.attach(request), /^attach/, /^eth7$/, /No such device/, /ip link/)
    await assertRefused(source.attach({ ...atHost(one), device: 'eth7' }), /^attach/, /^eth7$/, /No such device/, /./)
  })

  it('refuses a namespace that is not there, and a file that is none', async () => {
    const source = await sources.open()
    const netns = '/run/netns/pwt-nowhere'
    const request = { ...inPod(one), netns }
    await assertRefused(source.attach(request), /open namespace/, /pwt-nowhere/, /No such file/, /ip netns/)
    const file = { ...inPod(one), netns: '/etc/hostname' }
    await assertRefused(source.attach(file), /enter namespace/, /hostname/, /Invalid argument/, /./)
  })

  it('refuses loopback and devices without Ethernet frames', async () => {
    const source = await sources.open()
    await one.namespace.run('ip', 'tuntap', 'add', 'dev', 'tun0', 'mode', 'tun')
    for (const device of ['lo', 'tun0'])
      await assertRefused(source.attach({ ...inPod(one), device }), /attach/, RegExp(device), /not an Ethernet/, /./)
    await one.namespace.ip('link del tun0')
    assert.deepEqual(await hookQdiscs('lo', one.namespace.name), [])
  })

  it('counts from the first packet on a device that was down', async () => {
    const { a, b } = await namespaces.createPair()
    const source = await sources.open()
    await a.ip('link set eth0 down')
    const { interfaceSlot } = await source.attach(inside(a))
    assert.deepEqual(await drainSkbs(source, interfaceSlot), [0, 0])
    await a.ip(
      'link set eth0 up',
      `neighbour replace ${b.addresses.v4} lladdr ${b.addresses.mac} dev eth0 nud permanent`,
    )
    await send(a, b, 4)
    assert.deepEqual(await drainSkbs(source, interfaceSlot), [4, 0])
  })

  it('lets two probes count the same interface, each all of it', async () => {
    const [first, second] = [await sources.open(), await sources.open()]
    const slots = [await first.attach(inPod(one)), await second.attach(inPod(one))].map(each => each.interfaceSlot)
    await send(one.namespace, two.namespace, 5)
    assert.deepEqual(await drainSkbs(first, slots[0]!), [5, 0])
    await first.close()
    await send(one.namespace, two.namespace, 2)
    assert.deepEqual(await drainSkbs(second, slots[1]!), [7, 0])
  })

  it('by clsact hands the interface to the probe that comes last, which undoes its own work alone', async () => {
    const [first, second] = [await sources.open(), await sources.open()]
    const before = await first.attach(inPod(one, 'clsact'))
    const after = await second.attach(inPod(one, 'clsact'))
    assert.deepEqual([before.replacedStale, after.replacedStale], [false, true])
    await first.close()
    await send(one.namespace, two.namespace, 2)
    assert.deepEqual(await drainSkbs(second, after.interfaceSlot), [2, 0])
    await second.close()
    assert.deepEqual(await hookQdiscs('eth0', one.namespace.name), [])
  })

  it('by tcx removes the filters and the clsact that an earlier agent has left', async () => {
    const [first, second] = [await sources.open(), await sources.open()]
    await first.attach(inPod(one, 'clsact'))
    assert.equal((await second.attach(inPod(one, 'tcx'))).replacedStale, true)
    assert.deepEqual(await hookQdiscs('eth0', one.namespace.name), [])
  })

  it('ends a detached interface with one last row, and gives its slot to another that starts at 0', async () => {
    const source = await sources.open()
    const { interfaceSlot } = await source.attach(inPod(one))
    await send(one.namespace, two.namespace, 5)
    await source.detach(interfaceSlot)
    await assert.rejects(source.detach(interfaceSlot), /detach/)
    const last = await drainRow(source, interfaceSlot)
    assert.deepEqual([last.ended, last.devicePresent, last.fromPod.skbs], [true, true, 5])
    assert.equal(interfaceRow(await source.drain(), interfaceSlot), undefined)
    await send(one.namespace, two.namespace, 3)
    await turnSlots(source, SLOTS - 1)
    const next = await source.attach(inPod(two))
    assert.equal(next.interfaceSlot, interfaceSlot)
    const batch = await source.drain()
    const { fromPod, toPod } = interfaceRow(batch, interfaceSlot)!
    assert.deepEqual([fromPod.skbs, toPod.skbs, fromPod.seenBytes, toPod.seenBytes], [0, 0, 0, 0])
    assert.equal(batch.flows.length, 0)
  })

  for (const hook of ['tcx', 'clsact'] as const)
    it(`by ${hook} goes on draining when the namespace is deleted, and detaches`, async () => {
      const { a, b } = await namespaces.createPair()
      const source = await sources.open()
      const { interfaceSlot } = await source.attach({ ...inside(a), hook })
      await send(a, b, 4)
      await source.drain()
      await ipBatch([`netns del ${a.name}`])
      const row = await gone(source, interfaceSlot)
      assert.deepEqual([row.ended, row.fromPod.skbs, row.fromPod.devicePackets], [false, 4, 4])
      await source.detach(interfaceSlot)
      const last = await drainRow(source, interfaceSlot)
      assert.deepEqual([last.ended, last.devicePresent, last.fromPod.skbs], [true, false, 4])
    })

  it('leaves no descriptor, program or filter more after 100 rounds', async () => {
    const source = await sources.open()
    const round = async (hook: Hook) => {
      const { interfaceSlot } = await source.attach(inPod(one, hook))
      await source.detach(interfaceSlot)
      await source.drain()
    }
    const counts = async () => {
      const { maps, programs, links } = heldBy(process.pid)
      const running = await programsUsing(maps)
      const descriptors = readdirSync('/proc/self/fd').length
      return { descriptors, maps: maps.length, programs: programs.length, links: links.length, running: running.length }
    }
    await round('tcx')
    const before = await counts()
    for (let i = 0; i < 50; i++) for (const hook of ['tcx', 'clsact'] as const) await round(hook)
    // The kernel frees a removed filter's program a moment later.
    for (let i = 0; i < 40 && (await counts()).running > before.running; i++) await sleep(50)
    assert.deepEqual(await counts(), before)
    assert.deepEqual(await hookQdiscs('eth0', one.namespace.name), [])
  })
})

/** Takes the next slots in turn and gives them back at once. */
async function turnSlots(source: NativeProbeSource, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await source.attach({ device: 'none', place: 'pod', hook: 'tcx' }).catch(() => {})
}

/** A namespace's devices go a moment after its name. */
async function gone(source: NativeProbeSource, interfaceSlot: number) {
  for (let i = 0; i < 100; i++) {
    const row = await drainRow(source, interfaceSlot)
    if (!row.devicePresent) return row
    await sleep(50)
  }
  throw new Error('the device is still there')
}
