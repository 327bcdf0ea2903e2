// The demo's traffic as a service map in a real Jaeger, from packets alone.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'mocha'
import { demoInventoryYaml } from '../../lib/demo/demo-inventory.ts'
import { PODS } from '../../lib/demo/pods.ts'
import { Scenario } from '../../lib/demo/scenario.ts'
import { Topology } from '../../lib/demo/topology.ts'
import type { Pipeline } from '../../lib/pipeline.ts'
import { EdgeWindowCounts } from '../support/edge-window-counts.ts'
import { type Dependency, type Jaeger, startJaeger } from '../support/jaeger.ts'
import { openPipeline } from '../support/observed-pipeline.ts'
import { ensureServer } from '../support/server-process.ts'
import { skip } from '../support/skip.ts'
import { until } from '../support/until.ts'

const WINDOW_MS = 5_000
const SECONDS = 13
const NET = ' (net)'

/** Who talks to whom in the demo: docs/demo.md. */
const scraped = ['frontend', 'cart', 'checkout', 'payments']
const cast = [
  ...['frontend > cart', 'frontend > checkout', 'cart > redis', 'checkout > payments', 'payments > ledger'],
  ...['payments > api.stripe.example', 'reports > warehouse.example', 'reports > ledger', 'metrics > coredns'],
  ...['checkout > ledger', 'checkout > fraud'],
  ...scraped.map(pod => `metrics > ${pod}`),
  ...PODS.filter(({ name }) => name !== 'coredns').map(({ name }) => `${name} > coredns`),
]

describe('the service map of the demo in a real Jaeger', function () {
  this.timeout(120_000)
  const folder = mkdtempSync(join(tmpdir(), 'podweir-map-'))
  const topology = new Topology()
  let jaeger: Jaeger | undefined
  let pipeline: Pipeline | undefined
  let counted: EdgeWindowCounts
  let dependencies: Dependency[]

  before('build it once, and run the demo', async function () {
    this.timeout('30m')
    if (process.getuid?.() !== 0) skip(this, 'needs root to load eBPF and to make network namespaces')
    await ensureServer('jaeger', '1.76.0')
    jaeger = await startJaeger({ folder })
    await topology.create()
    const opened = await openPipeline({
      receiver: { traces: { window: '5s', connections: 'off' }, retire: { connect_timeout: '2s' } },
      exporters: { otlp_grpc: { endpoint: jaeger.endpoint } },
      signals: ['traces'],
      inventory: demoInventoryYaml(),
    })
    pipeline = opened.pipeline
    counted = new EdgeWindowCounts(pipeline, WINDOW_MS)
    await pipeline.start()
    await topology.up()
    const scenario = new Scenario(topology.ipv6)
    await scenario.start(SECONDS)
    await scenario.finished()
    await scenario.stop()
    await pipeline.quiesce(10_000)
    await pipeline.stop(10_000)
    const wanted = Object.values(counted.calls()).reduce((sum, calls) => sum + calls, 0)
    await until(
      () => `all calls in Jaeger: ${JSON.stringify([wanted, callsOf(dependencies), opened.messages])}`,
      async () => {
        dependencies = await jaeger!.dependencies(Date.now() + 60_000)
        return dependencies.reduce((sum, { callCount }) => sum + callCount, 0) >= wanted
      },
      { everyMs: 500, limitMs: 20_000 },
    )
  })

  after(async () => {
    await pipeline?.stop(0)
    await topology.remove()
    await jaeger?.stop()
    rmSync(folder, { recursive: true })
  })

  it('has every edge of the cast, and beside those only what IPv6 neighbours ask each other', () => {
    const edges = Object.keys(callsOf(dependencies))
    assert.deepEqual(
      cast.filter(edge => !edges.includes(edge)),
      [],
    )
    const others = edges.filter(edge => !cast.includes(edge))
    assert.deepEqual([...new Set(others.flatMap(edge => counted.transports(edge)))], ['icmp'])
  })

  it('has as many calls on each as there were windows with traffic', () => {
    assert.deepEqual(callsOf(dependencies), counted.calls())
  })

  it('shows errors where attempts to connect failed, and nowhere else', async () => {
    const failed = new Set<string>()
    for (const service of await jaeger!.services())
      for (const { spans } of await jaeger!.traces(service, 10_000))
        for (const { operationName, tags } of spans)
          if (tags.some(({ key, value }) => key === 'error' && value === true)) failed.add(operationName)
    assert.deepEqual([...failed].sort(), ['tcp fraud:9000', 'tcp ledger:5433'])
  })
})

/** As the cast writes them. */
function callsOf(dependencies: readonly Dependency[]): Record<string, number> {
  const plain = (name: string) => {
    assert.ok(name.endsWith(NET), name)
    return name.slice(0, -NET.length)
  }
  return Object.fromEntries(
    dependencies.map(({ parent, child, callCount }) => [`${plain(parent)} > ${plain(child)}`, callCount]),
  )
}
