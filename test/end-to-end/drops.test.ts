import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, before, beforeEach, describe, it } from 'mocha'
import { Agent } from '../support/agent.ts'
import { type Collector, startCollector } from '../support/collector.ts'
import { Namespaces, type TestNamespace } from '../support/namespaces.ts'
import { skip } from '../support/skip.ts'

const DROPPED = 'podweir.network.packet.dropped'
const CLOSED_PORT = 9
const ARRIVAL_LIMIT_MS = 10_000

describe('drops at a Collector', function () {
  this.timeout(60_000)
  let namespaces: Namespaces
  let folder = ''
  let collector: Collector | undefined
  let agent: Agent | undefined
  let a: TestNamespace
  let b: TestNamespace

  before(function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load eBPF and to make network namespaces')
  })
  beforeEach(async () => {
    namespaces = new Namespaces()
    ;({ a, b } = await namespaces.createPair())
    folder = mkdtempSync(join(tmpdir(), 'podweir-drops-'))
    collector = await startCollector({ folder })
  })
  afterEach(async () => {
    await agent?.stop()
    await collector?.stop()
    agent = collector = undefined
    await namespaces.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  function start(modules?: Record<string, string>): Promise<Agent> {
    const pods = [
      { name: 'a', namespace: a },
      { name: 'b', namespace: b },
    ]
    return Agent.start({ folder, pods, otlp: collector!.endpoint, ...(modules && { receiver: { modules } }) })
  }

  const sum = (pod: string, reason = 'no_socket') =>
    collector!.sums(DROPPED, { 'k8s.pod.name': pod, 'podweir.drop.reason': reason })

  /** Told of the pod, or as uncounted: others on this machine drop too, and one drop may interrupt another's counting. */
  async function arrived(pod: string, packets: bigint): Promise<void> {
    const told = () => sum(pod) + collector!.sums(DROPPED, { 'otel.metric.overflow': 'true' })
    for (let waitedMs = 0; told() < packets && waitedMs < ARRIVAL_LIMIT_MS; waitedMs += 100) await sleep(100)
    assert.ok(sum(pod) <= packets && told() >= packets, `${sum(pod)} of ${packets}`)
  }

  it('are of the pod that had no socket for them, as many as its kernel counted', async () => {
    agent = await start({ drops: 'on' })
    const before = (await b.protocols()).UdpNoPorts!
    const send = ['--to', b.addresses.v4, '--port', CLOSED_PORT, '--count'] as const
    await a.traffic('udp-send', ...send, 300)
    await arrived('b', 300n)
    await a.traffic('udp-send', ...send, 200)
    await arrived('b', 500n)
    assert.equal((await b.protocols()).UdpNoPorts! - before, 500)
    assert.equal(sum('a'), 0n)
    const [zero] = collector!.points(DROPPED, { 'k8s.pod.name': 'b' })
    assert.deepEqual([zero!.asInt, zero!.timeUnixNano], ['0', zero!.startTimeUnixNano])
    const found = zero!.attributes!.map(({ key }) => key).sort()
    assert.deepEqual(found, [
      'k8s.deployment.name',
      'k8s.namespace.name',
      'k8s.pod.name',
      'network.interface.name',
      'podweir.attach.place',
      'podweir.drop.reason',
    ])
  })

  it('are not there unless asked for', async () => {
    agent = await start()
    await a.traffic('udp-send', '--to', b.addresses.v4, '--port', CLOSED_PORT, '--count', 100)
    await agent.stop()
    await collector!.stop()
    assert.ok(collector!.points('podweir.pod.network.packets').length > 0)
    assert.deepEqual(collector!.points(DROPPED), [])
  })

  it('of a pod that went away are told to the last', async () => {
    agent = await start({ drops: 'on' })
    await a.traffic('udp-send', '--to', b.addresses.v4, '--port', CLOSED_PORT, '--count', 100)
    await namespaces.remove()
    await agent.until('both interfaces are gone', ({ interfaces }) =>
      interfaces.every(each => each.state !== 'attached'),
    )
    await arrived('b', 100n)
  })
})
