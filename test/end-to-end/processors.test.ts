// Processors of metrics as a user sets them: what was sent decides what a receiver gets, and what is excluded.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import { type CollectedAgent, withCollectedAgent } from '../support/collected-agent.ts'
import { Namespaces, type TestNamespace } from '../support/namespaces.ts'
import { comeToRest } from '../support/rest.ts'

const PACKETS = 'podweir.network.flow.packets'

describe('processors of metrics', function () {
  this.timeout(60_000)
  const namespaces = new Namespaces()
  let a: TestNamespace
  let b: TestNamespace
  let node: CollectedAgent

  withCollectedAgent(made => {
    node = made
  })
  before(async () => {
    ;({ a, b } = await namespaces.createPair())
    await b.serve('udp-serve', '--port', 9000, '--ports', 60)
  })
  after(() => namespaces.remove())

  function start(more: string): Promise<void> {
    const pods = [
      { name: 'a', namespace: a },
      { name: 'b', namespace: b },
    ]
    return node.start({ pods, more })
  }

  const send = (port: number, count: number) =>
    a.traffic('udp-send', ...['--to', b.addresses.v4, '--port', port, '--tuples', 8, '--count', count])

  it('leave out of one receiver what the filter excludes, to the packet, and call the rest as it wants', async () => {
    await start(`
processors:
  filter: { exclude: ["dst.port:9001 src:a", "proto:icmp"] }
  attributes: { profile: obi, rename: { podweir.observer: seen_by } }
  batch: { send_batch_size: 10, send_batch_max_size: 10 }
service: { pipelines: { metrics: { processors: [filter, attributes, batch], exporters: [otlp_grpc] } } }
`)
    await send(9000, 300)
    await send(9001, 500)
    await comeToRest([a.name, b.name])
    await node.agent.until('everything is seen', ({ ledger: { packets } }) => packets.seen === 2 * 800)
    const { ledger } = await node.agent.until(
      'the rest is exported',
      ({ ledger: { delivery } }) => delivery.packets.queued === 0,
    )
    const { drained, exported, otherEnd, excluded } = ledger.delivery.packets
    assert.deepEqual(
      { drained, exported, otherEnd, excluded },
      { drained: 1600, exported: 300, otherEnd: 800, excluded: 500 },
    )
    await node.agent.stop()
    const { collector } = node
    assert.equal(collector.sums(PACKETS), 300n)
    const where = {
      'server.port': '9000',
      'k8s.src.owner.name': 'a',
      'k8s.dst.namespace': 'test',
      transport: 'udp',
      direction: 'request',
      seen_by: 'client',
    }
    assert.equal(collector.sums(PACKETS, where), 300n)
    assert.equal(collector.points(PACKETS, { 'server.port': '9001' }).length, 0)
    assert.equal(collector.sums('podweir.ledger.packets', { 'podweir.ledger.stage': 'excluded' }), 500n)
    assert.doesNotMatch(JSON.stringify(collector.requests()), /source\.k8s\.owner\.name|podweir\.observer/)
    const sizes = collector.requests().map(request => pointsIn(request))
    assert.ok(Math.max(...sizes) <= 10, `${Math.max(...sizes)} points in one request`)
  })

  it('exclude nothing as long as another receiver gets it', async () => {
    await start(`
processors: { filter: { include: ["dst.port:9000"] } }
exporters: { file: { path: ${node.folder}/all.jsonl } }
service:
  pipelines:
    metrics: { processors: [filter], exporters: [otlp_grpc] }
    metrics/all: { exporters: [file] }
`)
    await send(9000, 100)
    await send(9002, 200)
    await comeToRest([a.name, b.name])
    await node.agent.until('everything is seen', ({ ledger: { packets } }) => packets.seen === 2 * 300)
    const { ledger } = await node.agent.until(
      'all is exported',
      ({ ledger: { delivery } }) => delivery.packets.queued === 0,
    )
    const { exported, excluded } = ledger.delivery.packets
    assert.deepEqual([exported, excluded], [300, 0])
    await node.agent.stop()
    assert.equal(node.collector.sums(PACKETS), 100n)
  })
})

function pointsIn(request: unknown): number {
  return [...JSON.stringify(request).matchAll(/"timeUnixNano"/g)].length
}
