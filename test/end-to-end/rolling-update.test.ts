// Two real Deployments whose pods replace each other and take over each other's addresses, under traffic: names stay right.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, before, describe, it } from 'mocha'
import { type TrafficCounts, TrafficProgram } from '../../lib/demo/traffic-program.ts'
import { buildKubernetes } from '../support/kubernetes.ts'
import { KubernetesNodes, type NodeAgent, needNodes } from '../support/kubernetes-nodes.ts'
import { NewPods } from '../support/new-pods.ts'
import { show } from '../support/show.ts'
import { until } from '../support/until.ts'
import { deployment, namespaceOf } from '../support/workloads.ts'

const NAMESPACE = 'shop'
/** Each Deployment's pods answer on a port of their own: an answer says whose it is, whatever the address. */
const PORTS = { blue: 9001, green: 9002 } as const
const REPLICAS = 3
/** Of the first node: six pods, the client, and one to spare. What comes has to take what has just been given back. */
const ADDRESSES = 8
/** So late the agents hear of what happens: a new pod has answered by then under an address that was another's. */
const WORDS_TAKE_MS = 300
const ROUNDS = 3
const PER_SECOND = 10
const FOR_SECONDS = 60
const ANSWER = 100
/** Ethernet, IPv4 and UDP. */
const WIRE_BYTES = ANSWER + 42

type Color = keyof typeof PORTS
const colors = Object.keys(PORTS) as Color[]

