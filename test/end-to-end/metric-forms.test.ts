// What a real Collector gets of an agent that tells differences, exponential histograms, pods under their own resources,
// and of itself on a way of its own.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, before, beforeEach, describe, it } from 'mocha'
import { Agent } from '../support/agent.ts'
import { type Collector, freePort, prepareCollector, startCollector } from '../support/collector.ts'
import { Namespaces, type WireHop } from '../support/namespaces.ts'
import { comeToRest } from '../support/rest.ts'
import { skip } from '../support/skip.ts'
import { until } from '../support/until.ts'

const DATAGRAMS = 1500
const PORT = 9000
const request = { 'podweir.flow.direction': 'request', 'network.transport': 'udp' }

describe('an agent’s metrics in another form', function () {
  this.timeout(60_000)
  let namespaces: Namespaces
  let folder = ''
  let hop: WireHop
  let collector: Collector
  let agent: Agent | undefined

  before('build the Collector, once', async function () {
    this.timeout('15m')
    if (process.getuid?.() !== 0) skip(this, 'needs root to load eBPF and to make network namespaces')
    folder = mkdtempSync(join(tmpdir(), 'podweir-forms-'))
    await prepareCollector({ folder })
    rmSync(folder, { recursive: true })
  })

  beforeEach(async () => {
    namespaces = new Namespaces()
    folder = mkdtempSync(join(tmpdir(), 'podweir-forms-'))
    hop = await namespaces.wireHop({ ipv6: true })
    collector = await startCollector({ folder })
  })

  afterEach(async () => {
    await agent?.stop()
    await collector.stop()
    await namespaces.remove()
    agent = undefined
    rmSync(folder, { recursive: true, force: true })
  })

  function sumOfDifferences(metric: string, where: Record<string, string>): bigint {
    return collector.points(metric, where).reduce((sum, { asInt }) => sum + BigInt(asInt!), 0n)
  }

  it('has exact sums as differences, the pod’s own counts under the pod’s resource, and exponential histograms', async () => {
    const exporter = { temporality: 'delta', histograms: 'exponential', resource_mode: 'pod' }
    const pods = [{ name: 'a', namespace: hop.a }]
    agent = await Agent.start({ folder, pods, otlp: collector.endpoint, exporter, receiver: { detail: 'full' } })
    await hop.b.serve('udp-serve', '--port', PORT)
    await hop.b.serve('tcp-serve', '--port', 5001, '--sink')
    const to = ['--to', hop.b.addresses.v4, '--port'] as const
    await hop.a.traffic('udp-send', ...to, PORT, '--count', DATAGRAMS, '--rate', 400)
    await hop.a.traffic('tcp-bulk', ...to, 5001, '--bytes', 1e6)
    await comeToRest([hop.a.name, hop.b.name, hop.middle.name])
    const { code, stderr } = await agent.stop()
    assert.equal(code, 0, stderr)
    await collector.stop()
    const wire = await hop.wire()
    assert.equal(sumOfDifferences('podweir.network.flow.packets', request), BigInt(DATAGRAMS))
    assert.equal(
      sumOfDifferences('podweir.pod.network.packets', { 'network.io.direction': 'transmit' }),
      BigInt(wire.transmitPackets),
    )
    const ofPod = collector
      .requests()
      .flatMap(({ resourceMetrics }) => resourceMetrics)
      .filter(({ resource }) => resource.attributes?.some(({ key }) => key === 'k8s.pod.name'))
    assert.ok(ofPod.length > 0)
    const names = ofPod.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))
    assert.ok(names.every(({ name }) => name.startsWith('podweir.pod.')))
    const keys = ofPod.flatMap(({ resource }) => resource.attributes!.map(({ key }) => key))
    assert.deepEqual(new Set(keys), new Set(['k8s.namespace.name', 'k8s.pod.name', 'k8s.deployment.name']))
    const histograms = collector
      .requests()
      .flatMap(each => JSON.stringify(each).match(/"exponentialHistogram":\{/g) ?? [])
    assert.ok(histograms.length > 0)
    assert.ok(collector.requests().every(each => !JSON.stringify(each).includes('"histogram":{')))
  })

  it('goes on without what the agent says of itself, which still speaks when the data can’t be delivered', async () => {
    const nobody = `http://127.0.0.1:${await freePort()}`
    const ownTelemetry = { level: 'basic', endpoint: collector.endpoint, interval: '1s' }
    const pods = [{ name: 'a', namespace: hop.a }]
    agent = await Agent.start({ folder, pods, otlp: nobody, ownTelemetry })
    await hop.b.serve('udp-serve', '--port', PORT)
    await hop.a.traffic('udp-send', '--to', hop.b.addresses.v4, '--port', PORT, '--count', 100)
    const items = 'podweir.ledger.items'
    await until(
      'it says what is told again',
      () => collector.sums(items, { 'podweir.ledger.stage': 'superseded' }) > 0n,
    )
    assert.equal(collector.sums(items, { 'podweir.ledger.stage': 'delivered' }), 0n)
    assert.ok(collector.sums('podweir.agent.flow.count') >= 1n)
    assert.ok(collector.sums('process.memory.usage') > 20_000_000n)
    assert.equal(collector.points('podweir.network.flow.packets').length, 0)
  })
})
