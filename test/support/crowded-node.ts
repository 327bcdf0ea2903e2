// A node on which one pod is in the middle of something and nine do their work; a stranger is on its bridge, uncounted.
import { runCommand } from '../../lib/demo/command.ts'
import { type TrafficCounts, TrafficProgram } from '../../lib/demo/traffic-program.ts'
import { Namespaces, type TestNamespace } from './namespaces.ts'
import { comeToRest } from './rest.ts'

const NEIGHBOURS = 9
const LIMIT_SECONDS = 240
/** What each neighbour sends to the next one, in a ring. */
const DATAGRAMS = ['--port', 9000, '--tuples', 40, '--rate', 200]
const CONNECTIONS = ['--port', 5002, '--connections', 'each', '--rate', 15, '--parallel', 4]

interface Neighbour {
  readonly datagrams: TrafficProgram
  readonly connections: TrafficProgram
  readonly servers: readonly TrafficProgram[]
}

export class CrowdedNode {
  readonly #namespaces: Namespaces
  readonly #all: readonly TestNamespace[]
  #working: Neighbour[] = []

  private constructor(namespaces: Namespaces, all: readonly TestNamespace[]) {
    this.#namespaces = namespaces
    this.#all = all
  }

  static async create(): Promise<CrowdedNode> {
    const namespaces = new Namespaces()
    const created = await namespaces.createPods(1 + NEIGHBOURS + 1)
    // A bridge sends to everybody what is for an address that never spoke.
    for (const { namespace, hostDevice } of created)
      await runCommand('bridge', ['fdb', 'replace', namespace.addresses.mac, 'dev', hostDevice, 'master', 'static'], {
        remedy: 'run as root, with iproute2 installed',
      })
    return new CrowdedNode(
      namespaces,
      created.map(({ namespace }) => namespace),
    )
  }

  async remove(): Promise<void> {
    await this.#namespaces.remove()
  }

  /** All but the stranger; the first is the one that it is about. */
  get pods(): readonly TestNamespace[] {
    return this.#all.slice(0, -1)
  }

  get pod(): TestNamespace {
    return this.#all[0]!
  }

  get stranger(): TestNamespace {
    return this.#all.at(-1)!
  }

  async neighboursWork(): Promise<void> {
    const neighbours = this.pods.slice(1)
    const servers = await Promise.all(
      neighbours.map(async each => [
        await each.serve('udp-serve', '--port', 9000, '--answer'),
        await each.serve('tcp-serve', '--port', 5002),
      ]),
    )
    this.#working = neighbours.map((each, i) => {
      const next = neighbours[(i + 1) % neighbours.length]!
      return {
        datagrams: begin('udp-send', each, next, DATAGRAMS),
        connections: begin('tcp-request', each, next, CONNECTIONS),
        servers: servers[i]!,
      }
    })
  }

  /** Resolves to the number of each neighbour's flows: its own, and those of the one before it. */
  async neighboursRest(): Promise<number[]> {
    const datagrams = await Promise.all(this.#working.map(one => one.datagrams.stop()))
    await Promise.all(this.#working.map(one => one.connections.stop()))
    await comeToRest(this.#all.map(({ name }) => name))
    for (const { servers } of this.#working) for (const server of servers) await server.stop()
    const protocols = await Promise.all(this.pods.slice(1).map(each => each.protocols()))
    // The program knows of connections that were opened; the kernel of each that it sent a SYN for.
    const flows = datagrams.map(({ tuples }, i) => tuples! + protocols[i]!.TcpActiveOpens!)
    return flows.map((own, i) => own + flows.at(i - 1)!)
  }

  /** Between the pod and the stranger, each frame another flow's; resolves when nothing of it is on the way. */
  async flood(from: TestNamespace, args: readonly (string | number)[]): Promise<TrafficCounts> {
    const to = from === this.pod ? this.stranger : this.pod
    // Those of its addresses that `args` has are varied.
    const addresses = ['--from', from.addresses.v4, '--to', to.addresses.v4]
    const counts = await from.traffic('flood', '--device', 'eth0', '--mac', to.addresses.mac, ...addresses, ...args)
    await comeToRest([from.name, to.name])
    return counts
  }
}

function begin(role: string, from: TestNamespace, to: TestNamespace, args: readonly (string | number)[]) {
  const words = ['--to', to.addresses.v4, ...args].map(String)
  return new TrafficProgram(role, { netns: from.name, forSeconds: LIMIT_SECONDS, arguments: words })
}
