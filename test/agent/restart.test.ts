// Agents that end in whatever way and are followed by others while the kernel goes on counting: nothing is lost
// uncounted, nothing told twice.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, it } from 'mocha'
import type { StatusRecord } from '../../lib/signals/flow-record.ts'
import { existingLinks, heldBy } from '../support/bpf-objects.ts'
import { type PinnedAgents, withPinnedAgents } from '../support/pinned-agents.ts'
import { ownFilters } from '../support/traffic-control.ts'

/** Enough to see each way of going on; by hand `KILLS=100`. */
const KILLS = Number(process.env.KILLS ?? 5)

let node: PinnedAgents

function assertBalanced({ skbs, packets, delivery }: StatusRecord['ledger']): void {
  assert.equal(skbs.unexplained, 0)
  assert.equal(skbs.device + skbs.overseen, skbs.seen + skbs.unobserved)
  assert.equal(packets.seen, packets.flow + packets.collapsed + packets.other + packets.overflow + packets.filtered)
  const { drained, exported, restart, lost, otherEnd, excluded, queued } = delivery.packets
  assert.equal(drained, packets.flow + packets.collapsed)
  assert.equal(drained, exported + restart + lost + otherEnd + excluded + queued)
}

describe('an agent whose maps are pinned', function () {
  this.timeout(Math.max(60_000, KILLS * 12_000))

  withPinnedAgents(made => {
    node = made
  })

  for (const hook of ['tcx', 'clsact'] as const)
    it(`goes on by ${hook} where killed ones were, pods and ledger exactly, edges but for what is told as restart`, async () => {
      await node.start({ hook })
      const inFlight: number[] = []
      let total = 0
      for (let kill = 0; kill < KILLS; kill++) {
        // Each flow is idle for longer than it takes to retire: slots are given back all the time.
        const traffic = node.send(6_000, 5_000)
        total += 6_000
        await sleep(200 + Math.random() * 1_200)
        await node.agent.kill()
        inFlight.push(node.exported().newInLastRequest('podweir.network.flow.packets'))
        await node.start({ hook })
        await traffic
      }
      const ledger = await node.settle()
      assertBalanced(ledger)
      const truth = await node.a.device()
      assert.equal(truth.transmitPackets, total)
      assert.equal(ledger.skbs.device, truth.transmitPackets + truth.receivePackets)
      const told = node.exported()
      assert.equal(told.newest('podweir.pod.network.packets', 'transmit'), total)
      assert.deepEqual(told.falls('podweir.pod.network.packets'), [])
      assert.deepEqual(told.falls('podweir.ledger.packets'), [])
      assert.equal(ledger.delivery.packets.lost, 0)
      // What a request had that was written and not yet acknowledged is told again by the next agent.
      const twice = told.total('podweir.network.flow.packets') + ledger.delivery.packets.restart - total
      const books = JSON.stringify(ledger.delivery.packets)
      assert.ok(isSumOfSome(twice, inFlight), `${twice} told twice, last requests had ${inFlight}: ${books}`)
      assert.equal((await ownFilters('eth0', node.a.name)).length, hook === 'clsact' ? 2 : 0)
      assert.equal((await node.agent.stop()).code, 0)
      assert.equal(existsSync(node.pins), false, 'pins are left')
      assert.equal((await node.sink.stop()).received, total)
    })

  it('leaves everything counting when it is told to keep it, and the next one loses nothing', async () => {
    await node.start({ on_stop: 'keep' })
    const { links } = heldBy(node.agent.pid)
    const traffic = node.send(6_000)
    await sleep(500)
    assert.equal((await node.agent.stop()).code, 0)
    const left = await existingLinks()
    assert.ok(links.length === 2 && links.every(id => left.includes(id)), 'its links are gone')
    await traffic
    await node.start({ on_stop: 'detach' })
    const ledger = await node.settle()
    assertBalanced(ledger)
    assert.equal(ledger.delivery.packets.restart, 0)
    assert.equal(node.exported().total('podweir.network.flow.packets'), 6_000)
    assert.equal(node.exported().newest('podweir.pod.network.packets', 'transmit'), 6_000)
    assert.equal((await node.agent.stop()).code, 0)
    assert.equal(existsSync(node.pins), false)
  })

  it('counts what was not delivered as restart when the next one wants tables of another size', async () => {
    await node.start({ collection_interval: '1h' })
    await node.send(2_000)
    await node.agent.until('flows are counted', ({ ledger }) => ledger.delivery.packets.drained === 2_000)
    await node.agent.kill()
    await node.start({ flow_limit: 1_000 })
    const { ledger } = await node.agent.status()
    assert.equal(ledger.delivery.packets.restart, 2_000)
    assert.equal(ledger.delivery.packets.drained, 2_000)
    await node.send(500)
    assert.equal((await node.settle()).delivery.packets.drained, 2_500)
    assert.equal(node.exported().total('podweir.network.flow.packets'), 500)
  })

  it('ends the books of an interface that went away while no agent ran', async () => {
    await node.start({ collection_interval: '1h' })
    await node.send(2_000)
    await node.agent.until('flows are counted', ({ ledger }) => ledger.delivery.packets.drained === 2_000)
    await node.agent.kill()
    await node.a.run('ip', 'link', 'set', 'eth0', 'name', 'eth1')
    await node.a.run('ip', 'link', 'del', 'eth1')
    await node.startWithout()
    const { ledger } = await node.agent.until('its row came', each => each.ledger.packets.seen > 0)
    assertBalanced(ledger)
    assert.equal(ledger.packets.seen, 2_000)
    assert.equal(ledger.skbs.device, 2_000)
    assert.equal(ledger.delivery.packets.restart, 2_000)
  })
})

/** Each at most once. */
function isSumOfSome(sum: number, parts: readonly number[]): boolean {
  if (sum === 0) return true
  return parts.some((part, i) => part > 0 && part <= sum && isSumOfSome(sum - part, parts.slice(i + 1)))
}
