// One pod is flooded, or scans the world. No packet goes unaccounted, nobody else loses detail, and it passes.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, before, beforeEach, describe, it } from 'mocha'
import { RETIRE_TIMES } from '../../lib/capture/native-probe.ts'
import { Agent } from '../support/agent.ts'
import { CountedNode } from '../support/counted-node.ts'
import { CrowdedNode } from '../support/crowded-node.ts'
import { asStarted } from '../support/podweir-process.ts'
import { residentMegabytes } from '../support/resident-memory.ts'
import { skip } from '../support/skip.ts'

const TUPLES = 1_000_000
const FLOW_LIMIT = 32_768
/** One interface alone gets four fifths of the slots. */
const SHARE_OF_ONE = 0.8
const PROBES = 40
const RECOVERY_LIMIT_MS = 60_000
/** Of the agent, over what it has when its pods do their work: it keeps names and counts of each flow with a slot. */
const MOST_GROWTH_MB = 120
const NOTHING = { packets: 0, bytes: 0 }

/** Addresses that nobody has and nobody has a route to: nothing comes back. */
const ANYWHERE = '198.18.0.0'

interface Flood {
  readonly name: string
  /** The pod's own packets, or those that it gets. */
  readonly way: 'fromPod' | 'toPod'
  readonly args: readonly (string | number)[]
}

const DATAGRAMS: Flood = {
  name: 'a million datagrams, each from another address, to one port',
  way: 'toPod',
  args: ['--from', ANYWHERE, '--port', 53],
}
const SYNS: Flood = {
  name: 'a million SYNs from a thousand addresses to one port',
  way: 'toPod',
  args: ['--from', ANYWHERE, '--port', 80, '--ports', 1000, '--protocol', 'tcp'],
}
const SCAN: Flood = {
  name: 'its own scan of a million ports of sixty-two hosts',
  way: 'fromPod',
  args: ['--to', ANYWHERE, '--port', 40_000, '--ports', 16_384, '--protocol', 'tcp', '--scan'],
}

