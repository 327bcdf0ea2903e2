// A scope as a user sets it, on real devices: what was sent decides what must be filtered, to the packet.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'mocha'
import type { ScopeRules } from '../../lib/config/scope.ts'
import type { StatusRecord } from '../../lib/signals/flow-record.ts'
import { inventoryOf } from '../agent/agent-folder.ts'
import { type CollectedAgent, withCollectedAgent } from '../support/collected-agent.ts'
import { Namespaces, type TestNamespace } from '../support/namespaces.ts'
import { comeToRest } from '../support/rest.ts'

interface Rules {
  readonly include?: Partial<ScopeRules>
  readonly exclude?: Partial<ScopeRules>
}

describe('a scope on real devices', function () {
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

  /** Both pods are of namespace `test`; their workloads are `Deployment/a` and `Deployment/b`. */
  function start(scope: Rules): Promise<void> {
    const pods = [
      { name: 'a', namespace: a },
      { name: 'b', namespace: b },
    ]
    return node.start({ pods, receiver: { scope, retire: { datagram: '1m' } } })
  }

  const send = (port: number, count: number, tuples = 8) =>
    a.traffic('udp-send', ...['--to', b.addresses.v4, '--port', port, '--tuples', tuples, '--count', count])

  /** When each of the packets sent has been seen at both ends and has its place. */
  async function settled(sent: number): Promise<StatusRecord['ledger']> {
    await comeToRest([a.name, b.name])
    const { ledger } = await node.agent.until(
      'everything is seen',
      ({ ledger: { packets } }) => packets.seen === 2 * sent,
    )
    for (const { seen, flow, collapsed, other, overflow, filtered } of [ledger.packets, ledger.bytes])
      assert.equal(seen, flow + collapsed + other + overflow + filtered)
    const { drained, exported, otherEnd, excluded, queued, lost } = ledger.delivery.packets
    assert.equal(drained, exported + otherEnd + excluded + queued + lost)
    return ledger
  }

  it('filters exactly what was sent to an excluded port, at both ends', async () => {
    await start({ exclude: { ports: ['9001/udp'] } })
    await send(9000, 300)
    await send(9001, 500)
    const { packets } = await settled(800)
    assert.deepEqual([packets.filtered, packets.flow], [1_000, 600])
    await node.agent.stop()
    assert.equal(node.collector.sums('podweir.network.flow.packets', { 'server.port': '9000' }), 300n)
    assert.equal(node.collector.sums('podweir.network.flow.packets', { 'server.port': '9001' }), 0n)
    assert.equal(node.collector.sums('podweir.ledger.packets', { 'podweir.ledger.stage': 'filtered' }), 1_000n)
  })

  it('filters everything but the included block, which one end alone is in', async () => {
    await start({ include: { cidrs: [`${b.addresses.v4}/32`] } })
    await send(9000, 200)
    const { packets } = await settled(200)
    assert.deepEqual([packets.filtered, packets.flow], [200, 200])
  })

  it('leaves out a workload’s pod: its interface is filtered, and the other pod tells of their conversation', async () => {
    await start({ exclude: { workloads: ['Deployment/a'] } })
    await send(9000, 400)
    const { packets, delivery } = await settled(400)
    assert.deepEqual([packets.filtered, packets.flow], [400, 400])
    assert.equal(delivery.packets.otherEnd, 0)
    await node.agent.stop()
    const where = { 'server.port': '9000', 'source.k8s.owner.name': 'a', 'podweir.observer': 'server' }
    assert.equal(node.collector.sums('podweir.network.flow.packets', where), 400n)
    assert.equal(node.collector.points('podweir.pod.network.packets', { 'k8s.pod.name': 'a' }).length, 0)
    assert.equal(
      node.collector.sums('podweir.pod.network.packets', { 'k8s.pod.name': 'b', 'network.io.direction': 'receive' }),
      400n,
    )
  })

  it('follows the inventory: a label takes a pod out and back, and excludes what is in the table', async () => {
    let sent = 0
    let port = 9000
    /** A conversation of its own each time: how many of its packets were filtered. */
    const filteredOf = async (packets: number): Promise<number> => {
      const { filtered } = (await settled(sent)).packets
      sent += packets
      await send(++port, packets, 1)
      return (await settled(sent)).packets.filtered - filtered
    }
    /** One and the same flow each time. */
    const sendOld = async () => {
      const to = ['--to', b.addresses.v4, '--mac', b.addresses.mac, '--from', a.addresses.v4]
      await a.traffic('raw', '--device', 'eth0', ...to, '--source-port', 7, '--port', 9000, '--count', 50)
      sent += 50
    }
    await start({ exclude: { labels: ['quiet'] } })
    await sendOld()
    assert.equal(await filteredOf(10), 0)
    await label('{ quiet: "yes" }')
    await until(async () => (await filteredOf(10)) === 10)
    const { exported: _, ...before } = (await settled(sent)).delivery.packets
    await sendOld()
    const { exported: __, ...after } = (await settled(sent)).delivery.packets
    assert.deepEqual([after.drained - before.drained, after.excluded - before.excluded], [100, 50])
    await label('{ other: "yes" }')
    await until(async () => (await filteredOf(10)) === 0)
  })

  /** Of pod b. */
  async function label(labels: string): Promise<void> {
    const line = (name: string, { path, addresses }: TestNamespace, more: string) =>
      `  - { namespace: test, name: ${name}, interfaces: [{ netns: ${path}, device: eth0 }], addresses: [${addresses.v4}], workload: { kind: Deployment, name: ${name} }${more} }`
    writeFileSync(
      join(node.folder, 'inventory.yaml'),
      inventoryOf(line('a', a, ''), line('b', b, `, labels: ${labels}`)),
    )
  }

  async function until(holds: () => Promise<boolean>): Promise<void> {
    for (let tries = 0; tries < 20; tries++) if (await holds()) return
    assert.fail('not in 20 tries')
  }
})
