// Attempts to connect that fail in every way there is, from the pod's wire to a real Collector and to `podweir flows`.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterEach, before, beforeEach, describe, it } from 'mocha'
import { run } from '../../lib/cli/flows.ts'
import type { FlowRecord } from '../../lib/signals/flow-record.ts'
import { Agent } from '../support/agent.ts'
import { type Collector, prepareCollector, startCollector } from '../support/collector.ts'
import { Namespaces, type TestNamespace } from '../support/namespaces.ts'
import { skip } from '../support/skip.ts'

const REFUSED_PORT = 9999
/** b drops what goes there, or answers that there is no way. */
const SILENT = '198.51.100.1'
const UNREACHABLE = '203.0.113.1'
const CONNECT_TIMEOUT = '2s'

describe('attempts to connect that fail', function () {
  this.timeout(60_000)
  let namespaces: Namespaces
  let folder = ''
  let collector: Collector
  let agent: Agent | undefined
  let a: TestNamespace
  let b: TestNamespace

  before('build the Collector, once', async function () {
    this.timeout('15m')
    if (process.getuid?.() !== 0) skip(this, 'needs root to load eBPF and to make network namespaces')
    folder = mkdtempSync(join(tmpdir(), 'podweir-failures-'))
    await prepareCollector({ folder })
    rmSync(folder, { recursive: true })
  })

  beforeEach(async () => {
    namespaces = new Namespaces()
    folder = mkdtempSync(join(tmpdir(), 'podweir-failures-'))
    collector = await startCollector({ folder })
    const [first, second] = await namespaces.createPods(2)
    a = first!.namespace
    b = second!.namespace
    const ways = [`${SILENT}/32`, `${UNREACHABLE}/32`].map(address => `route add ${address} via ${b.addresses.v4}`)
    await a.ip(...ways)
    await b.run('sysctl', '-qw', 'net.ipv4.ip_forward=1')
    await b.ip(`route add blackhole ${SILENT}/32`, `route add unreachable ${UNREACHABLE}/32`)
    const pods = [a, b].map((namespace, i) => ({ name: 'ab'[i]!, namespace }))
    const receiver = { retire: { connect_timeout: CONNECT_TIMEOUT, failed: '30s' } }
    agent = await Agent.start({ folder, pods, otlp: collector.endpoint, receiver })
  })

  afterEach(async () => {
    await agent?.stop()
    await collector?.stop()
    await namespaces?.remove()
    agent = undefined
    rmSync(folder, { recursive: true, force: true })
  })

  /** As `podweir flows` shows them to `port`. */
  async function flowsTo(address: string, port: number): Promise<FlowRecord[]> {
    const out = new PassThrough()
    await run({ output: 'json', follow: false, socket: join(folder, 'agent.sock'), out })
    const records = JSON.parse(await text(out.end())) as FlowRecord[]
    return records.filter(
      ({ destination, counted }) => counted && destination.address === address && destination.port === port,
    )
  }

  function failed(error: string): bigint {
    return collector.sums('podweir.network.connection.failed', { 'error.type': error })
  }

  async function deliveredFailures(count: number): Promise<void> {
    const causes = ['refused', 'timeout', 'unreachable', 'reset']
    await agent!.until(
      `${count} failures are in the Collector`,
      () => causes.reduce((sum, cause) => sum + failed(cause), 0n) >= BigInt(count),
    )
  }

  it('are counted by cause, and none is taken for another', async () => {
    const shape = ['--count', 3, '--timeout', 0.5] as const
    await a.traffic('refused', '--to', b.addresses.v4, '--port', REFUSED_PORT, '--count', 5)
    // b's kernel may leave an error out: icmp_ratelimit.
    const unreached = await a.traffic('silent', '--to', UNREACHABLE, '--port', 80, ...shape)
    assert.ok(unreached.other! > 0)
    const attempts = await a.traffic('silent', '--to', SILENT, '--port', 80, ...shape)
    assert.equal(attempts.timedOut, 3)
    const states = (await flowsTo(SILENT, 80)).map(({ tcp, problems }) => [tcp?.state, problems])
    assert.ok(
      states.some(([state]) => state === 'connecting'),
      JSON.stringify(states),
    )
    assert.deepEqual((await flowsTo(b.addresses.v4, REFUSED_PORT))[0]!.problems, ['refused'])
    assert.ok((await flowsTo(UNREACHABLE, 80)).some(({ problems }) => problems[0] === 'unreachable'))
    await deliveredFailures(11)
    const problems = (await flowsTo(SILENT, 80)).map(({ problems }) => problems)
    assert.deepEqual(problems, [['no reply'], ['no reply'], ['no reply']])
    const [timedOut, unreachable] = [3 + unreached.timedOut!, unreached.other!]
    const expected = [5, timedOut, unreachable, 0].map(BigInt)
    assert.deepEqual(['refused', 'timeout', 'unreachable', 'reset'].map(failed), expected)
    assert.equal(collector.sums('podweir.network.connection.opened', { 'network.transport': 'tcp' }), 0n)
  })
})
