// Two real nodes, an agent on each: every kind of pair under its name, and each byte between pods once.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'mocha'
import { runCommand } from '../../lib/demo/command.ts'
import type { ExportedEdge } from '../support/exported-edges.ts'
import { buildKubernetes } from '../support/kubernetes.ts'
import { KubernetesNodes, type NodeAgent, type NodePod, needNodes } from '../support/kubernetes-nodes.ts'
import { until } from '../support/until.ts'
import { cronJob, daemonSet, deployment, namespaceOf, service, statefulSet } from '../support/workloads.ts'

const NAMESPACE = 'shop'
const PORT = 9000
const SERVICE_PORT = 80
const NODE_PORTS = { cluster: 30_080, local: 30_081 }
const DATAGRAM_BYTES = 200
/** On the second node: of a pod of the host network, and of b8, to which the CNI translates it. */
const HOST_PORTS = { declared: 9_200, mapped: 9_300 }
const EVERY_PORT = [PORT, SERVICE_PORT, ...Object.values(NODE_PORTS), ...Object.values(HOST_PORTS)]
/** Ethernet, IPv4 and UDP. */
const WIRE_BYTES = DATAGRAM_BYTES + 42
const onNode = (node: number, count: number) =>
  Array.from({ length: count }, (_, i) => ({ name: `${'ab'[node - 1]}${i + 1}`, node }))
/** Both behind one Service, on one node each. */
const SPLIT = ['a7', 'b7']
const deployments = [...onNode(1, 8), ...onNode(2, 8)]

interface Sending {
  readonly address: string
  readonly port: number
  readonly count: number
  /** The Service that is dialled. */
  readonly via?: string
}

