// Two real nodes, an agent on each: every kind of pair under its name, and each byte between pods once.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'mocha'
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
/** Ethernet, IPv4 and UDP. */
const WIRE_BYTES = DATAGRAM_BYTES + 42
const onNode = (node: number, count: number) =>
  Array.from({ length: count }, (_, i) => ({ name: `${'ab'[node - 1]}${i + 1}`, node }))
const deployments = [...onNode(1, 8), ...onNode(2, 8)]

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

  async function send(
    from: string,
    netns: string,
    server: string,
    address: string,
    port: number,
    count: number,
    via = '',
  ) {
    const counts = await nodes.traffic(
      netns,
      'udp-send',
      '--to',
      address,
      '--port',
      port,
      '--count',
      count,
      '--size',
      DATAGRAM_BYTES,
    )
    assert.equal(counts.sent, count)
    const key = `${from} > ${server} ${via} ${port}`
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
      ...deployments.map(({ name, node }) => deployment(NAMESPACE, name, { node })),
      statefulSet(NAMESPACE, 'db', { node: 2 }),
      daemonSet(NAMESPACE, 'everywhere'),
      cronJob(NAMESPACE, 'nightly', { node: 1 }),
      deployment(NAMESPACE, 'ingress', { node: 2, hostNetwork: true }),
      service(NAMESPACE, 'b1', { port: SERVICE_PORT, target: PORT }),
      service(NAMESPACE, 'a1', { port: SERVICE_PORT, target: PORT }),
      service(NAMESPACE, 'b2', { port: SERVICE_PORT, target: PORT, nodePort: NODE_PORTS.cluster }),
      service(NAMESPACE, 'b3', { port: SERVICE_PORT, target: PORT, nodePort: NODE_PORTS.local, isLocal: true }),
      service(NAMESPACE, 'db', { port: SERVICE_PORT, target: PORT, isHeadless: true }),
    )
    await nodes.kubectl('-n', NAMESPACE, 'create', 'job', '--from=cronjob/nightly', 'nightly-by-hand')
    agents = [await nodes.agent(1), await nodes.agent(2)]
    for (const pod of await nodes.pods(NAMESPACE, deployments.length + 5)) {
      const workload = /^(?:nightly|everywhere|ingress|db|[ab]\d)/.exec(pod.name)![0]
      if (workload === 'everywhere' && pod.node === 2) continue
      pods.set(workload, pod)
      kinds.set(workload, { nightly: 'CronJob', everywhere: 'DaemonSet', db: 'StatefulSet' }[workload] ?? 'Deployment')
    }
    const { items } = JSON.parse(await nodes.kubectl('-n', NAMESPACE, 'get', 'services', '-o', 'json'))
    for (const { metadata, spec } of items) clusterAddress.set(metadata.name, spec.clusterIP)
    for (const { netns } of pods.values()) await nodes.serve(netns, 'udp-serve', '--port', PORT)
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

  async function exported(): Promise<ExportedEdge[][]> {
    await until(
      'all that was drained is exported',
      async () => {
        const ledgers = await Promise.all(agents.map(async agent => (await agent.status()).ledger))
        return ledgers.every(({ delivery }) => delivery.packets.queued === 0)
      },
      { limitMs: 20_000, everyMs: 200 },
    )
    return agents.map(agent => agent.exported().of('podweir.network.flow.bytes'))
  }

  const requestsOf = (edges: readonly ExportedEdge[], observer: string) =>
    edges.filter(each => each.direction === 'request' && each.transport === 'udp' && each.observer === observer)

  it('have every pair of workloads under their names, each byte once in the client’s view', async () => {
    const withNetwork = [...pods.keys()].filter(name => name !== 'ingress')
    let i = 0
    for (const from of withNetwork)
      for (const to of withNetwork)
        if (from !== to)
          await send(named(from), pods.get(from)!.netns, named(to), pods.get(to)!.address, PORT, 1 + (i++ % 7))
    const all = (await exported()).flat()
    const seen = new Map<string, number>()
    for (const { source, destination, service: via = '', port, value } of requestsOf(all, 'client')) {
      const key = `${source} > ${destination} ${via} ${port}`
      if (port === PORT) seen.set(key, (seen.get(key) ?? 0) + value)
    }
    assert.deepEqual(
      Object.fromEntries([...seen].sort()),
      Object.fromEntries([...sent].map(([key, count]) => [key, count * WIRE_BYTES] as const).sort()),
    )
  })
})
