// Two agents that don't talk, source and destination NAT between what they see, and a real Jaeger that puts it together.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, before, describe, it } from 'mocha'
import { stringify } from 'yaml'
import { type Jaeger, type JaegerSpan, type JaegerTrace, startJaeger } from '../support/jaeger.ts'
import type { TestNamespace } from '../support/namespaces.ts'
import { type ObservedPipeline, openPipeline } from '../support/observed-pipeline.ts'
import { ensureServer } from '../support/server-process.ts'
import { skip } from '../support/skip.ts'
import { ROUTER, SERVER_PORT, SERVICE, TranslatedPath } from '../support/translated-path.ts'
import { until } from '../support/until.ts'

const WINDOW_MS = 60_000
const CONNECTIONS = { near: 3, far: 5 }

const podOf = (name: string, workload: string, { path, addresses }: TestNamespace) => ({
  ...{ namespace: 'shop', name, addresses: [addresses.v4], workload: { kind: 'Deployment', name: workload } },
  interfaces: [{ netns: path, device: 'eth0' }],
})

function inventoryOf(pods: readonly object[]): string {
  const workload = { kind: 'Deployment', name: 'api' }
  const ports = [{ port: SERVICE.port, protocol: 'tcp' }]
  const services = [{ namespace: 'shop', name: 'api-svc', addresses: [SERVICE.address], ports, workload }]
  return stringify({ pods, services, cidrs: [{ name: 'node', cidr: `${ROUTER}/32`, class: 'node' }] })
}

describe('what two agents tell of the same connections, with NAT between them', function () {
  this.timeout(120_000)
  const folder = mkdtempSync(join(tmpdir(), 'podweir-joins-'))
  const path = new TranslatedPath()
  const [far, server, near] = path.pods as [TestNamespace, TestNamespace, TestNamespace]
  let jaeger: Jaeger
  let agents: ObservedPipeline[] = []
  let traces: JaegerTrace[]

  async function open(node: string, pods: readonly object[]): Promise<ObservedPipeline> {
    const agent = await openPipeline({
      receiver: { traces: { window: `${WINDOW_MS / 1000}s`, connections: 'all' } },
      exporters: { otlp_grpc: { endpoint: jaeger.endpoint } },
      signals: ['traces'],
      resource: { 'k8s.node.name': node },
      inventory: inventoryOf(pods),
    })
    agents.push(agent)
    await agent.pipeline.start()
    return agent
  }

  const request = (client: TestNamespace, count: number) =>
    client.traffic(
      'tcp-request',
      '--to',
      SERVICE.address,
      '--port',
      SERVICE.port,
      '--connections',
      'each',
      '--count',
      count,
    )

  before(async function () {
    this.timeout('30m')
    if (process.getuid?.() !== 0) skip(this, 'needs root to load eBPF and to make network namespaces')
    await ensureServer('jaeger', '1.76.0')
    await path.create()
    jaeger = await startJaeger({ folder })
    // All in one window.
    const leftMs = WINDOW_MS - (Date.now() % WINDOW_MS)
    if (leftMs < 20_000) await sleep(leftMs)
    await open('node-far', [podOf('web-1', 'web', far)])
    await open('node-near', [podOf('api-1', 'api', server), podOf('web-2', 'web', near)])
    await server.serve('tcp-serve', '--port', SERVER_PORT, '--request', 64, '--response', 256)
    await Promise.all([request(far, CONNECTIONS.far), request(near, CONNECTIONS.near)])
    for (const { pipeline } of agents) await pipeline.quiesce(10_000)
    for (const { pipeline } of agents) await pipeline.stop(10_000)
    const wanted = 2 * (CONNECTIONS.far + CONNECTIONS.near) + 4
    await until(
      () => `${wanted} spans in Jaeger: ${JSON.stringify([traces, agents.map(({ messages }) => messages)])}`,
      async () => {
        traces = (await Promise.all(['web (net)', 'api (net)'].map(each => jaeger.traces(each, 10_000)))).flat()
        traces = [...new Map(traces.map(each => [each.traceID, each])).values()]
        return spansOf(traces).filter(isOfService).length >= wanted
      },
      { everyMs: 500, limitMs: 20_000 },
    )
  })

  after(async () => {
    for (const { pipeline } of agents) await pipeline.stop(0)
    agents = []
    await jaeger?.stop()
    await path.remove()
    rmSync(folder, { recursive: true })
  })

  it('meets in one trace for each connection, parent and child, though they have no address and no port in common', () => {
    const connections = traces.filter(({ spans }) =>
      spans.some(span => tag(span, 'podweir.span.kind') === 'connection'),
    )
    assert.equal(connections.length, CONNECTIONS.far + CONNECTIONS.near)
    for (const { spans } of connections) {
      assert.deepEqual(spans.map(span => tag(span, 'span.kind')).sort(), ['client', 'server'])
      const [client, answering] = ['client', 'server'].map(kind => spans.find(span => tag(span, 'span.kind') === kind)!)
      assert.deepEqual(
        answering!.references.map(({ refType, spanID }) => [refType, spanID]),
        [['CHILD_OF', client!.spanID]],
      )
      assert.deepEqual(
        [client, answering].map(span => [tag(span!, 'destination.address'), tag(span!, 'destination.port')]),
        [
          [SERVICE.address, SERVICE.port],
          [server.addresses.v4, SERVER_PORT],
        ],
      )
      assert.equal(tag(answering!, 'source.address'), ROUTER)
      assert.equal(tag(client!, 'podweir.trace.join'), undefined)
    }
    const clients = spansOf(connections).filter(span => tag(span, 'span.kind') === 'client')
    const dialledFrom = (address: string) => clients.filter(span => tag(span, 'source.address') === address).length
    assert.deepEqual(
      [far, near].map(({ addresses }) => dialledFrom(addresses.v4)),
      [CONNECTIONS.far, CONNECTIONS.near],
    )
  })

  it('says of both halves how the connection went', () => {
    for (const span of spansOf(traces).filter(each => tag(each, 'podweir.span.kind') === 'connection')) {
      assert.equal(tag(span, 'podweir.connection.end'), 'fin')
      assert.ok((tag(span, 'podweir.tcp.handshake.duration') as number) > 0)
      assert.ok((tag(span, 'podweir.flow.bytes.response') as number) > 256)
    }
  })

  it('is two traces of one workload edge in one window', () => {
    const edges = spansOf(traces).filter(
      span =>
        tag(span, 'podweir.span.kind') === 'edge' &&
        tag(span, 'span.kind') === 'client' &&
        span.operationName === 'tcp api-svc:80',
    )
    assert.deepEqual(edges.map(span => tag(span, 'podweir.connection.opened')).sort(), [
      CONNECTIONS.near,
      CONNECTIONS.far,
    ])
    assert.equal(new Set(edges.map(({ traceID }) => traceID)).size, 2)
    const windows = edges.map(({ startTime, duration }) => Math.floor((startTime + duration - 1) / 1000 / WINDOW_MS))
    assert.equal(new Set(windows).size, 1)
  })
})

const spansOf = (traces: readonly JaegerTrace[]): JaegerSpan[] => traces.flatMap(({ spans }) => spans)

function tag({ tags }: JaegerSpan, name: string): unknown {
  return tags.find(({ key }) => key === name)?.value
}

/** The Service was dialled, or what stands behind it. */
function isOfService({ operationName }: JaegerSpan): boolean {
  return operationName === 'tcp api-svc:80' || operationName === 'tcp api:8080'
}
