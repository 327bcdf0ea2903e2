// The probe as an object: loaded, used from several places at once, closed, and what it keeps of the process meanwhile.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdirSync, readlinkSync } from 'node:fs'
import { promisify } from 'node:util'
import { after, afterEach, before, describe, it } from 'mocha'
import type { AttachRequest } from '../../lib/capture/flow-source.ts'
import { NativeProbeSource, type ProbeOptions, RETIRE_TIMES } from '../../lib/capture/native-probe.ts'
import { Failure } from '../../lib/host/failure.ts'
import { Namespaces, type TestNamespace } from '../support/namespaces.ts'
import { skip } from '../support/skip.ts'
import { hookQdiscs } from '../support/traffic-control.ts'
import { interfaceRow, Sources } from './interface-row.ts'

const SHARED = ['flow4_from_pod', 'flow4_to_pod', 'flow6_from_pod', 'flow6_to_pod', 'flow_from_pod', 'flow_to_pod']

const sources = new Sources()
let namespaces: Namespaces
let a: TestNamespace
let b: TestNamespace

const request = (hook: AttachRequest['hook'] = 'auto'): AttachRequest => ({
  netns: a.path,
  device: 'eth0',
  place: 'pod',
  hook,
})

/** Targets of links below /proc/self that a namespace's work could have changed or kept. */
function networkNamespaces() {
  const read = (path: string): string => {
    try {
      return readlinkSync(path)
    } catch {
      return ''
    }
  }
  const threads = readdirSync('/proc/self/task').map(task => read(`/proc/self/task/${task}/ns/net`))
  const descriptors = readdirSync('/proc/self/fd').map(fd => read(`/proc/self/fd/${fd}`))
  return {
    ofThreads: [...new Set(threads.filter(Boolean))],
    held: descriptors.filter(target => /^net:|\/run\/netns|\/ns\/net/.test(target)),
  }
}

/** Loads, attaches by `hook` and ends without closing. */
function idleProgram(hook: string): string {
  return `import { NativeProbeSource, RETIRE_TIMES } from './lib/capture/native-probe.ts'
    const source = await NativeProbeSource.open({ flowLimit: 16, retire: RETIRE_TIMES, auditEvery: 0 })
    await source.attach(${JSON.stringify({ ...request(), hook })})
    await source.drain()`
}

describe('a probe', function () {
  this.timeout(30_000)

  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load kernel programs')
    namespaces = new Namespaces()
    ;({ a, b } = await namespaces.createPair())
  })
  afterEach(() => sources.close())
  after(() => namespaces?.remove())

  it('that is closed refuses everything but closing', async () => {
    const source = await sources.open()
    await source.attach(request())
    await source.close()
    await source.close()
    for (const use of [
      () => source.drain(),
      () => source.attach(request()),
      () => source.detach(1),
      () => source.links(),
      () => source.inspect(),
      () => source.enableStatistics(),
      () => source.programTime(),
      () => source.setTcpDetail(false),
    ])
      await assert.rejects(use, Failure)
  })

  it('may be closed while it works', async () => {
    const source = await sources.open()
    await source.attach(request('clsact'))
    const work = [source.drain(), source.attach(request('tcx')), source.drain(), source.close(), source.drain()]
    const ends = (await Promise.allSettled(work)).map(({ status }) => status)
    assert.deepEqual(ends.slice(0, 4), ['fulfilled', 'fulfilled', 'fulfilled', 'fulfilled'])
    assert.deepEqual(await hookQdiscs('eth0', a.name), [])
  })

  it('drains in order, also when it is asked from several places at once, each packet in one batch', async () => {
    const source = await sources.open()
    const { interfaceSlot } = await source.attach(request())
    const sending = a.traffic('ping', '--to', b.addresses.v4, '--count', 50, '--interval', '0.005')
    const batches = []
    for (let i = 0; i < 20; i++) batches.push(...(await Promise.all([source.drain(), source.drain(), source.drain()])))
    await sending
    batches.push(await source.drain())
    assert.deepEqual(
      batches.map(({ sequence }) => sequence),
      batches.map((_, i) => i + 1),
    )
    const drained = batches.flatMap(({ flows }) => [...flows.fromPodPackets]).reduce((sum, each) => sum + each, 0)
    assert.equal(drained, 50)
    assert.equal(interfaceRow(batches.at(-1)!, interfaceSlot)?.fromPod.skbs, 50)
    assert.equal(batches.flatMap(({ started }) => [...started.slot]).length, 1)
  })

  it('leaves every thread in its network namespace, and keeps none of a pod', async () => {
    const before = networkNamespaces()
    assert.equal(before.ofThreads.length, 1)
    const source = await sources.open()
    await source.attach(request())
    await source.links(a.path)
    await source.namespaces()
    await source.drain()
    await assert.rejects(source.attach({ ...request(), device: 'none' }))
    assert.deepEqual(networkNamespaces(), before)
  })

  it('shows its programs and maps, those of its attachments too', async () => {
    const source = await sources.open()
    const names = async () => (await source.inspect()).programs.map(({ name }) => name)
    assert.deepEqual((await names()).sort(), SHARED)
    await source.attach(request())
    assert.deepEqual((await names()).sort(), [...SHARED, 'podweir_in_001', 'podweir_out_001'])
    const { maps } = await source.inspect()
    assert.ok(maps.length > 0 && maps.every(({ memoryBytes, id }) => memoryBytes > 0 && id > 0))
  })

  it('refuses options that make no sense, by name', async () => {
    const options = { flowLimit: 1024, retire: RETIRE_TIMES, auditEvery: 0 }
    for (const [wrong, name] of [
      [{ ...options, flowLimit: 15 }, 'flowLimit'],
      [{ ...options, flowLimit: 2 ** 20 + 1 }, 'flowLimit'],
      [{ ...options, auditEvery: -1 }, 'auditEvery'],
      [{ ...options, retire: undefined }, 'retire'],
      ...Object.keys(RETIRE_TIMES).flatMap(time =>
        [-1, NaN, Infinity, '5'].map(ms => [{ ...options, retire: { ...RETIRE_TIMES, [time]: ms } }, `retire.${time}`]),
      ),
    ] as [ProbeOptions, string][])
      await assert.rejects(NativeProbeSource.open(wrong), new RegExp(`^TypeError: ${name} `))
  })

  it('tells the time in its dispatchers while statistics are on, and keeps that of those that are gone', async function () {
    const source = await sources.open()
    const { interfaceSlot } = await source.attach(request())
    const ping = (count: number) => a.traffic('ping', '--to', b.addresses.v4, '--count', count, '--interval', '0.001')
    await ping(20)
    if ((await source.programTime()).runs > 0) skip(this, 'another process has the kernel’s statistics on')
    await source.enableStatistics()
    await ping(20)
    await source.disableStatistics()
    const during = await source.programTime()
    assert.ok(during.runs >= 40 && during.nanoseconds > during.runs, JSON.stringify(during))
    await ping(20)
    assert.deepEqual(await source.programTime(), during)
    await source.detach(interfaceSlot)
    await source.drain()
    assert.deepEqual(await source.programTime(), during)
  })

  for (const hook of ['tcx', 'clsact'])
    it(`that is attached by ${hook} keeps no process alive, and goes with it`, async () => {
      const args = ['--input-type=module', '-e', idleProgram(hook)]
      await promisify(execFile)(process.execPath, args, { timeout: 10_000 })
      assert.deepEqual(await hookQdiscs('eth0', a.name), [])
    })
})
