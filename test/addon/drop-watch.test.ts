// Whose a drop is: either end of a pod's pair, the pod's stack, or nobody's but the node's.
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'mocha'
import { OtherWatch } from '../../lib/capture/drop-source.ts'
import { runTraffic } from '../../lib/demo/traffic-program.ts'
import { DropWatch } from '../../lib/enrich/drop-watch.ts'
import { systemClock } from '../../lib/host/clock.ts'
import { attachment } from '../aggregate/small-cluster.ts'
import { newestMaps } from '../support/bpf-objects.ts'
import { capturedLog } from '../support/captured-log.ts'
import { quiesce } from '../support/counters.ts'
import { writeMap } from '../support/kernel.ts'
import { Namespaces, type TestNamespace } from '../support/namespaces.ts'
import { skip } from '../support/skip.ts'
import { CLOSED_PORT, Counted, countedOf, eth0Of, WatchedPods } from './watched-pods.ts'

/** ebpf/drop.h: DROP_COUNTERS. */
const COUNTERS = 8192
const NOBODYS_WATCH = 1_000_000

let pods: WatchedPods
let a: TestNamespace
let b: TestNamespace

/** Takes every counter, for an interface that is not there: the next reading frees them. */
function fill(map: number): void {
  const none = new Uint8Array(8)
  try {
    for (let reason = 0; reason <= COUNTERS; reason++)
      writeMap(map, new Uint8Array(Uint32Array.of(NOBODYS_WATCH, reason).buffer), none)
  } catch {
    return
  }
  throw new Error(`the map takes more than ${COUNTERS} counters`)
}