describe('a pod with a flood of new flows', function () {
  this.timeout('5m')
  let crowd: CrowdedNode
  let node: CountedNode | undefined
  let agent: Agent | undefined
  let folder = ''

  before(function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load eBPF and to make network namespaces')
  })

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'podweir-flood-'))
    crowd = await CrowdedNode.create()
  })

  afterEach(async () => {
    await agent?.stop()
    await node?.close()
    agent = node = undefined
    await crowd.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  const flood = ({ way, args }: Flood) =>
    crowd.flood(way === 'toPod' ? crowd.stranger : crowd.pod, [...args, '--count', TUPLES])

  /** Milliseconds until each new flow of the pod has a slot of its own again. */
  async function recovery(node: CountedNode): Promise<number> {
    const server = await crowd.pod.serve('udp-serve', '--port', 9000, '--ports', PROBES)
    const since = performance.now()
    for (;;) {
      const before = node.of(crowd.pod).flows
      await crowd.stranger.traffic('udp-send', ...['--to', crowd.pod.addresses.v4, '--port', 9000], ...probes)
      await sleep(100)
      await node.drain()
      const tookMs = performance.now() - since
      if (node.of(crowd.pod).flows - before < PROBES && tookMs < RECOVERY_LIMIT_MS) {
        await sleep(900)
        continue
      }
      await server.stop()
      return tookMs
    }
  }
  const probes = ['--count', PROBES, '--tuples', PROBES, '--ports', PROBES]

  for (const one of [DATAGRAMS, SYNS, SCAN])
    it(`leaves nothing out and takes no other pod’s detail: ${one.name}`, async () => {
      node = await CountedNode.open(crowd.pods, { flowLimit: FLOW_LIMIT, retire: RETIRE_TIMES, auditEvery: 4 })
      await crowd.neighboursWork()
      await node.drainDuring(sleep(2000))
      const { sent } = await node.drainDuring(flood(one))
      await node.drain()
      const { flows, [one.way]: count } = structuredClone(node.of(crowd.pod))
      const device = await crowd.pod.device()
      const recoveredMs = await recovery(node)
      const expected = await crowd.neighboursRest()
      for (let i = 0; i < 2; i++) await node.drain()

      assert.deepEqual(node.books.gaps(), [])
      const { seen, flow, collapsed, overflow } = count
      assert.equal(sent, TUPLES)
      assert.equal(seen.packets, one.way === 'toPod' ? device.receivePackets : device.transmitPackets)
      assert.ok(seen.packets >= 0.9 * TUPLES, `only ${seen.packets} of them came`)
      // One packet each: what has no slot of its own is in the other two, and nowhere else.
      assert.equal(flow.packets, flows)
      assert.equal(collapsed.packets + overflow.packets, seen.packets - flows)
      assert.ok(flows > 0.9 * SHARE_OF_ONE * FLOW_LIMIT, `only ${flows} flows have a slot of their own`)
      assert.ok(collapsed.packets > 0)
      for (const [i, neighbour] of crowd.pods.slice(1).entries()) {
        const { flows, fromPod, toPod } = node.of(neighbour)
        // A late packet of a connection that has left the table begins one more.
        assert.ok(flows >= expected[i]!, `${neighbour.name}: ${flows} of ${expected[i]} flows`)
        for (const { collapsed, overflow } of [fromPod, toPod])
          assert.deepEqual([collapsed, overflow], [NOTHING, NOTHING], neighbour.name)
      }
      assert.ok(recoveredMs < RECOVERY_LIMIT_MS, `new flows had no slot for ${RECOVERY_LIMIT_MS} ms`)
      process.stdout.write(
        `      flows ${flow.packets}, collapsed ${collapsed.packets}, overflow ${overflow.packets}; ` +
          `new ones had slots ${Math.round(recoveredMs / 1000)} s after the end\n`,
      )
    })

  it('keeps the agent’s memory within bounds, however many come', async () => {
    const pods = crowd.pods.map((namespace, i) => ({ name: `pod-${i}`, namespace }))
    const receiver = { flow_limit: FLOW_LIMIT, drain_interval: '1s' }
    agent = await Agent.start({ folder, pods, receiver, through: asStarted() })
    await crowd.neighboursWork()
    await sleep(3000)
    const quiet = residentMegabytes(agent.pid).own
    const peaks: number[] = []
    for (const one of [DATAGRAMS, SCAN, SCAN, SCAN]) peaks.push(await peakDuring(flood(one), agent.pid))
    await crowd.neighboursRest()
    const { ledger, audit } = await agent.until(
      'detail is back',
      ({ flows }) => flows.collapsed === 0 && flows.live < FLOW_LIMIT / 2,
      RECOVERY_LIMIT_MS,
    )
    const words = `MB without the maps: ${quiet.toFixed(0)}, then at most ${peaks.map(peak => peak.toFixed(0)).join(', ')}`
    process.stdout.write(`      ${words}\n`)
    assert.ok(Math.max(...peaks) - quiet < MOST_GROWTH_MB, words)
    for (const { seen, flow, collapsed, other, overflow, filtered } of [ledger.packets, ledger.bytes])
      assert.equal(seen, flow + collapsed + other + overflow + filtered)
    assert.ok(ledger.packets.seen > 0.9 * 4 * TUPLES)
    assert.deepEqual([ledger.skbs.unexplained, audit.violations], [0, 0], audit.newest)
  })
})

/** MB, without the maps. */
async function peakDuring(work: Promise<unknown>, pid: number): Promise<number> {
  let peak = 0
  let over = false
  const done = work.finally(() => {
    over = true
  })
  while (!over) {
    peak = Math.max(peak, residentMegabytes(pid).own)
    await sleep(100)
  }
  await done
  return peak
}
