// What the kernel's own counters of a device mean, and how they are read beside ours.
import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { after, afterEach, before, describe, it } from 'mocha'
import type { AttachRequest } from '../../lib/capture/flow-source.ts'
import { quiesce } from '../support/counters.ts'
import { Namespaces, type Pod, type TestNamespace } from '../support/namespaces.ts'
import { skip } from '../support/skip.ts'
import { drainRow, Sources } from './interface-row.ts'

const inside = ({ path }: TestNamespace): AttachRequest => ({ netns: path, device: 'eth0', place: 'pod', hook: 'auto' })
const places = ['pod', 'host'] as const
/** Segmentation, scatter-gather and merging: veth is made with all but merging. */
type Offload = 'as made' | 'on' | 'off'

const sources = new Sources()
let namespaces: Namespaces

/** Half a second of bulk TCP, with super-packets where the sender's device takes them. */
async function bulk(from: TestNamespace, to: TestNamespace): Promise<void> {
  const sink = await to.serve('tcp-serve', '--port', 5001, '--sink')
  await from.traffic('tcp-bulk', '--to', to.addresses.v4, '--port', 5001, '--bytes', 4_000_000)
  await sink.stop()
  await quiesce([from.name, to.name])
}

describe('an interface', function () {
  this.timeout(30_000)

  before(function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load kernel programs')
    namespaces = new Namespaces()
  })
  afterEach(() => sources.close())
  after(() => namespaces?.remove())

  describe('of a pod on a bridge', () => {
    let one: Pod
    let two: Pod
    const at = (place: 'pod' | 'host'): AttachRequest =>
      place === 'pod' ? inside(one.namespace) : { device: one.hostDevice, place, hook: 'auto' }

    before(async () => {
      ;[one, two] = (await namespaces.createPods(2)) as [Pod, Pod]
      const { v4 } = two.namespace.addresses
      await one.namespace.traffic('ping', '--to', v4, '--count', 6)
      await one.namespace.traffic('raw', '--device', 'eth0', '--count', 5, '--mac', two.namespace.addresses.mac)
    })

    for (const place of places)
      it(`says how many skbs passed before it was attached at the ${place} end, exactly`, async () => {
        const source = await sources.open()
        const { transmitPackets, receivePackets } = await one.namespace.device()
        assert.ok(transmitPackets > receivePackets && receivePackets > 0)
        const { interfaceSlot, baselineExact } = await source.attach(at(place))
        assert.equal(baselineExact, true)
        await one.namespace.traffic('ping', '--to', two.namespace.addresses.v4, '--count', 4)
        const { fromPod, toPod } = await drainRow(source, interfaceSlot)
        assert.deepEqual([fromPod.unobservedSkbs, toPod.unobservedSkbs], [transmitPackets, receivePackets])
        assert.deepEqual([fromPod.skbs, toPod.skbs], [4, 4])
        assert.deepEqual([fromPod.devicePackets, toPod.devicePackets], [transmitPackets + 4, receivePackets + 4])
      })

    for (const place of places)
      it(`does not count what bypasses the queue discipline at the ${place} end, and shows it`, async () => {
        const source = await sources.open()
        const { interfaceSlot } = await source.attach(at(place))
        const before = await drainRow(source, interfaceSlot)
        const mac = two.namespace.addresses.mac
        await one.namespace.traffic('raw', '--device', 'eth0', '--count', 9, '--mac', mac, '--bypass')
        const { fromPod } = await drainRow(source, interfaceSlot)
        assert.equal(fromPod.devicePackets - before.fromPod.devicePackets, 9)
        // The host's end receives what skipped the queue discipline of the other one.
        assert.equal(fromPod.skbs, place === 'pod' ? 0 : 9)
      })

    it('has the state of its link, its peer and its namespace’s number', async () => {
      const source = await sources.open()
      const inPod = (await source.links(one.namespace.path)).find(link => link.name === 'eth0')!
      const atHost = (await source.links()).find(link => link.name === one.hostDevice)!
      const { mac } = one.namespace.addresses
      assert.deepEqual([inPod.kind, inPod.ethernet, inPod.loopback, inPod.up], ['veth', true, false, true])
      assert.deepEqual([inPod.address, inPod.peerIndex, atHost.peerIndex], [mac, atHost.index, inPod.index])
      const loopback = (await source.links(one.namespace.path)).find(link => link.name === 'lo')!
      assert.deepEqual([loopback.loopback, loopback.kind], [true, ''])
      const listed = await source.namespaces()
      const { path } = one.namespace
      const namespace = listed.find(each => each.inode === statSync(path).ino)!
      assert.deepEqual([namespace.path, namespace.id], [path, atHost.peerNamespaceId])
      assert.equal(new Set(listed.map(({ inode }) => inode)).size, listed.length)
    })
  })

  describe('counts', () => {
    /** Of `a`, with the offloads of both ends set before. */
    async function countOf(a: TestNamespace, b: TestNamespace, atA: Offload, atB: Offload) {
      for (const [end, offload] of [
        [a, atA],
        [b, atB],
      ] as const)
        if (offload !== 'as made') await end.offload('eth0', offload)
      const source = await sources.open()
      const { interfaceSlot, transmitCounter, receiveCounter } = await source.attach(inside(a))
      await bulk(a, b)
      await bulk(b, a)
      return { transmitCounter, receiveCounter, ...(await drainRow(source, interfaceSlot)) }
    }

    for (const [atA, atB, transmit, receive] of [
      ['as made', 'as made', 'skb', 'skb'],
      ['off', 'as made', 'wire', 'skb'],
      ['as made', 'off', 'skb', 'wire'],
      ['off', 'off', 'wire', 'wire'],
    ] as const)
      it(`${transmit} on transmit and ${receive} on receive with offloads ${atA} here and ${atB} there`, async () => {
        const { a, b } = await namespaces.createPair()
        const { transmitCounter, receiveCounter, fromPod, toPod } = await countOf(a, b, atA, atB)
        assert.deepEqual([transmitCounter, receiveCounter], [transmit, receive])
        const device = await a.device()
        assert.deepEqual([fromPod.devicePackets, toPod.devicePackets], [device.transmitPackets, device.receivePackets])
        for (const [kind, row] of [
          [transmit, fromPod],
          [receive, toPod],
        ] as const) {
          const seen = kind === 'wire' ? row.seenPackets : row.skbs
          assert.equal(row.devicePackets, seen + row.unobservedSkbs + row.overseenSkbs)
        }
        if (transmit === 'skb') assert.ok(fromPod.seenPackets > fromPod.skbs, 'nothing was sent as super-packets')
        if (receive === 'skb') assert.ok(toPod.seenPackets > toPod.skbs, 'nothing came as super-packets')
      })

    it('what nobody can tell where the receiving end merges before we see it', async () => {
      const { a, b } = await namespaces.createPair()
      const { transmitCounter, receiveCounter } = await countOf(a, b, 'on', 'as made')
      assert.deepEqual([transmitCounter, receiveCounter], ['skb', 'unknown'])
    })
  })
})
