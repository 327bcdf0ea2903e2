// The agent when somebody takes its programs off: it says so, comes back, and its series go on.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'mocha'
import type { InterfaceRecord } from '../../lib/signals/flow-record.ts'
import { hasValue } from '../support/collected-otlp.ts'
import { Namespaces, type TestNamespace } from '../support/namespaces.ts'
import { PodweirProcess } from '../support/podweir-process.ts'
import { skip } from '../support/skip.ts'
import { hookQdiscs, tc } from '../support/traffic-control.ts'
import { until } from '../support/until.ts'
import { AgentFolder, inventoryOf, podIn, podLine } from './agent-folder.ts'

describe('the agent’s attachments', function () {
  this.timeout(40_000)
  const namespaces = new Namespaces()
  let folder: AgentFolder
  let a: TestNamespace
  let b: TestNamespace

  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load kernel programs')
    ;({ a, b } = await namespaces.createPair())
  })
  beforeEach(() => {
    folder = new AgentFolder()
  })
  afterEach(() => folder?.remove())
  after(() => namespaces.remove())

  async function ping(count: number): Promise<void> {
    await a.traffic('ping', '--to', b.addresses.v4, '--count', count)
  }

  async function only(): Promise<InterfaceRecord> {
    const { interfaces } = await folder.status()
    assert.equal(interfaces.length, 1)
    return interfaces[0]!
  }

  /** Every value that was ever sent of the pod's series, by start time. */
  function sent(metric: string): Map<string, number[]> {
    const values = new Map<string, number[]>()
    const lines = readFileSync(join(folder.path, 'metrics.jsonl'), 'utf8').trimEnd().split('\n')
    for (const line of lines)
      for (const each of JSON.parse(line).resourceMetrics[0].scopeMetrics[0].metrics)
        if (each.name === metric)
          for (const { startTimeUnixNano, attributes, asInt } of each.sum.dataPoints.filter(hasValue)) {
            if (JSON.stringify(attributes).includes('"receive"')) continue
            values.set(startTimeUnixNano, [...(values.get(startTimeUnixNano) ?? []), Number(asInt)])
          }
    return values
  }

  it('are made again when somebody deletes the clsact; the series go on, and what was missed is unobserved', async () => {
    const agent = await folder.started({ inventory: inventoryOf(podIn('a', a)), receiver: { hook: 'clsact' } })
    await ping(3)
    await until('3 packets are counted', async () => (await folder.status()).ledger.skbs.seen === 6)
    await tc(a.name, 'qdisc', 'del', 'dev', 'eth0', 'clsact')
    await ping(4)
    await agent.logged(/somebody removed our programs from eth0; attaching again/)
    const { state, reason, since } = await only()
    assert.deepEqual([state, reason], ['wanted', 'removed'])
    await agent.logged(/attached to eth0 again/)
    const again = await only()
    assert.deepEqual([again.state, again.reason, again.unobservedSkbs], ['attached', undefined, 8])
    assert.ok(Date.parse(again.since) - Date.parse(since) >= 900, 'it waits a second at first')
    await ping(5)
    await until('5 more are counted', async () => (await folder.status()).ledger.skbs.seen === 16)
    assert.equal((await agent.end('SIGTERM')).code, 0)
    for (const [metric, last] of [
      ['podweir.pod.network.packets', 8],
      ['podweir.pod.network.unobserved', 4],
      ['podweir.agent.reattachments', 1],
    ] as const) {
      const series = [...sent(metric).values()]
      assert.deepEqual([series.length, series[0]!.at(-1)], [1, last], metric)
      assert.deepEqual(
        series[0],
        series[0]!.toSorted((x, y) => x - y),
        metric,
      )
    }
    assert.deepEqual(await hookQdiscs('eth0', a.name), [])
  })

  it('are shown by flows --status, and readiness tells of those that are missing', async () => {
    const endpoint = `127.0.0.1:${await freePort()}`
    const settings = folder.settings({
      inventory: inventoryOf(podIn('a', a), podLine('lo', { netns: b.path, device: 'eth0' })),
      receiver: { hook: 'clsact' },
    })
    const text = JSON.parse(readFileSync(settings, 'utf8'))
    text.extensions.health_check = { endpoint, min_attached: '100%' }
    text.service.extensions = ['api', 'health_check']
    await tc(b.name, 'qdisc', 'add', 'dev', 'eth0', 'ingress')
    const agent = new PodweirProcess(['agent', '--config', folder.write('agent.yaml', JSON.stringify(text))])
    try {
      await agent.logged(/^exporting /)
      const ready = async () => {
        const response = await fetch(`http://${endpoint}/readyz`)
        return [response.status, await response.text()]
      }
      await until('the first drain', async () => !String((await ready())[1]).includes('yet'))
      assert.deepEqual(await ready(), [503, 'attached to 1 of 2 interfaces, less than 100%: 1 failed qdisc\n'])
      assert.equal((await fetch(`http://${endpoint}/startupz`)).status, 200)
      const shown = await new PodweirProcess(['flows', '--status', '--socket', folder.socket]).end()
      assert.match(shown.stdout, /^interfaces: 1 of 2 attached$/m)
      assert.match(shown.stdout, /^failed +qdisc +\S+Z +test\/lo +eth0 +- +0$/m)
      await ping(3)
      const lost = async () =>
        (await folder.status()).interfaces.find(({ state }) => state === 'failed')?.unobservedSkbs
      await until('the device’s own counters are read', async () => (await lost()) === 6)
      await tc(b.name, 'qdisc', 'del', 'dev', 'eth0', 'ingress')
      await until('it is ready', async () => (await ready())[0] === 200)
    } finally {
      await agent.end('SIGTERM')
    }
  })
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
