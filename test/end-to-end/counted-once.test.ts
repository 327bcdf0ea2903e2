// The documented queries on a real Prometheus, bytes between zones, and agents that know no peers: on two real nodes.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'mocha'
import { runTrafficCommand } from '../../lib/demo/traffic-program.ts'
import { ExportedEdges } from '../support/exported-edges.ts'
import { pointsOf, requestsIn } from '../support/exported-points.ts'
import { buildKubernetes } from '../support/kubernetes.ts'
import { KubernetesNodes, type NodeAgent, type NodePod, needNodes } from '../support/kubernetes-nodes.ts'
import { type Prometheus, startPrometheus } from '../support/prometheus.ts'
import { until } from '../support/until.ts'
import { deployment, namespaceOf, service } from '../support/workloads.ts'

const NAMESPACE = 'shop'
const PORT = 9000
const SERVICE_PORT = 80
const NODE_PORT = 30_080
/** Ethernet, IPv4 and UDP. */
const HEADERS = 42
const ASK = 200
const ANSWER = 100
const page = readFileSync(new URL('../../docs/counted-once.md', import.meta.url), 'utf8')
const [betweenPods, entering, check] = [...page.matchAll(/```promql\n([^`]*)```/g)].map(match => match[1]!)

type Sums = Record<string, number>

/** As cluster.sh gives them out. */
function block(node: number, host: number): string {
  return `10.244.${node}.${host}`
}

function add(sums: Sums, key: string, bytes: number): void {
  sums[key] = (sums[key] ?? 0) + bytes
}

function sorted(sums: Sums): [string, number][] {
  return Object.entries(sums)
    .filter(([, bytes]) => bytes !== 0)
    .sort()
}

describe('counted once on two real nodes', function () {
  this.timeout(240_000)
  let folder: string
  let nodes: KubernetesNodes
  let prometheus: Prometheus
  let agents: NodeAgent[] = []
  const pods = new Map<string, NodePod>()
  const addressOf = new Map<string, string>()

  before(async function () {
    this.timeout(2_400_000)
    needNodes(this)
    await buildKubernetes(this)
    folder = mkdtempSync(join(tmpdir(), 'podweir-nodes-'))
    prometheus = await startPrometheus({ folder })
    nodes = await KubernetesNodes.start(folder, 2)
    for (const [i, zone] of ['a', 'b'].entries()) {
      const node = `podweir-node-${i + 1}`
      const podCIDR = `${block(i + 1, 0)}/24`
      await nodes.kubectl('label', 'node', node, `topology.kubernetes.io/zone=${zone}`)
      await nodes.kubectl('patch', 'node', node, '-p', JSON.stringify({ spec: { podCIDR, podCIDRs: [podCIDR] } }))
    }
    const served = { port: SERVICE_PORT, target: PORT }
    await nodes.apply(
      namespaceOf(NAMESPACE),
      ...[1, 2].flatMap(node => [1, 2].map(i => deployment(NAMESPACE, `${'ab'[node - 1]}${i}`, { node }))),
      service(NAMESPACE, 'a1', served),
      service(NAMESPACE, 'b1', served),
      service(NAMESPACE, 'b2', { ...served, nodePort: NODE_PORT }),
    )
    for (const pod of await nodes.pods(NAMESPACE, 4)) pods.set(pod.name.slice(0, 2), pod)
    const { items } = JSON.parse(await nodes.kubectl('-n', NAMESPACE, 'get', 'services', '-o', 'json'))
    for (const { metadata, spec } of items) addressOf.set(metadata.name, spec.clusterIP)
    const netns = [...pods.values()].map(each => each.netns).join()
    // Nobody solicits routers by himself.
    await runTrafficCommand('sysctl', { netns, arguments: ['net/ipv6/conf/all/disable_ipv6=1'] })
    for (const { netns } of pods.values())
      await nodes.serve(netns, 'udp-serve', '--port', PORT, '--answer', '--response', ANSWER)
  })

  after(async () => {
    await Promise.allSettled(agents.map(agent => agent.stop()))
    await prometheus?.stop()
    await nodes?.stop()
    if (folder) rmSync(folder, { recursive: true, force: true })
  })

  async function startAgents(receiver: Parameters<KubernetesNodes['agent']>[1]): Promise<void> {
    agents = [await nodes.agent(1, receiver), await nodes.agent(2, receiver)]
    await until(
      'the agents know all',
      async () => {
        const states = await Promise.all(agents.map(agent => agent.status()))
        return states.every(
          ({ interfaces, cluster }) =>
            cluster.every(({ syncedAt }) => syncedAt !== undefined) &&
            interfaces.filter(({ state }) => state === 'attached').length >= 2,
        )
      },
      { limitMs: 60_000, everyMs: 200 },
    )
  }

  /** `from`: a pod, or a path of a namespace. */
  async function ask(from: string, address: string, port: number, count: number): Promise<number> {
    const options = ['--to', address, '--port', port, '--count', count, '--size', ASK, '--expect-answer'] as const
    const counts = await nodes.traffic(pods.get(from)?.netns ?? from, 'udp-send', ...options)
    assert.deepEqual([counts.sent, counts.answers], [count, count])
    return count
  }

  /** Once nothing more has been drained for a second, and all of it is exported. */
  async function exported(): Promise<void> {
    let drained = ''
    let stillSinceMs = 0
    await until(
      'all that was drained is exported',
      async () => {
        const figures = (await Promise.all(agents.map(agent => agent.status()))).map(
          each => each.ledger.delivery.packets,
        )
        const now = JSON.stringify(figures.map(each => each.drained))
        if (now !== drained || figures.some(({ queued }) => queued > 0)) stillSinceMs = performance.now()
        drained = now
        return performance.now() - stillSinceMs > 1_500
      },
      { limitMs: 30_000, everyMs: 100 },
    )
  }

  const edges = () =>
    agents.flatMap(agent => new ExportedEdges(agent.requests.join('\n')).of('podweir.network.flow.bytes'))

  describe('with all peers known', () => {
    /** Bytes by `source > destination`, as the client’s end has them. */
    const client: Sums = {}
    /** What a server's interface shows as a node's. */
    const asNode: Sums = {}
    const crossing: Sums = {}
    let direct = 0
    let masqueraded = 0

    /** The client asks, and is answered. */
    function tell(sums: Sums, asker: string, server: string, count: number): void {
      add(sums, `${asker} > ${server}`, count * (ASK + HEADERS))
      add(sums, `${server} > ${asker}`, count * (ANSWER + HEADERS))
    }

    before('traffic of every kind', async () => {
      await startAgents({ zones: 'on' })
      const both = ASK + ANSWER + 2 * HEADERS
      const pod = async (from: string, to: string, count: number, address = pods.get(to)!.address, port = PORT) => {
        tell(client, from, to, await ask(from, address, port, count))
        direct += count * both
        if (from[0] !== to[0]) tell(crossing, `${from} ${from[0]}`, `${to} ${to[0]}`, count)
      }
      await pod('a1', 'b1', 11)
      await pod('b1', 'a2', 12)
      await pod('a1', 'a2', 13)
      await pod('a1', 'b1', 14, addressOf.get('b1'), SERVICE_PORT)
      for (const [node, count] of [
        [1, 15],
        [2, 16],
      ] as const) {
        tell(client, 'a2', 'b2', await ask('a2', nodes.address(node), NODE_PORT, count))
        add(asNode, 'node > b2', count * (ASK + HEADERS))
        masqueraded += count * both
        if (node === 1) tell(crossing, 'node a', 'b2 b', count)
      }
      tell(client, 'a1', 'a1', await ask('a1', addressOf.get('a1')!, SERVICE_PORT, 17))
      add(asNode, 'node > a1', 17 * (ASK + HEADERS))
      masqueraded += 17 * both
      add(asNode, 'node > b1', (await ask(nodes.netns(2), pods.get('b1')!.address, PORT, 18)) * (ASK + HEADERS))
      await exported()
      for (const agent of agents)
        for (const body of agent.requests) {
          const headers = { 'content-type': 'application/json' }
          const { status } = await fetch(prometheus.otlpUrl, { method: 'POST', headers, body })
          assert.equal(status, 200)
        }
    })

    /** What the query gives, and what it gives of the counters themselves: a rate is extrapolated. */
    async function asked(query: string): Promise<{ rates: Sums; bytes: Sums }> {
      const counters = query.replaceAll(/(?:rate|increase)\((.*)\[\w+\]\)/g, '$1')
      assert.notEqual(counters, query)
      const [rates, bytes] = await Promise.all(
        [query, counters].map(async text => {
          const sums: Sums = {}
          for (const { metric, value } of await prometheus.query(text)) {
            const end = (side: string) => metric[`${side}_k8s_owner_name`] ?? metric[`${side}_name`]
            if (end('destination') !== undefined) add(sums, `${end('source')} > ${end('destination')}`, value)
            else add(sums, 'all', value)
          }
          return sums
        }),
      )
      return { rates: rates!, bytes: bytes! }
    }

    it('has what goes between pods once by its query, also through node ports and hairpins', async () => {
      const { rates, bytes } = await asked(betweenPods!)
      assert.deepEqual(sorted(bytes), sorted(client))
      assert.deepEqual(
        sorted(rates).map(([key]) => key),
        sorted(client).map(([key]) => key),
      )
    })

    it('has what enters pods from nodes once by its query: node ports, hairpins, the nodes themselves', async () => {
      const { rates, bytes } = await asked(entering!)
      assert.deepEqual(sorted(bytes), sorted(asNode))
      assert.deepEqual(
        sorted(rates).map(([key]) => key),
        sorted(asNode).map(([key]) => key),
      )
    })

    it('says by the check’s query that no client is unobserved: it lacks what was masqueraded, and nothing else', async () => {
      const otherEnds = (await Promise.all(agents.map(agent => agent.status()))).map(
        ({ ledger }) => ledger.delivery.bytes.otherEnd,
      )
      assert.equal(otherEnds[0]! + otherEnds[1]!, direct)
      assert.deepEqual((await asked(check!)).bytes, { all: -masqueraded })
    })

    it('has bytes from zone to zone once over both agents', () => {
      const found: Sums = {}
      for (const agent of agents) {
        const last = new Map<string, [string, number]>()
        for (const point of pointsOf(requestsIn(agent.requests.join('\n')), 'podweir.network.inter_zone.bytes')) {
          const text = (key: string) => point.attributes?.find(each => each.key === key)?.value.stringValue
          const end = (side: string) =>
            `${text(`${side}.k8s.owner.name`) ?? text(`${side}.name`)} ${text(`${side}.cloud.availability_zone`)}`
          last.set(JSON.stringify(point.attributes), [`${end('source')} > ${end('destination')}`, Number(point.asInt)])
        }
        for (const [key, bytes] of last.values()) add(found, key, bytes)
      }
      assert.deepEqual(sorted(found), sorted(crossing))
    })
  })

  describe('with `peers: none`', () => {
    before('agents that know their own pods', async () => {
      await Promise.all(agents.map(agent => agent.stop()))
      await startAgents({ kubernetes: { peers: 'none' } })
    })

    it('suppresses nothing of a block’s first two addresses, which may be bridges and tunnels, and all that pods opened', async () => {
      const { address } = pods.get('a2')!
      let fromNodes = await ask(nodes.netns(1), address, PORT, 21)
      for (const [i, host] of [0, 1].entries()) {
        const source = block(2, host)
        if (host === 0) await nodes.inNode(2, 'ip', 'address', 'add', `${source}/32`, 'dev', 'cni0')
        await nodes.inNode(2, 'ip', 'route', 'replace', `${address}/32`, 'via', nodes.address(1), 'src', source)
        fromNodes += await ask(nodes.netns(2), address, PORT, 22 + i)
      }
      const opened = (await ask('b1', address, PORT, 31)) + (await ask('a1', pods.get('b2')!.address, PORT, 32))
      await exported()
      const requests = edges().filter(({ direction, value }) => direction === 'request' && value > 0)
      const sums = (observer: string) => {
        const found: Sums = {}
        for (const { source, destination, value } of requests.filter(each => each.observer === observer))
          add(found, `${source} > ${destination}`, value / (ASK + HEADERS))
        return found
      }
      assert.deepEqual(sums('server'), { 'node > Deployment/a2': fromNodes })
      assert.deepEqual(sums('client'), { 'Deployment/b1 > unknown': 31, 'Deployment/a1 > unknown': 32 })
      const states = await Promise.all(agents.map(agent => agent.status()))
      const otherEnd = states.reduce((sum, { ledger }) => sum + ledger.delivery.bytes.otherEnd, 0)
      assert.equal(otherEnd, opened * (ASK + ANSWER + 2 * HEADERS))
      for (const { ledger } of states) {
        const { drained, exported, otherEnd } = ledger.delivery.bytes
        assert.equal(drained, exported + otherEnd)
      }
    })
  })
})
