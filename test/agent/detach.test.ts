// podweir detach, and that there is one agent on a node at a time.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { describe, it } from 'mocha'
import { NativeProbeSource, RETIRE_TIMES } from '../../lib/capture/native-probe.ts'
import { existingLinks, heldBy } from '../support/bpf-objects.ts'
import { differencesSince, snapshotHost } from '../support/host-snapshot.ts'
import { type PinnedAgents, withPinnedAgents } from '../support/pinned-agents.ts'
import { PodweirProcess } from '../support/podweir-process.ts'
import { hookQdiscs, ownFilters, tc } from '../support/traffic-control.ts'
import { until } from '../support/until.ts'

let node: PinnedAgents

const detach = (...more: string[]) => new PodweirProcess(['detach', '--pins', node.pins, ...more]).end()

describe('podweir detach', function () {
  this.timeout(60_000)

  withPinnedAgents(made => {
    node = made
  })

  for (const hook of ['tcx', 'clsact'] as const)
    it(`takes off what a killed agent left by ${hook}, and nothing else`, async () => {
      const before = await snapshotHost()
      await node.start({ hook })
      const { links } = heldBy(node.agent.pid)
      await node.agent.kill()
      const { code, stdout } = await detach()
      assert.equal(code, 0)
      assert.match(
        stdout,
        hook === 'tcx'
          ? /^removed 2 tcx links, \d+ pinned maps\n$/
          : /^removed 2 clsact filters, 1 clsact qdisc, \d+ pinned maps\n$/,
      )
      assert.equal(existsSync(node.pins), false)
      const left = await existingLinks()
      assert.ok(!links.some(id => left.includes(id)))
      assert.deepEqual(await differencesSince(before), [])
      assert.equal((await detach()).stdout, 'there was nothing to remove\n')
    })

  it('keeps foreign filters and the clsact that they hang on', async () => {
    await tc(node.a.name, 'qdisc', 'add', 'dev', 'eth0', 'clsact')
    const match = ['protocol', 'all', 'u32', 'match', 'u32', '0', '0']
    await tc(node.a.name, 'filter', 'add', 'dev', 'eth0', 'ingress', 'prio', '7', ...match)
    const before = await snapshotHost()
    await node.start({ hook: 'clsact' })
    await node.agent.kill()
    assert.equal((await ownFilters('eth0', node.a.name)).length, 2)
    assert.match((await detach()).stdout, /^removed 2 clsact filters, \d+ pinned maps\n$/)
    assert.deepEqual(await hookQdiscs('eth0', node.a.name), ['clsact'])
    assert.deepEqual(await differencesSince(before), [])
  })

  it('stays where it is told to, and keeps agents from starting until it is stopped', async () => {
    await node.start()
    await node.agent.kill()
    const staying = new PodweirProcess(['detach', '--pins', node.pins, '--stay'])
    try {
      await until('it stays', () => /^removed .*\nstaying, so that no agent/.test(staying.stdout))
      assert.equal(existsSync(node.pins), false)
      assert.match((await new PodweirProcess(['agent']).end()).stderr, /another agent runs on this node/)
    } finally {
      assert.equal((await staying.end('SIGTERM')).code, 0)
    }
    assert.equal((await detach()).stdout, 'there was nothing to remove\n')
  })

  it('leaves what a running agent has, and names that agent', async () => {
    await node.start()
    const { code, stderr } = await detach()
    assert.equal(code, 1)
    assert.match(stderr, new RegExp(`another agent runs on this node: process ${node.agent.pid}, podweir`))
    assert.equal(heldBy(node.agent.pid).links.length, 2)
  })
})

describe('a second agent', function () {
  this.timeout(60_000)

  withPinnedAgents(made => {
    node = made
  })

  it('refuses, and names the first', async () => {
    await node.start()
    const { code, stderr } = await new PodweirProcess(['agent']).end()
    assert.equal(code, 1)
    assert.match(
      stderr,
      new RegExp(`another agent runs on this node: process ${node.agent.pid}, podweir .*→ stop that`, 's'),
    )
  })

  it('refuses pins that another process has, and names it', async () => {
    await node.start()
    const options = { flowLimit: 64, retire: RETIRE_TIMES, auditEvery: 0, pins: node.pins }
    await assert.rejects(
      NativeProbeSource.open(options),
      new RegExp(`lock ${node.pins}: .*process ${node.agent.pid} has it`, 's'),
    )
  })
})
