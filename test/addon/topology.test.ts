import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { after, before, describe, it } from 'mocha'
import { clean, Watchdog } from '../../lib/demo/cleanup.ts'
import { ipBatch } from '../../lib/demo/iproute.ts'
import { type PartCounts, Scenario } from '../../lib/demo/scenario.ts'
import { Topology } from '../../lib/demo/topology.ts'
import { readDeviceCounters } from '../support/counters.ts'
import { differencesSince, snapshotHost } from '../support/host-snapshot.ts'
import { skip } from '../support/skip.ts'

/** A demo that makes its network, says so and waits to be killed. */
const VICTIM = `
  const { Watchdog } = await import('./lib/demo/cleanup.ts')
  const { Scenario } = await import('./lib/demo/scenario.ts')
  const { Topology } = await import('./lib/demo/topology.ts')
  await Watchdog.start()
  const topology = new Topology()
  await topology.create()
  await topology.up()
  await new Scenario(topology.ipv6).start(30)
  console.log('playing')
  setInterval(() => {}, 1000)`

describe('demo topology', function () {
  this.timeout(30_000)
  let machine: string[] = []

  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to make network namespaces')
    await clean()
    machine = await snapshotHost()
  })

  after(async () => {
    if (process.getuid?.() === 0) await clean()
  })

  it('plays every part to its end, and leaves nothing behind', async () => {
    const watchdog = await Watchdog.start()
    const topology = new Topology()
    const scenario = new Scenario(topology.ipv6)
    try {
      await topology.create()
      assert.deepEqual(await silentDevices(topology), [], 'a pod device counted before it was set up')
      await topology.up()
      await scenario.start(3)
      await scenario.finished()
      assertPlayed(await scenario.stop())
    } finally {
      await scenario.stop()
      await topology.remove()
      await watchdog.finish()
    }
    assert.deepEqual(await differencesSince(machine), [])
  })

  it('refuses a second demo while one runs, and its clean-up too', async () => {
    const watchdog = await Watchdog.start()
    try {
      await assert.rejects(Watchdog.start(), /another demo is running/)
      await assert.rejects(clean(), /another demo is running/)
    } finally {
      await watchdog.finish()
    }
  })

  it('is removed by its watchdog when the demo is killed', async () => {
    const demo = spawn(process.execPath, ['--input-type=module', '-e', VICTIM], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(demo.stdout, 'data')
    assert.ok(existsSync('/run/netns/pwd-cart'))
    demo.kill('SIGKILL')
    await once(demo, 'exit')
    assert.deepEqual(await differencesSince(machine), [])
  })

  it('is cleaned by name when demo and watchdog were both killed', async () => {
    await ipBatch(['netns add pwd-left'])
    assert.deepEqual(await clean(), ['pwd-left'])
    assert.deepEqual(await clean(), [])
  })
})

/** Names of pods whose device has counted anything. */
async function silentDevices(topology: Topology): Promise<string[]> {
  const loud = await Promise.all(
    topology.interfaces.map(async ({ pod, netns, device }) => {
      const counters = (await readDeviceCounters(netns.replace('/run/netns/', '')))[device]!
      return counters.receivePackets + counters.transmitPackets > 0 ? [pod.name] : []
    }),
  )
  return loud.flat()
}

function assertPlayed(parts: readonly PartCounts[]): void {
  const total = (role: string, name: string) =>
    parts.filter(part => part.role === role).reduce((sum, { counts }) => sum + counts[name]!, 0)
  assert.equal(total('tcp-request', 'failed'), 0)
  assert.equal(total('tcp-request', 'responses'), total('tcp-serve', 'requests'))
  assert.equal(total('udp-send', 'sent'), total('udp-serve', 'received'))
  assert.equal(total('udp-send', 'answers'), total('udp-send', 'sent'))
  assert.equal(total('ping', 'replies'), total('ping', 'sent'))
  assert.equal(total('refused', 'refused'), total('refused', 'attempts'))
  assert.equal(total('silent', 'timedOut'), total('silent', 'attempts'))
  for (const role of ['tcp-bulk', 'udp-send', 'ping', 'refused', 'silent'])
    assert.ok(
      parts.some(part => part.role === role),
      `nobody played ${role}`,
    )
}
