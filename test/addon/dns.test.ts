// The module "dns" with real packets: at each end, by each hook, and when its agent is gone.
import assert from 'node:assert/strict'
import { existsSync, rmSync } from 'node:fs'
import { afterEach, before, beforeEach, describe, it } from 'mocha'
import type { AttachRequest, Hook, Place } from '../../lib/capture/flow-source.ts'
import { NativeProbeSource, type ProbeOptions, RETIRE_TIMES } from '../../lib/capture/native-probe.ts'
import { Namespaces, type Pod } from '../support/namespaces.ts'
import { skip } from '../support/skip.ts'

const OPTIONS: ProbeOptions = { flowLimit: 1024, retire: RETIRE_TIMES, auditEvery: 0 }
const PINS = `/sys/fs/bpf/podweir-dns-${process.pid}`
const DNS = 53

describe('DNS messages', function () {
  this.timeout(30_000)
  let namespaces: Namespaces
  let a: Pod
  let b: Pod
  let source: NativeProbeSource | undefined

  before(function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load kernel programs')
  })
  beforeEach(async () => {
    namespaces = new Namespaces()
    ;[a, b] = (await namespaces.createPods(2)) as [Pod, Pod]
  })
  afterEach(async () => {
    await source?.close()
    source = undefined
    await namespaces.remove()
  })

  const send = (count: number, size: number, rate = 1000) => {
    const to = ['--to', b.namespace.addresses.v4, '--port', DNS]
    return a.namespace.traffic('udp-send', ...to, '--count', count, '--size', size, '--rate', rate)
  }

  async function watch(pod: Pod, place: Place, hook: Hook | 'auto' = 'auto', options = {}): Promise<void> {
    source = await NativeProbeSource.open({ ...OPTIONS, dns: true, ...options })
    await source.attach(requestOf(pod, place, hook))
  }

  const requestOf = ({ namespace, hostDevice }: Pod, place: Place, hook: Hook | 'auto'): AttachRequest =>
    place === 'pod' ? { netns: namespace.path, device: 'eth0', place, hook } : { device: hostDevice, place, hook }

  for (const place of ['pod', 'host'] as const)
    for (const hook of ['tcx', 'clsact'] as const)
      it(`are told at the ${place}’s end by ${hook}, as the pod sees them`, async () => {
        await watch(a, place, hook)
        const dns = await source!.openDns()
        await send(50, 100)
        const { length, fromPod, cut, end, lost } = await dns.read()
        assert.deepEqual([length, lost, end.at(-1)], [50, 0, 50 * 100])
        assert.deepEqual([new Set(fromPod), new Set(cut)], [new Set([1]), new Set([0])])
      })

  it('are not told where the pod is asked', async () => {
    await watch(b, 'pod')
    const dns = await source!.openDns()
    await send(50, 100)
    assert.equal((await dns.read()).length, 0)
  })

  it('are told up to 4,096 bytes, and that there was more', async () => {
    for (const { namespace } of [a, b]) await namespace.ip('link set eth0 mtu 9000')
    await watch(a, 'pod')
    const dns = await source!.openDns()
    for (const size of [4095, 4096, 4097, 8000]) await send(1, size)
    const { end, cut } = await dns.read()
    assert.deepEqual([...end], [4095, 4095 + 4096, 4095 + 2 * 4096, 4095 + 3 * 4096])
    assert.deepEqual([...cut], [0, 0, 1, 1])
  })

  it('are told or lost, each of them, when they are too many', async () => {
    await watch(a, 'pod')
    const dns = await source!.openDns()
    const sent = 30_000
    await send(sent, 1000, 0)
    const { length, lost } = await dns.read()
    assert.ok(lost > 0 && length > 0, `${length} told, ${lost} lost`)
    assert.equal(length + lost, sent)
    const { flows } = await source!.drain()
    assert.equal(
      flows.fromPodPackets.reduce((sum, packets) => sum + packets, 0),
      sent,
    )
  })

  it('are not told any more when their agent is gone, and are counted on', async function () {
    if (!existsSync('/sys/fs/bpf/maps.debug')) skip(this, 'needs a BPF file system')
    try {
      await watch(a, 'pod', 'auto', { pins: PINS })
      await source!.close(true)
      await send(100, 100)
      source = await NativeProbeSource.open({ ...OPTIONS, pins: PINS })
      const { adopted } = await source.attach(requestOf(a, 'pod', 'auto'))
      assert.ok(adopted)
      await send(20, 100)
      const { flows, faults } = await source.drain()
      assert.equal(
        flows.fromPodPackets.reduce((sum, packets) => sum + packets, 0),
        120,
      )
      assert.equal(faults.tailCallFailed, 0)
      assert.deepEqual(
        (await source.inspect()).programs.filter(({ name }) => name.startsWith('dns')),
        [],
      )
    } finally {
      await source?.close()
      source = undefined
      rmSync(PINS, { recursive: true, force: true })
    }
  })

  it('are told by the next agent that is to', async function () {
    if (!existsSync('/sys/fs/bpf/maps.debug')) skip(this, 'needs a BPF file system')
    try {
      source = await NativeProbeSource.open({ ...OPTIONS, pins: PINS })
      await source.attach(requestOf(a, 'pod', 'auto'))
      await source.close(true)
      await watch(a, 'pod', 'auto', { pins: PINS })
      const dns = await source.openDns()
      await send(20, 100)
      assert.equal((await dns.read()).length, 20)
    } finally {
      await source?.close()
      source = undefined
      rmSync(PINS, { recursive: true, force: true })
    }
  })
})