describe('two nodes of a real Kubernetes', function () {
  this.timeout(240_000)
  let folder: string
  let nodes: KubernetesNodes
  let agents: NodeAgent[] = []
  /** By the name of the workload; of the DaemonSet the one on the first node. */
  const pods = new Map<string, NodePod>()
  const kinds = new Map<string, string>()
  const clusterAddress = new Map<string, string>()
  /** Datagrams by `client > server service port`, as the client's end has them. */
  const sent = new Map<string, number>()

  const to = (address: string, port: number, count: number) =>
    ['--to', address, '--port', port, '--count', count, '--size', DATAGRAM_BYTES] as const

  async function send(from: string, server: string, { address, port, count, via = '' }: Sending) {
    const counts = await nodes.traffic(pods.get(from)!.netns, 'udp-send', ...to(address, port, count))
    assert.equal(counts.sent, count)
    const key = `${named(from)} > ${named(server)} ${via} ${port}`
    sent.set(key, (sent.get(key) ?? 0) + count)
  }

  const named = (name: string) => `${kinds.get(name)}/${name}`

  before(async function () {
    this.timeout(2_400_000)
    needNodes(this)
    await buildKubernetes(this)
    folder = mkdtempSync(join(tmpdir(), 'podweir-nodes-'))
    nodes = await KubernetesNodes.start(folder, 2)
    await nodes.apply(namespaceOf(NAMESPACE))
    await nodes.apply(
      ...deployments.map(({ name, node }) =>
        deployment(NAMESPACE, name, {
          node,
          ...(SPLIT.includes(name) && { group: 'split' }),
          ...(name === 'b8' && { hostPort: { port: HOST_PORTS.mapped, target: PORT } }),
        }),
      ),
      statefulSet(NAMESPACE, 'db', { node: 2 }),
      daemonSet(NAMESPACE, 'everywhere'),
      cronJob(NAMESPACE, 'nightly', { node: 1 }),
      deployment(NAMESPACE, 'ingress', { node: 2, hostNetwork: true }),
      deployment(NAMESPACE, 'exporter', {
        ...{ node: 2, hostNetwork: true },
        hostPort: { port: HOST_PORTS.declared, target: HOST_PORTS.declared },
      }),
      service(NAMESPACE, 'b1', { port: SERVICE_PORT, target: PORT }),
      service(NAMESPACE, 'a1', { port: SERVICE_PORT, target: PORT }),
      service(NAMESPACE, 'b2', { port: SERVICE_PORT, target: PORT, nodePort: NODE_PORTS.cluster }),
      service(NAMESPACE, 'b3', { port: SERVICE_PORT, target: PORT, nodePort: NODE_PORTS.local, isLocal: true }),
      service(NAMESPACE, 'split', { port: SERVICE_PORT, target: PORT, group: 'split' }),
      service(NAMESPACE, 'db', { port: SERVICE_PORT, target: PORT, isHeadless: true }),
    )
    await nodes.kubectl('-n', NAMESPACE, 'create', 'job', '--from=cronjob/nightly', 'nightly-by-hand')
    const receiver = { modules: { conntrack: 'on' } }
    agents = [await nodes.agent(1, receiver), await nodes.agent(2, receiver)]
    for (const pod of await nodes.pods(NAMESPACE, deployments.length + 6)) {
      const workload = /^(?:nightly|everywhere|ingress|exporter|db|[ab]\d)/.exec(pod.name)![0]
      if (workload === 'everywhere' && pod.node === 2) continue
      pods.set(workload, pod)
      kinds.set(workload, { nightly: 'CronJob', everywhere: 'DaemonSet', db: 'StatefulSet' }[workload] ?? 'Deployment')
    }
    const { items } = JSON.parse(await nodes.kubectl('-n', NAMESPACE, 'get', 'services', '-o', 'json'))
    for (const { metadata, spec } of items) clusterAddress.set(metadata.name, spec.clusterIP)
    for (const [name, pod] of pods)
      if (name === 'ingress') await nodes.serveAs(pod, 'udp-serve', '--port', PORT)
      else if (name === 'exporter') await nodes.serveAs(pod, 'udp-serve', '--port', HOST_PORTS.declared)
      else await nodes.serve(pod.netns, 'udp-serve', '--port', PORT)
    await until(
      'the agents know all',
      async () => {
        const states = await Promise.all(agents.map(agent => agent.status()))
        return states.every(
          ({ interfaces, cluster }) =>
            cluster.every(({ syncedAt }) => syncedAt !== undefined) &&
            interfaces.filter(({ state }) => state === 'attached').length >= 10,
        )
      },
      { limitMs: 60_000, everyMs: 200 },
    )
  })

  after(async () => {
    await Promise.allSettled(agents.map(agent => agent.stop()))
    await nodes?.stop()
    if (folder) rmSync(folder, { recursive: true, force: true })
  })

  /** Once nothing more has been drained for a second, and all of it is exported. */
  async function exported(by = agents): Promise<ExportedEdge[][]> {
    let drained = ''
    let stillSinceMs = 0
    await until(
      'all that was drained is exported',
      async () => {
        const figures = await Promise.all(by.map(async agent => (await agent.status()).ledger.delivery.packets))
        const now = JSON.stringify(figures.map(each => each.drained))
        if (now !== drained || figures.some(({ queued }) => queued > 0)) stillSinceMs = performance.now()
        drained = now
        return performance.now() - stillSinceMs > 1_000
      },
      { limitMs: 20_000, everyMs: 100 },
    )
    return by.map(agent => agent.exported().of('podweir.network.flow.bytes'))
  }

  const requestsOf = (edges: readonly ExportedEdge[], observer: string) =>
    edges.filter(each => each.direction === 'request' && each.transport === 'udp' && each.observer === observer)

  /** Datagrams by edge, as the agents exported them, of those that the test sent. */
  async function counted(observer: 'client' | 'server', ports: readonly number[]): Promise<Record<string, number>> {
    const found = new Map<string, number>()
    for (const { source, destination, service: via = '', port, value } of requestsOf(
      (await exported()).flat(),
      observer,
    )) {
      if (!ports.includes(port) || value === 0) continue
      const key = `${source} > ${destination} ${via} ${port}`
      found.set(key, (found.get(key) ?? 0) + value / WIRE_BYTES)
    }
    return Object.fromEntries([...found].sort())
  }

  const expected = () => Object.fromEntries([...sent].sort())

  it('have every pair of workloads under their names, each byte once in the client’s view', async () => {
    const withNetwork = [...pods.keys()].filter(name => name !== 'ingress' && name !== 'exporter')
    let i = 0
    for (const from of withNetwork)
      for (const to of withNetwork)
        if (from !== to) await send(from, to, { address: pods.get(to)!.address, port: PORT, count: 1 + (i++ % 7) })
    assert.deepEqual(await counted('client', [PORT]), expected())
    // Who opened what a pod received is a pod, which has told of it.
    assert.deepEqual(await counted('server', [PORT]), {})
  })

  it('have the Service that was dialled beside the workload behind it', async () => {
    await send('a1', 'b1', { address: clusterAddress.get('b1')!, port: SERVICE_PORT, count: 11, via: 'b1' })
    await send('b4', 'b1', { address: clusterAddress.get('b1')!, port: SERVICE_PORT, count: 12, via: 'b1' })
    await send('a2', 'b2', { address: nodes.address(1), port: NODE_PORTS.cluster, count: 13, via: 'b2' })
    await send('a2', 'b2', { address: nodes.address(2), port: NODE_PORTS.cluster, count: 14, via: 'b2' })
    await send('a3', 'b3', { address: nodes.address(2), port: NODE_PORTS.local, count: 15, via: 'b3' })
    // To itself, by way of its own Service.
    await send('a1', 'a1', { address: clusterAddress.get('a1')!, port: SERVICE_PORT, count: 16, via: 'a1' })
    assert.deepEqual(await counted('client', EVERY_PORT), expected())
  })

  it('have each datagram to a Service of two owners under the one that got it', async () => {
    const got = () => Promise.all(SPLIT.map(name => datagramsIn(pods.get(name)!.netns)))
    const to = ['--to', clusterAddress.get('split')!, '--port', SERVICE_PORT, '--size', DATAGRAM_BYTES] as const
    for (const from of ['a1', 'b1']) {
      const before = await got()
      await nodes.traffic(pods.get(from)!.netns, 'udp-send', ...to, '--count', 90, '--tuples', 60)
      await until('all of it is there', async () => (await got()).reduce(sum) - before.reduce(sum) === 90)
      for (const [i, after] of (await got()).entries()) {
        const count = after - before[i]!
        assert.ok(count > 0, `${SPLIT[i]} got nothing`)
        sent.set(`${named(from)} > ${named(SPLIT[i]!)} split ${SERVICE_PORT}`, count)
      }
    }
    assert.deepEqual(await counted('client', EVERY_PORT), expected())
  })

  it('have in the server’s view what no pod’s interface shows as its own: node ports, hairpins, the nodes themselves', async () => {
    await nodes.traffic(nodes.netns(1), 'udp-send', ...to(pods.get('b5')!.address, PORT, 17))
    await nodes.traffic(nodes.netns(2), 'udp-send', ...to(pods.get('b5')!.address, PORT, 18))
    // Masquerading hides the client behind a node: a2's datagrams to b2, and a1's to itself; not a3's to b3, whose policy is Local.
    assert.deepEqual(await counted('server', [PORT]), {
      'node > Deployment/a1  9000': 16,
      'node > Deployment/b2  9000': 27,
      'node > Deployment/b5  9000': 35,
    })
  })

  it('have what a node’s own servers get under the pod that serves: by its socket on its node, elsewhere by its declared port', async () => {
    const at = (port: number, count: number) => ({ address: nodes.address(2), port, count })
    await send('b4', 'ingress', at(PORT, 23))
    await send('a4', 'ingress', at(PORT, 19))
    // Undeclared, and seen from another node.
    sent.delete('Deployment/a4 > Deployment/ingress  9000')
    sent.set('Deployment/a4 > node  9000', 19)
    for (const from of ['a4', 'b4']) {
      await send(from, 'exporter', at(HOST_PORTS.declared, 25))
      await send(from, 'b8', at(HOST_PORTS.mapped, 26))
    }
    assert.deepEqual(await counted('client', EVERY_PORT), expected())
    const found = agents.map(agent => agent.attributedBytes())
    assert.equal(found[0]!.host_port, (25 + 26) * WIRE_BYTES)
    assert.deepEqual([found[1]!.socket, found[1]!.backend! > 0], [(23 + 25) * WIRE_BYTES, true])
  })

  it('have drained what was exported and what the other end reports, and nothing else', async () => {
    await exported()
    for (const agent of agents) {
      const { delivery } = (await agent.status()).ledger
      for (const figures of [delivery.packets, delivery.bytes]) {
        assert.equal(figures.drained, figures.exported + figures.otherEnd)
        assert.ok(figures.otherEnd > 0)
        assert.deepEqual([figures.queued, figures.excluded, figures.lost, figures.restart], [0, 0, 0, 0])
      }
      assert.deepEqual(agent.warnings, [])
    }
  })

  it('miss the client’s view of a node whose agent is gone, by just as much as the other has as `other_end`', async () => {
    await agents[0]!.stop()
    const otherEnd = async () => (await agents[1]!.status()).ledger.delivery.bytes.otherEnd
    await exported([agents[1]!])
    const before = await otherEnd()
    await send('a5', 'b6', { address: pods.get('b6')!.address, port: PORT, count: 21 })
    await until('it was drained', async () => (await otherEnd()) > before)
    assert.equal((await otherEnd()) - before, 21 * WIRE_BYTES)
    const edges = (await exported([agents[1]!])).flat()
    assert.deepEqual(
      edges.filter(({ source, destination, value }) => /a5$/.test(source) && /b6$/.test(destination) && value > 0),
      [],
    )
  })
})

const sum = (a: number, b: number) => a + b

/** Delivered to sockets of the namespace, by its own kernel's count. */
async function datagramsIn(netns: string): Promise<number> {
  const text = await runCommand('nsenter', [`--net=${netns}`, 'cat', '/proc/net/snmp'], { remedy: 'run as root' })
  return Number(/^Udp: (\d+)/m.exec(text)![1])
}
