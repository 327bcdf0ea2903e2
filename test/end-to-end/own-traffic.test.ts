// The agent's own export crosses two interfaces that it observes: as the other end, and in its own pod.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, before, describe, it } from 'mocha'
import type { StatusRecord } from '../../lib/signals/flow-record.ts'
import { type CollectedAgent, withCollectedAgent } from '../support/collected-agent.ts'
import { Namespaces, type WireHop } from '../support/namespaces.ts'

/** Nobody sends anything for longer than it takes to look. */
const EXPORT_INTERVAL_MS = 3_000
const LOOK_MS = 50
const LIMIT_MS = 15_000

describe('the agent’s own export', function () {
  this.timeout(60_000)
  const namespaces = new Namespaces()
  let hop: WireHop
  let node: CollectedAgent

  withCollectedAgent(
    made => {
      node = made
    },
    () => ({ netns: hop.b.path, address: hop.b.addresses.v4 }),
  )
  before(async () => {
    hop = await namespaces.wireHop()
  })
  after(() => namespaces.remove())

  /** In the namespace of a; the Collector is in that of b. */
  function start(ownTraffic: 'exclude' | 'include'): Promise<void> {
    return node.start({
      pods: [
        { name: 'agent', namespace: hop.a },
        { name: 'collector', namespace: hop.b },
      ],
      receiver: { own_traffic: ownTraffic, collection_interval: `${EXPORT_INTERVAL_MS}ms` },
      through: ['nsenter', `--net=${hop.a.path}`],
    })
  }

  const edges = () =>
    node.collector.sums('podweir.network.flow.packets', { 'server.port': String(node.collector.grpcPort) })

  /** The status when what has been drained is twice what was on the wire since `before`, after some exports. */
  async function statusAtRest(before: number): Promise<{ status: StatusRecord; onWire: number }> {
    for (let waitedMs = 0; waitedMs < LIMIT_MS; waitedMs += LOOK_MS) {
      const onWire = (await wirePackets()) - before
      const status = await node.agent.status()
      const { drained } = status.ledger.delivery.packets
      if (
        status.exporters[0]!.acknowledgedAt !== undefined &&
        drained === 2 * onWire &&
        (await wirePackets()) - before === onWire
      )
        return { status, onWire }
      await sleep(LOOK_MS)
    }
    throw new Error(`not at rest within ${LIMIT_MS} ms: ${JSON.stringify(await node.agent.status())}`)
  }

  async function wirePackets(): Promise<number> {
    const { transmitPackets, receivePackets } = await hop.wire()
    return transmitPackets + receivePackets
  }

  it('is left out by default, all of it, and counted', async () => {
    const before = await wirePackets()
    await start('exclude')
    const { status, onWire } = await statusAtRest(before)
    const { packets, bytes } = status.ledger.delivery
    assert.ok(onWire > 10, `${onWire} packets on the wire`)
    assert.equal(packets.excluded, 2 * onWire)
    assert.deepEqual([packets.exported, packets.otherEnd, packets.queued, packets.lost], [0, 0, 0, 0])
    assert.equal(bytes.drained, bytes.excluded)
    assert.equal(status.ledger.packets.seen, status.ledger.packets.flow)
    await node.agent.stop()
    assert.equal(edges(), 0n)
    assert.ok(node.collector.sums('podweir.ledger.packets', { 'podweir.ledger.stage': 'excluded' }) > 0n)
  })

  it('is an edge like any other when it is included', async () => {
    const before = await wirePackets()
    await start('include')
    const { status, onWire } = await statusAtRest(before)
    const { packets } = status.ledger.delivery
    assert.ok(onWire > 10, `${onWire} packets on the wire`)
    assert.equal(packets.excluded, 0)
    assert.equal(packets.exported + packets.otherEnd + packets.queued, 2 * onWire)
    await node.agent.stop()
    assert.ok(edges() > 0n)
  })
})
