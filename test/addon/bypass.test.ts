// Packets that reach a pod otherwise than out of the host's end of its pair, and shaping in front of it.
import assert from 'node:assert/strict'
import { afterEach, before, beforeEach, describe, it } from 'mocha'
import { InterfaceCondition } from '../../lib/capture/flow-batch.ts'
import type { Place } from '../../lib/capture/flow-source.ts'
import type { NativeProbeSource } from '../../lib/capture/native-probe.ts'
import { quiesce } from '../support/counters.ts'
import { LoadCounter } from '../support/kernel.ts'
import { Namespaces, type Pod } from '../support/namespaces.ts'
import { Redirector } from '../support/redirector.ts'
import { skip } from '../support/skip.ts'
import { tc } from '../support/traffic-control.ts'
import { drainRow, Sources } from './interface-row.ts'

describe('a pod that is reached past the host’s end', function () {
  this.timeout(30_000)
  const sources = new Sources()
  const others: { close(): void }[] = []
  let namespaces: Namespaces
  let one: Pod
  let two: Pod
  let source: NativeProbeSource

  before(function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load kernel programs')
  })
  beforeEach(async () => {
    namespaces = new Namespaces()
    ;[one, two] = (await namespaces.createPods(2)) as [Pod, Pod]
    source = await sources.open()
  })
  afterEach(async () => {
    for (const other of others.splice(0)) other.close()
    await sources.close()
    await namespaces?.remove()
  })

  const attachTo = async ({ namespace, hostDevice }: Pod, place: Place): Promise<number> => {
    const where = place === 'pod' ? { netns: namespace.path, device: 'eth0' } : { device: hostDevice }
    return (await source.attach({ ...where, place, hook: 'tcx' })).interfaceSlot
  }
  const redirect = (way: 'to_peer' | 'to_neighbour'): Redirector => {
    const redirector = new Redirector(one.hostDevice, two.hostDevice, way)
    others.push(redirector)
    return redirector
  }
  async function send(datagrams: number): Promise<number> {
    const server = await two.namespace.serve('udp-serve', '--port', 9000)
    await one.namespace.traffic('udp-send', '--to', two.namespace.addresses.v4, '--port', 9000, '--count', datagrams)
    return (await server.stop()).received!
  }
  async function received(slot: number) {
    const { condition, toPod } = await drainRow(source, slot)
    const { skbs, unobservedSkbs, devicePackets } = toPod
    const unexplained = devicePackets - skbs - unobservedSkbs
    return { bypassed: condition === InterfaceCondition.bypassed, skbs, unobservedSkbs, unexplained }
  }
  async function request(): Promise<void> {
    const server = await two.namespace.serve('tcp-serve', '--port', 5002)
    await one.namespace.traffic('tcp-request', '--to', two.namespace.addresses.v4, '--port', 5002, '--count', 3)
    await server.stop()
  }

  it('counts every packet at the pod’s end', async () => {
    const slot = await attachTo(two, 'pod')
    const redirector = redirect('to_peer')
    assert.equal(await send(20), 20)
    assert.equal(redirector.redirected, 20)
    assert.deepEqual(await received(slot), { bypassed: false, skbs: 20, unobservedSkbs: 0, unexplained: 0 })
  })

  it('has exactly the redirected packets as unobserved at the host’s end, where the kernel counts them', async () => {
    const slot = await attachTo(two, 'host')
    assert.equal(await send(7), 7)
    assert.deepEqual(await received(slot), { bypassed: false, skbs: 7, unobservedSkbs: 0, unexplained: 0 })
    redirect('to_peer')
    assert.equal(await send(20), 20)
    assert.deepEqual(await received(slot), { bypassed: true, skbs: 7, unobservedSkbs: 20, unexplained: 0 })
  })

  it('is counted at the host’s end when a redirect goes out of it', async () => {
    const slot = await attachTo(two, 'host')
    const redirector = redirect('to_neighbour')
    assert.equal(await send(20), 20)
    assert.equal(redirector.redirected, 20)
    assert.deepEqual(await received(slot), { bypassed: false, skbs: 20, unobservedSkbs: 0, unexplained: 0 })
  })

  it('is told by its acknowledgments where no counter shows it', async () => {
    const slot = await attachTo(two, 'host')
    // Ahead of us and final: the device counts, we don't see, and nothing was bypassed by the counters.
    others.push(new LoadCounter({ device: two.hostDevice, direction: 'egress', where: 'tcx-head' }, 'pass'))
    await request()
    assert.equal((await received(slot)).bypassed, false, 'one drain may be a packet on its way')
    await request()
    const { bypassed, skbs, unobservedSkbs } = await received(slot)
    assert.deepEqual([bypassed, skbs, unobservedSkbs], [true, 0, 0])
  })

  it('is not told of by connections of which everything came by', async () => {
    const slot = await attachTo(two, 'host')
    for (let i = 0; i < 3; i++) {
      await request()
      assert.equal((await received(slot)).bypassed, false)
    }
  })

  it('has what it got, not what was offered, when the host’s end is shaped', async () => {
    const slot = await attachTo(two, 'pod')
    await tc(
      undefined,
      'qdisc',
      'add',
      'dev',
      two.hostDevice,
      'root',
      'tbf',
      'rate',
      '1mbit',
      'burst',
      '5kb',
      'limit',
      '10kb',
    )
    const before = await two.namespace.protocols()
    const server = await two.namespace.serve('udp-serve', '--port', 9000)
    const to = ['--to', two.namespace.addresses.v4, '--port', 9000] as const
    await one.namespace.traffic('udp-send', ...to, '--count', 2_000)
    await quiesce([two.namespace.name])
    const { received: got = 0 } = await server.stop()
    const { skbs, unexplained } = await received(slot)
    const grown = (await two.namespace.protocols()).UdpInDatagrams! - before.UdpInDatagrams!
    assert.ok(got > 0 && got < 2_000, `${got} of 2000 came through`)
    assert.deepEqual([skbs, unexplained], [grown, 0])
    assert.equal(grown, got)
  })
})
