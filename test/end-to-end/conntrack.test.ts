// A Service whose endpoints are of two owners, translated by the kernel: each byte under the owner that really got it.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, before, beforeEach, describe, it } from 'mocha'
import { AgentFolder, type Settings } from '../agent/agent-folder.ts'
import { EndpointSocket } from '../support/endpoint-socket.ts'
import { ExportedEdges } from '../support/exported-edges.ts'
import { pointsOf, requestsIn } from '../support/exported-points.ts'
import { Namespaces, type TestNamespace } from '../support/namespaces.ts'
import type { PodweirProcess } from '../support/podweir-process.ts'
import { skip } from '../support/skip.ts'
import { until } from '../support/until.ts'

const CLUSTER_ADDRESS = { v4: '10.96.0.1', v6: 'fd96::1' }
const PORT = 80
const TARGETS = { blue: 9000, green: 9001 }

type Sums = Record<string, { request: number; response: number }>

describe('the module conntrack', function () {
  this.timeout(120_000)
  let namespaces: Namespaces
  let node: TestNamespace
  let web: TestNamespace
  let backends: Record<'blue' | 'green', TestNamespace>
  let folder: AgentFolder
  let agent: PodweirProcess

  before(function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load eBPF and to make network namespaces')
    const missing = missingTools()
    if (missing.length > 0) skip(this, `needs ${missing.join(' and ')}, which ./podweir test installs`)
  })

  beforeEach(async () => {
    namespaces = new Namespaces()
    const made = await namespaces.createRouted(3, { ipv6: true })
    node = made.node
    web = made.pods[0]!
    backends = { blue: made.pods[1]!, green: made.pods[2]! }
    folder = new AgentFolder()
  })

  afterEach(async () => {
    await folder?.remove()
    await namespaces?.remove()
  })

  const inventory = () => {
    const pod = (name: string, { path, addresses }: TestNamespace) =>
      `  - { namespace: shop, name: ${name}-1, addresses: [${addresses.v4}, "${addresses.v6}"], workload: { kind: Deployment, name: ${name} }, interfaces: [{ netns: ${path}, device: eth0 }] }`
    const port = (protocol: string) => `{ port: ${PORT}, protocol: ${protocol} }`
    return `pods:
${pod('web', web)}
${pod('blue', backends.blue)}
${pod('green', backends.green)}
services:
  - { namespace: shop, name: front, addresses: [${CLUSTER_ADDRESS.v4}, "${CLUSTER_ADDRESS.v6}"], ports: [${port('tcp')}, ${port('udp')}] }
`
  }

  /** In the node's namespace, as hostNetwork has it, unless `elsewhere`. */
  async function started(receiver: Settings['receiver'] = {}, elsewhere = false): Promise<void> {
    const through = elsewhere ? [] : ['nsenter', `--net=${node.path}`]
    const settings = { inventory: inventory(), receiver: { modules: { conntrack: 'on' }, ...receiver } }
    agent = await folder.started(settings, { through })
  }

  /** Which backend each new connection goes to: one after the other, or always the same. */
  async function translate(to: 'both' | 'blue' | 'green'): Promise<void> {
    const rule = (family: 'ip' | 'ip6', address: string, protocol: string) => {
      const targetOf = (name: 'blue' | 'green') => {
        const { v4, v6 } = backends[name].addresses
        return family === 'ip' ? `${v4} . ${TARGETS[name]}` : `${v6} . ${TARGETS[name]}`
      }
      const choice =
        to === 'both'
          ? `numgen inc mod 2 map { 0 : ${targetOf('blue')}, 1 : ${targetOf('green')} }`
          : `numgen inc mod 1 map { 0 : ${targetOf(to)} }`
      return `${family} daddr ${address} ${protocol} dport ${PORT} dnat ${family} addr . port to ${choice}`
    }
    const chain = (family: 'ip' | 'ip6', address: string) =>
      ['udp', 'tcp'].map(protocol => rule(family, address, protocol)).join('\n')
    await node.run(
      'sh',
      '-c',
      `nft -f - <<'RULES'
table inet nat
delete table inet nat
table inet nat {
  chain prerouting {
    type nat hook prerouting priority dstnat
    ${chain('ip', CLUSTER_ADDRESS.v4)}
    ${chain('ip6', CLUSTER_ADDRESS.v6)}
  }
}
RULES`,
    )
  }

  const exported = () => readFileSync(join(folder.path, 'metrics.jsonl'), 'utf8')

  /** Questions by what came of them. */
  function lookups(): Record<string, number> {
    const points = pointsOf(requestsIn(exported()), 'podweir.agent.conntrack.lookups')
    return Object.fromEntries(points.map(each => [each.attributes?.[0]?.value.stringValue, Number(each.asInt)]))
  }

  /** What went to whom, and came back, as `web`'s own interface saw it. */
  function toService(): Sums {
    const found: Sums = {}
    for (const edge of new ExportedEdges(exported()).of('podweir.network.flow.bytes')) {
      if (edge.observer !== 'client' || edge.service !== 'front' || edge.value === 0) continue
      const name = edge.direction === 'request' ? edge.destination : edge.source
      assert.equal(edge.port, PORT, JSON.stringify(edge))
      found[name] ??= { request: 0, response: 0 }
      found[name][edge.direction as 'request' | 'response'] += edge.value
    }
    return found
  }

  /** All that is on the way is drained and exported: nothing more was for two drains. */
  async function settled(drainMs = 100): Promise<void> {
    let before = ''
    let stillSinceMs = 0
    await until(
      'nothing moves any more',
      async () => {
        const { packets } = (await folder.status()).ledger.delivery
        const now = JSON.stringify(packets)
        if (now !== before || packets.queued > 0) stillSinceMs = performance.now()
        before = now
        return performance.now() - stillSinceMs > 2 * drainMs + 300
      },
      { everyMs: 50, limitMs: 20_000 },
    )
  }

  /** What the backends' own devices counted while `work` went on. */
  async function deviceTruth(work: () => Promise<void>): Promise<Sums> {
    const all = () => Promise.all(Object.values(backends).map(namespace => namespace.device()))
    const earlier = await all()
    await work()
    const later = await all()
    const sums = Object.keys(backends).map((name, i) => {
      const request = later[i]!.receiveBytes - earlier[i]!.receiveBytes
      const response = later[i]!.transmitBytes - earlier[i]!.transmitBytes
      return [`Deployment/${name}`, { request, response }] as const
    })
    return Object.fromEntries(sums.filter(([, { request }]) => request > 0))
  }

  async function serveAll(answer: readonly string[] = ['--answer']): Promise<void> {
    for (const [name, namespace] of Object.entries(backends)) {
      const port = TARGETS[name as keyof typeof TARGETS]
      await namespace.offload('eth0', 'off')
      await namespace.serve('udp-serve', '--port', port, ...answer)
      await namespace.serve('tcp-serve', '--port', port)
    }
    await web.offload('eth0', 'off')
  }

  it('has each byte under the owner that got it, to the byte, over TCP and UDP, IPv4 and IPv6', async () => {
    await serveAll()
    await translate('both')
    await started()
    const sentBefore = (await web.device()).transmitBytes
    const truth = await deviceTruth(async () => {
      for (const address of [CLUSTER_ADDRESS.v4, CLUSTER_ADDRESS.v6]) {
        const to = ['--to', address, '--port', PORT] as const
        await web.traffic('tcp-request', ...to, '--count', 51, '--connections', 'new')
        await web.traffic('udp-send', ...to, '--tuples', 33, '--count', 199, '--expect-answer', '--rate', 2000)
      }
      await settled()
    })
    assert.deepEqual(toService(), truth)
    const requests = Object.values(truth).map(({ request }) => request)
    assert.equal(requests.length, 2)
    assert.equal(requests[0]! + requests[1]!, (await web.device()).transmitBytes - sentBefore)
    const { translated, failed, ...others } = lookups()
    assert.deepEqual([failed, others], [0, { gone: 0, untracked: 0, as_sent: 0 }])
    // Datagrams are asked for again with each drain in which they move.
    assert.ok(translated! >= 2 * (51 + 33), `${translated}`)
    // The machine's first process is in another namespace, where it can be seen.
    assert.deepEqual(
      agent.messages(/conntrack/).filter(message => !/not the node’s network namespace/.test(message)),
      [],
    )
  })

  it('has nothing under the owner of a later connection on the same ports', async () => {
    await serveAll()
    await translate('blue')
    await started({ drain_interval: '3s', collection_interval: '1s' })
    const drained = async () => (await folder.status()).ledger.delivery.packets.drained
    const dial = async () => {
      const socket = EndpointSocket.open(web).set('reuseAddress', 1)
      await socket.bind(web.addresses.v4, 7001).connect(CLUSTER_ADDRESS.v4, PORT).connected()
      socket.set('linger', 0).close()
    }
    // Right behind a drain, so that both connections are in the next one.
    await web.traffic('udp-send', '--to', node.addresses.v4, '--port', 9, '--count', 1)
    await until('it is drained', async () => (await drained()) > 0, { everyMs: 20 })
    const first = await deviceTruth(dial)
    await translate('green')
    const second = await deviceTruth(dial)
    assert.deepEqual([Object.keys(first), Object.keys(second)], [['Deployment/blue'], ['Deployment/green']])
    await settled(3_000)
    assert.deepEqual(toService(), { '': first['Deployment/blue'], ...second })
    assert.equal(lookups().gone, 1)
    await translate('blue')
    const third = await deviceTruth(dial)
    await settled(3_000)
    assert.deepEqual(toService(), { '': first['Deployment/blue'], ...second, ...third })
  })

  it('moves a flow of datagrams to where it is sent anew, within a drain', async () => {
    // Nobody waits for answers, and whoever gets one then says so by ICMP.
    await serveAll([])
    await translate('blue')
    await started()
    const perDatagram = 64 + 42
    const truth = await deviceTruth(async () => {
      const sending = web.traffic('udp-send', '--to', CLUSTER_ADDRESS.v4, '--port', PORT, '--count', 120, '--rate', 40)
      await until('half of it is there', async () => (await backends.blue.device()).receivePackets >= 60, {
        everyMs: 10,
      })
      // As kube-proxy does when an endpoint is gone.
      await translate('green')
      await node.run('conntrack', '-D', '-p', 'udp', '--orig-dst', CLUSTER_ADDRESS.v4)
      await sending
      await settled()
    })
    const found = toService()
    const of = (sums: Sums, name: string) => sums[`Deployment/${name}`]!.request
    assert.equal(of(found, 'blue') + of(found, 'green'), 120 * perDatagram)
    assert.equal(of(truth, 'blue') + of(truth, 'green'), 120 * perDatagram)
    // What comes in 100 ms between two drains goes to the later one: at 40 a second at most 5 datagrams.
    const astray = (of(truth, 'blue') - of(found, 'blue')) / perDatagram
    assert.ok(astray >= 0 && astray <= 5 && of(found, 'green') > 0, `${astray} astray`)
  })

  it('ends at the Service where it is off, and says so where connections are tracked elsewhere', async () => {
    await serveAll()
    await translate('both')
    await started({}, true)
    const ask = (count: number) =>
      web.traffic('tcp-request', '--to', CLUSTER_ADDRESS.v4, '--port', PORT, '--count', count, '--connections', 'new')
    await ask(101)
    const { msg } = await agent.logged(/^module conntrack: none of 100 flows/)
    assert.match(msg, /hostNetwork: true.*PW-127/)
    await settled()
    assert.deepEqual(Object.keys(toService()), [''])
    assert.deepEqual([lookups().translated, lookups().untracked], [0, 101])
    await folder.remove()
    folder = new AgentFolder()
    await started({ modules: {} })
    await ask(3)
    await settled()
    assert.deepEqual([Object.keys(toService()), lookups()], [[''], {}])
  })
})

function missingTools(): string[] {
  return ['nft', 'conntrack'].filter(program => spawnSync(program, ['--version']).status !== 0)
}
