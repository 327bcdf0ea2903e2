// Agents that are killed and followed by others while the kernel goes on counting: nothing is lost uncounted, nothing
// told twice.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, before, beforeEach, describe, it } from 'mocha'
import type { TrafficProgram } from '../../lib/demo/traffic-program.ts'
import { Agent } from '../support/agent.ts'
import { quiesce } from '../support/counters.ts'
import { ExportedSums } from '../support/exported-sums.ts'
import { Namespaces, type TestNamespace } from '../support/namespaces.ts'
import { skip } from '../support/skip.ts'
import { ownFilters } from '../support/traffic-control.ts'

const PINS = `/sys/fs/bpf/podweir-test-${process.pid}`
/** Of each of the two seeds: in CI few, by hand `KILLS=100`. */
const KILLS = Number(process.env.KILLS ?? 8)

let folder = ''
let namespaces: Namespaces
let agent: Agent | undefined
let a: TestNamespace
let b: TestNamespace
let sink: TrafficProgram

function start(hook: 'tcx' | 'clsact', more: Record<string, unknown> = {}): Promise<Agent> {
  const pace = { drain_interval: '100ms', collection_interval: '300ms', retire: { datagram: '1s' } }
  const receiver = { hook, pins: PINS, ...pace, ...more }
  return Agent.start({ folder, pods: [{ name: 'a', namespace: a }], receiver })
}

/** Datagrams from `sources` ports in turn. */
const sending = (count: number, sources: number) =>
  a.traffic('udp-send', '--to', b.addresses.v4, '--port', 9000, '--count', count, '--rate', 3_000, '--tuples', sources)

const sums = () => new ExportedSums(readFileSync(join(folder, 'metrics.jsonl'), 'utf8'))

async function settled(running: Agent): Promise<void> {
  await quiesce([a.name, b.name])
  const { transmitPackets } = await a.device()
  await running.until('everything is delivered', ({ ledger }) => {
    const { seen } = ledger.packets
    return seen >= transmitPackets && ledger.delivery.packets.queued === 0
  })
}

describe('an agent whose maps are pinned', function () {
  this.timeout(600_000)

  before(function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load kernel programs')
    if (!existsSync('/sys/fs/bpf/maps.debug')) skip(this, 'there is no BPF file system at /sys/fs/bpf')
  })
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'podweir-restart-'))
    namespaces = new Namespaces()
    ;({ a, b } = await namespaces.createPair())
    sink = await b.serve('udp-serve', '--port', 9000)
  })
  afterEach(async () => {
    await agent?.kill()
    agent = undefined
    rmSync(PINS, { recursive: true, force: true })
    await namespaces.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  for (const hook of ['tcx', 'clsact'] as const)
    it(`goes on by ${hook} where a killed one was: pods and ledger exactly, edges but for what is told as restart`, async () => {
      agent = await start(hook)
      const total = KILLS * 3_000
      const traffic = sending(total, 40)
      for (let kill = 0; kill < KILLS; kill++) {
        await sleep(200 + Math.random() * 1_200)
        await agent.kill()
        agent = await start(hook)
      }
      await traffic
      await settled(agent)
      const { ledger, interfaces } = await agent.status()
      assert.equal(interfaces.length, 1)
      const truth = await a.device()
      assert.equal(truth.transmitPackets, total)
      assert.equal(ledger.skbs.unexplained, 0)
      assert.equal(ledger.skbs.device, truth.transmitPackets + truth.receivePackets)
      assert.equal(ledger.skbs.seen, ledger.skbs.device - ledger.skbs.unobserved)
      const { seen, flow, collapsed, other } = ledger.packets
      assert.equal(seen, flow + collapsed + other)
      const { drained, exported, restart, lost, otherEnd } = ledger.delivery.packets
      assert.equal(drained, flow + collapsed)
      assert.equal(drained, exported + restart + lost + otherEnd)
      const told = sums()
      assert.equal(told.edges('podweir.network.flow.packets') + restart, total)
      assert.equal(told.newest('podweir.pod.network.packets', 'transmit'), total)
      assert.ok(told.neverFell('podweir.pod.network.packets'))
      assert.equal((await ownFilters('eth0', a.name)).length, hook === 'clsact' ? 2 : 0)
      assert.equal((await agent.stop()).code, 0)
      assert.equal(existsSync(PINS), false, 'pins are left')
      assert.equal((await sink.stop()).received, total)
    })
})