describe('a rolling update on real nodes', function () {
  this.timeout(300_000)
  let folder: string
  let nodes: KubernetesNodes
  let agents: NodeAgent[] = []
  let isOver = false
  const programs: TrafficProgram[] = []
  /** Which Deployments' pods have had an address. */
  const held = new Map<string, Set<Color>>()

  before(async function () {
    this.timeout(2_400_000)
    needNodes(this)
    await buildKubernetes(this)
    folder = mkdtempSync(join(tmpdir(), 'podweir-nodes-'))
    nodes = await KubernetesNodes.start(folder, 2, { PODWEIR_KUBE_POD_ADDRESSES: String(ADDRESSES) })
    await nodes.apply(
      namespaceOf(NAMESPACE),
      ...[1, 2].map(node => deployment(NAMESPACE, `client-${node}`, { node })),
      ...colors.map(color => deployment(NAMESPACE, color, { node: 1, replicas: REPLICAS, goesFirst: true })),
    )
    await nodes.pods(NAMESPACE, 2 + 2 * REPLICAS)
    agents = [
      await nodes.agent(1, { wordsTakeMs: WORDS_TAKE_MS }),
      await nodes.agent(2, { wordsTakeMs: WORDS_TAKE_MS }),
    ]
    await until(
      'the agents know all',
      async () => {
        const states = await Promise.all(agents.map(agent => agent.status()))
        return states.every(({ cluster }) => cluster.every(({ syncedAt }) => syncedAt !== undefined))
      },
      { limitMs: 60_000, everyMs: 200 },
    )
  })

  after(async () => {
    isOver = true
    await Promise.allSettled([...programs, ...agents].map(each => each.stop()))
    await nodes?.stop()
    if (folder) rmSync(folder, { recursive: true, force: true })
  })

  /** Serves in each pod of the Deployments as soon as it has a process, before the API server knows of its address. */
  async function serveNewPods(): Promise<void> {
    const pods = new NewPods()
    while (!isOver) {
      for (const { name, netns } of pods.take()) {
        const color = colors.find(each => name.startsWith(`${each}-`))
        if (color) programs.push(serving(netns, PORTS[color]))
      }
      await sleep(20)
    }
  }

  function serving(netns: string, port: number): TrafficProgram {
    const options = ['--port', String(port), '--answer', '--response', String(ANSWER)]
    return new TrafficProgram('udp-serve', { netns, forSeconds: 4 * FOR_SECONDS, arguments: options })
  }

  /** Asks all addresses of the first node for both Deployments at once, each datagram a flow of its own. */
  function asking(netns: string): { port: number; counts: Promise<TrafficCounts> }[] {
    const count = String(PER_SECOND * FOR_SECONDS)
    return Object.values(PORTS).flatMap(port =>
      Array.from({ length: ADDRESSES }, (_, i) => {
        const to = ['--to', `10.244.1.${10 + i}`, '--port', String(port), '--size', '64', '--expect-answer']
        const often = ['--count', count, '--tuples', count, '--rate', String(PER_SECOND)]
        const program = new TrafficProgram('udp-send', {
          ...{ netns, forSeconds: 2 * FOR_SECONDS, arguments: [...to, ...often] },
        })
        programs.push(program)
        return { port, counts: program.counts }
      }),
    )
  }

  async function rollOver(): Promise<void> {
    const names = colors.map(color => `deployment/${color}`)
    await nodes.kubectl('-n', NAMESPACE, 'rollout', 'restart', ...names)
    for (const name of names) await nodes.kubectl('-n', NAMESPACE, 'rollout', 'status', '--timeout=60s', name)
    const { items } = JSON.parse(await nodes.kubectl('-n', NAMESPACE, 'get', 'pods', '-o', 'json'))
    for (const { metadata, status } of items) {
      const color = colors.find(each => metadata.name.startsWith(`${each}-`))
      if (color && status.podIP) held.set(status.podIP, (held.get(status.podIP) ?? new Set()).add(color))
    }
  }

  /** Bytes of answers as `port from`, as the clients’ interfaces have them. */
  async function answers(): Promise<Map<string, number>> {
    let last = ''
    await until(
      'nothing is on its way',
      async () => {
        const figures = (await Promise.all(agents.map(agent => agent.status()))).map(
          each => each.ledger.delivery.packets,
        )
        const now = JSON.stringify(figures.map(({ drained }) => drained))
        const isStill = now === last && figures.every(({ queued }) => queued === 0)
        last = now
        return isStill
      },
      { limitMs: 30_000, everyMs: 1_500 },
    )
    const found = new Map<string, number>()
    for (const { direction, observer, source, transport, port, value } of agents.flatMap(agent =>
      agent.exported().of('podweir.network.flow.bytes'),
    )) {
      if (direction !== 'response' || observer !== 'client' || transport !== 'udp' || value === 0) continue
      const key = `${port} ${source}`
      found.set(key, (found.get(key) ?? 0) + value)
    }
    return found
  }

  it('puts no byte under a wrong workload, though addresses go from one to the other at once', async function () {
    const clients = (await nodes.pods(NAMESPACE, 2 + 2 * REPLICAS)).filter(({ name }) => name.startsWith('client-'))
    const served = serveNewPods()
    const senders = clients.flatMap(({ netns }) => asking(netns))
    for (let round = 0; round < ROUNDS; round++) await rollOver()
    const counts = await Promise.all(
      senders.map(async ({ port, counts }) => ({ port, answers: (await counts).answers! })),
    )
    isOver = true
    await served
    const found = await answers()
    const allowed = colors.flatMap(color => [`${PORTS[color]} Deployment/${color}`, `${PORTS[color]} unknown`])
    assert.deepEqual(
      [...found].filter(([key]) => !allowed.includes(key)),
      [],
    )
    let unknown = 0
    let all = 0
    for (const color of colors) {
      const port = PORTS[color]
      const told = counts.filter(each => each.port === port).reduce((sum, each) => sum + each.answers * WIRE_BYTES, 0)
      const right = found.get(`${port} Deployment/${color}`) ?? 0
      const undecided = found.get(`${port} unknown`) ?? 0
      assert.equal(right + undecided, told)
      assert.ok(right > told / 2)
      unknown += undecided
      all += told
    }
    const shared = [...held.values()].filter(each => each.size > 1).length
    assert.ok(shared > 0)
    show(this, `${shared} addresses were of both; ${all / WIRE_BYTES} answers, ${unknown / WIRE_BYTES} of them unknown`)
  })
})