describe('a watch of drops', function () {
  this.timeout(40_000)

  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load kernel programs')
    pods = await WatchedPods.create()
    ;({ a, b } = pods)
  })
  afterEach(() => pods?.calm())
  after(() => pods?.remove())

  it('has what is dropped at either end of the pod’s pair', async () => {
    const [ofPodA, ofPodB] = pods.pods
    pods.disturb('drop_data', { device: ofPodA!.hostDevice, direction: 'ingress' })
    const fromA = await pods.during(() => pods.datagrams(b.addresses.v4, 100, { size: 200 }))
    assert.equal(pods.disturbed, 100)
    fromA.ofA.assertAre({ tc_ingress: 100 })
    fromA.ofB.assertAre({})
    pods.disturb('drop_data', { device: ofPodB!.hostDevice, direction: 'egress' })
    const toB = await pods.during(() => pods.datagrams(b.addresses.v4, 100, { size: 200 }))
    assert.equal(pods.disturbed, 100)
    toB.ofA.assertAre({})
    toB.ofB.assertAre({ tc_egress: 100 })
  })

  it('has the other end wherever it is', async () => {
    const namespaces = new Namespaces()
    try {
      const hop = await namespaces.wireHop()
      const source = await pods.open()
      const watched = await source.watch(eth0Of(hop.a))
      pods.disturb('drop_data', { netns: hop.middle.path, device: 'port', direction: 'ingress' })
      await hop.a.traffic('udp-send', '--to', hop.b.addresses.v4, '--port', CLOSED_PORT, '--count', 50, '--size', 200)
      const drops = await countedOf(source, watched)
      drops.assertAre({ tc_ingress: 50 })
    } finally {
      pods.calm()
      await namespaces.remove()
    }
  })

  it('has what is dropped in the pod’s own loopback', async () => {
    const { ofB } = await pods.during(() =>
      b.traffic('udp-send', '--to', '127.0.0.1', '--port', CLOSED_PORT, '--count', 70),
    )
    ofB.assertAre({ no_socket: 70 })
  })

  it('has what the pod’s sockets held when they closed', async () => {
    // Who closes first gets the other end's FIN, and nobody reads that.
    const { ofA } = await pods.during(() => pods.requests(5004, 200, 'each'))
    assert.deepEqual(Object.keys(ofA.counts), ['queue_purge'])
  })

  it('has nothing of a neighbour, whose drops are the node’s', async () => {
    // So that the bridge knows where it is, and floods nothing to the others.
    await pods.neighbour.traffic('ping', '--to', a.addresses.v4, '--count', 1)
    const before = await pods.ofNobody('node')
    const { ofA, ofB } = await pods.during(() => pods.datagrams(pods.neighbour.addresses.v4, 400))
    ofA.assertAre({})
    ofB.assertAre({})
    const { counts, uncounted } = (await pods.ofNobody('node')).since(before)
    assert.ok(counts.no_socket! + uncounted >= 400)
  })

  it('has nothing of sockets that pass no packets', async () => {
    // Ends with a byte unread, which the kernel drops.
    const program = `const net = require('net')
      const close = () => setTimeout(() => process.exit(), 50)
      const server = net.createServer({ pauseOnConnect: true }, close)
      server.listen('\\0podweir', () => net.connect('\\0podweir', function () { this.write('x') }))`
    const { ofB } = await pods.during(() => b.run(process.execPath, '-e', program))
    ofB.assertAre({})
  })

  it('leads from a host’s end to the pod behind it, and to nothing else of the node', async () => {
    const source = await pods.open()
    const hostDevice = pods.pods[1]!.hostDevice
    const watched = await source.watch({ device: hostDevice, place: 'host', hook: 'auto' })
    await pods.datagrams(b.addresses.v4, 30)
    pods.disturb('drop_data', { device: hostDevice, direction: 'egress' })
    await pods.datagrams(b.addresses.v4, 20, { size: 200 })
    const toItself = ['--to', '127.0.0.1', '--port', String(CLOSED_PORT), '--count', '50']
    await runTraffic('udp-send', { arguments: toItself })
    const drops = await countedOf(source, watched)
    drops.assertAre({ no_socket: 30, tc_egress: 20 })
  })

  it('leaves an end that is another pod’s own to that one', async () => {
    const source = await pods.open()
    const host = await source.watch({ device: pods.pods[1]!.hostDevice, place: 'host', hook: 'auto' })
    const pod = await source.watch(eth0Of(b))
    await pods.datagrams(b.addresses.v4, 30)
    const ofHost = await countedOf(source, host)
    const ofPod = await countedOf(source, pod)
    ofHost.assertAre({})
    ofPod.assertAre({ no_socket: 30 })
    await source.unwatch(pod)
    await source.read()
    await pods.datagrams(b.addresses.v4, 40)
    const later = await countedOf(source, host)
    later.assertAre({ no_socket: 40 })
  })

  it('shows what it had one last time when it ends', async () => {
    const source = await pods.open()
    const watched = await source.watch(eth0Of(b))
    await pods.datagrams(b.addresses.v4, 30)
    await source.unwatch(watched)
    await pods.datagrams(b.addresses.v4, 20)
    const last = await countedOf(source, watched)
    last.assertAre({ no_socket: 30 })
    assert.deepEqual((await countedOf(source, watched)).counts, {})
    await assert.rejects(source.unwatch(watched), /end watching/)
  })

  it('that fails is told of, and leaves the drops to the node', async () => {
    const { log, messages } = capturedLog()
    const drops = new DropWatch({ source: await pods.open(), log, clock: systemClock })
    const queue = drops.table.counterQueue()
    drops.attached({ attachment: attachment(1), owner: undefined }, { ...eth0Of(b), device: 'eth7' })
    await pods.datagrams(b.addresses.v4, 10)
    await drops.drain()
    drops.ended(1)
    await drops.drain()
    assert.deepEqual(messages, [
      'watch drops at eth7: No such device; check that the device exists (ip link); its drops are counted as the node’s',
    ])
    const noSocket = queue.take().find(({ reason }) => reason === 'no_socket')
    assert.equal(noSocket?.at, 'node')
    assert.ok(noSocket!.packets >= 10)
  })

  it('knows by device and route what older kernels say no socket of, and says that it does not know the rest', async () => {
    const source = await pods.open({ asBefore611: true })
    const watched = await source.watch(eth0Of(b))
    await pods.datagrams(b.addresses.v4, 30)
    pods.disturb('double_data', { netns: a.path, device: 'eth0', direction: 'egress' })
    await pods.requests(5003, 300)
    await quiesce([a.name, b.name])
    const ofB = await countedOf(source, watched)
    const unknown = await countedOf(source, OtherWatch.unknown)
    assert.ok(ofB.counts.no_socket! + ofB.uncounted >= 30)
    const found = JSON.stringify({ ofB, unknown, doubled: pods.disturbed })
    assert.ok(ofB.sum('tcp_') + unknown.sum('tcp_') + unknown.uncounted >= pods.disturbed, found)
    assert.ok(pods.disturbed >= 300, found)
  })

  it('is told how much found no counter, and counts again when there is one', async () => {
    const source = await pods.open()
    const watched = await source.watch(eth0Of(b))
    const before = (await source.read()).uncounted
    fill((await newestMaps(process.pid, 'drops_kfree_skb')).drops!)
    await pods.datagrams(b.addresses.v4, 25)
    const { counts, uncounted } = await source.read()
    assert.equal(counts.find(each => each.watch === watched)?.packets, undefined)
    // Whatever else this machine dropped meanwhile found no counter either.
    assert.ok(uncounted - before >= 25, `${uncounted - before}`)
    await pods.datagrams(b.addresses.v4, 15)
    const later = await countedOf(source, watched)
    later.since(new Counted({}, uncounted)).assertAre({ no_socket: 15 })
  })
})
