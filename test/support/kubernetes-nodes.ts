// Real Kubernetes nodes on this machine, each in namespaces of its own: kubelet, containerd, runc, CNI and kube-proxy.
import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Context } from 'mocha'
import { stringify } from 'yaml'
import { runTraffic, TrafficProgram } from '../../lib/demo/traffic-program.ts'
import type { FlowRecord, StatusRecord } from '../../lib/signals/flow-record.ts'
import { askFlows, askStatus } from './agent.ts'
import { attributedBytes } from './attributed.ts'
import { CgroupProcess } from './cgroup-process.ts'
import { ExportedEdges } from './exported-edges.ts'
import { PodweirProcess } from './podweir-process.ts'
import { skip } from './skip.ts'
import { until } from './until.ts'

const scripts = new URL('./servers/kubernetes/', import.meta.url).pathname
const TRAFFIC = new URL('../../build/Release/podweir-traffic', import.meta.url).pathname
const role = new URL('../../deploy/rbac.yaml', import.meta.url).pathname
/** As up.sh gives them out. */
const FIRST_ADDRESS = 10
const PORT = 16_443
const SLOW_PORT = 16_500
const slowPath = new URL('./slow-path.ts', import.meta.url).pathname
const TRAFFIC_LIMIT_SECONDS = 120
const NEEDED = ['containerd', 'runc', 'nft', 'iptables', 'conntrack']

export interface NodePod {
  readonly uid: string
  readonly name: string
  /** 1, 2, … */
  readonly node: number
  readonly address: string
  /** Path of its network namespace. */
  readonly netns: string
}

/** Beside the test's own, as in the settings file. */
interface AgentReceiver {
  /** What the API server says reaches the agent so much later. */
  readonly wordsTakeMs?: number
  readonly kubernetes?: Readonly<Record<string, unknown>>
  readonly [setting: string]: unknown
}

interface PodObject {
  readonly metadata: { readonly name: string; readonly uid: string; readonly deletionTimestamp?: string }
  readonly spec: { readonly nodeName: string }
  readonly status: { readonly phase: string; readonly podIP?: string }
}

/** Skips the suite, in words, where something is missing that can't be built. */
export function needNodes(context: Context): void {
  const missing = NEEDED.filter(program => spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0)
  if (globSync('/usr/lib/cni/bridge').length === 0) missing.push('the CNI plugin bridge')
  if (missing.length > 0) skip(context, `needs ${missing.join(', ')}, which ./podweir test installs`)
}

export class KubernetesNodes {
  readonly folder: string
  readonly count: number
  readonly #environment: NodeJS.ProcessEnv
  readonly #programs: TrafficProgram[] = []
  #agents = 0
  readonly #servers: CgroupProcess[] = []

  private constructor(folder: string, count: number, settings: NodeJS.ProcessEnv) {
    this.folder = join(folder, 'kubernetes')
    this.count = count
    this.#environment = { ...process.env, PODWEIR_KUBE_DIR: this.folder, PODWEIR_KUBE_PORT: String(PORT), ...settings }
  }

  /**
   * Ready when it resolves, with a ServiceAccount that may do exactly what deploy/rbac.yaml says. The caller stops it.
   * `settings`: those of cluster.sh.
   */
  static async start(folder: string, count: number, settings: NodeJS.ProcessEnv = {}): Promise<KubernetesNodes> {
    const nodes = new KubernetesNodes(folder, count, settings)
    process.once('exit', nodes.#stopAtExit)
    try {
      await nodes.#run(join(scripts, 'up.sh'), 'node', String(count))
      await nodes.kubectl('apply', '-f', role)
    } catch (error) {
      await nodes.stop()
      throw error
    }
    return nodes
  }

  address(node: number): string {
    return `192.0.2.${FIRST_ADDRESS - 1 + node}`
  }

  /** Path of the node's own network namespace. */
  netns(node: number): string {
    return `/proc/${readFileSync(join(this.folder, 'pid', `node-${node}`), 'utf8').trim()}/ns/net`
  }

  kubectl(...args: string[]): Promise<string> {
    return this.#run(join(scripts, 'in-node.sh'), 'kubectl', ...args)
  }

  /** A command in that node's namespaces. */
  inNode(node: number, ...command: string[]): Promise<string> {
    return this.#run(join(scripts, 'in-node.sh'), '-n', String(node), ...command)
  }

  /** Objects as `kubectl apply` takes them. */
  async apply(...objects: object[]): Promise<void> {
    const file = join(this.folder, 'apply.json')
    writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }))
    await this.kubectl('apply', '--server-side', '-f', file)
  }

  /** Those of a namespace that run, once there are so many. */
  async pods(namespace: string, count: number): Promise<NodePod[]> {
    let running: PodObject[] = []
    await until(
      `${count} pods of ${namespace} run`,
      async () => {
        const { items } = JSON.parse(await this.kubectl('-n', namespace, 'get', 'pods', '-o', 'json'))
        running = (items as PodObject[]).filter(
          ({ status, metadata }) => status.phase === 'Running' && status.podIP && !metadata.deletionTimestamp,
        )
        return running.length === count
      },
      { everyMs: 500, limitMs: 90_000 },
    )
    const processes = processesByPod()
    return running.map(({ metadata, spec, status }) => ({
      ...{ uid: metadata.uid, name: metadata.name, address: status.podIP! },
      node: Number(/\d+$/.exec(spec.nodeName)![0]),
      netns: `/proc/${processes.get(metadata.uid)}/ns/net`,
    }))
  }

  async serve(netns: string, role: string, ...args: (string | number)[]): Promise<TrafficProgram> {
    const program = new TrafficProgram(role, {
      ...{ netns, forSeconds: 10 * TRAFFIC_LIMIT_SECONDS, arguments: args.map(String) },
    })
    this.#programs.push(program)
    await program.ready
    return program
  }

  /** The same in the pod's own cgroup, which its sockets then have. */
  async serveAs({ netns }: NodePod, role: string, ...args: (string | number)[]): Promise<void> {
    const [, , process] = netns.split('/')
    const command = [TRAFFIC, role, '--for', `${10 * TRAFFIC_LIMIT_SECONDS}`, ...args.map(String)]
    this.#servers.push(await CgroupProcess.beside(Number(process), netns, command))
  }

  traffic(netns: string, role: string, ...args: (string | number)[]) {
    return runTraffic(role, { netns, forSeconds: TRAFFIC_LIMIT_SECONDS, arguments: args.map(String) })
  }

  /** An agent on that node, as a ServiceAccount with the rights of deploy/rbac.yaml. Resolves when it exports. */
  async agent(
    node: number,
    { kubernetes: more = {}, wordsTakeMs, ...receiver }: AgentReceiver = {},
  ): Promise<NodeAgent> {
    const folder = join(this.folder, `agent-${node}-${++this.#agents}`)
    mkdirSync(folder)
    const name = JSON.parse(await this.kubectl('get', 'nodes', '-o', 'json')).items.map(
      (each: PodObject) => each.metadata.name,
    )[node - 1] as string
    const kubeconfig = join(folder, 'kubeconfig')
    const cluster = {
      server:
        wordsTakeMs === undefined ? `https://${this.address(1)}:${PORT}` : await this.#slowServer(node, wordsTakeMs),
      'certificate-authority': join(this.folder, 'pki/ca.crt'),
    }
    const token = (await this.kubectl('-n', 'podweir-system', 'create', 'token', 'podweir')).trim()
    writeFileSync(
      kubeconfig,
      stringify({
        ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'test' },
        clusters: [{ name: 'test', cluster }],
        users: [{ name: 'agent', user: { token } }],
        contexts: [{ name: 'test', context: { cluster: 'test', user: 'agent' } }],
      }),
    )
    const kubernetes = { auth_type: 'kubeConfig', kubeconfig, node_name: name, ...more }
    const quick = { attach_pace: 'off', pins: 'off', drain_interval: '200ms', collection_interval: '1s' }
    const socket = join(folder, 'agent.sock')
    const settings = {
      receivers: { podweir: { ...quick, kubernetes, ...receiver } },
      exporters: { file: { path: join(folder, 'metrics.jsonl') } },
      extensions: { api: { endpoint: `unix://${socket}` } },
    }
    writeFileSync(join(folder, 'agent.yaml'), stringify(settings))
    const through = ['env', `PODWEIR_KUBE_DIR=${this.folder}`, join(scripts, 'in-node.sh'), '-n', String(node)]
    const agent = new NodeAgent(
      new PodweirProcess(['agent', '--config', join(folder, 'agent.yaml')], { through }),
      folder,
    )
    await agent.started()
    return agent
  }

  async #slowServer(node: number, delayMs: number): Promise<string> {
    const program = [process.execPath, slowPath, SLOW_PORT, this.address(1), PORT, delayMs].map(String)
    const child = spawn(join(scripts, 'in-node.sh'), ['-n', String(node), ...program], { env: this.#environment })
    // It ends with its node.
    await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])
    child.unref()
    return `https://127.0.0.1:${SLOW_PORT}`
  }

  async stop(): Promise<void> {
    await Promise.allSettled(this.#programs.map(program => program.stop()))
    await Promise.allSettled(this.#servers.map(server => server.end()))
    process.removeListener('exit', this.#stopAtExit)
    await this.#run(join(scripts, 'down.sh'))
  }

  /** Mocha ends with process.exit when a test hangs: nothing of it must outlive it. */
  readonly #stopAtExit = () => {
    spawnSync(join(scripts, 'down.sh'), { env: this.#environment })
  }

  async #run(file: string, ...args: string[]): Promise<string> {
    const options = { env: this.#environment, maxBuffer: 64 * 1024 * 1024 }
    const { stdout } = await promisify(execFile)(file, args, options)
    return stdout
  }
}

export class NodeAgent {
  readonly #process: PodweirProcess
  readonly #folder: string

  constructor(agent: PodweirProcess, folder: string) {
    this.#process = agent
    this.#folder = folder
  }

  async started(): Promise<void> {
    await this.#process.logged(/^exporting /, 30_000)
  }

  status(): Promise<StatusRecord> {
    return askStatus(join(this.#folder, 'agent.sock'))
  }

  flows(): Promise<FlowRecord[]> {
    return askFlows(join(this.#folder, 'agent.sock'))
  }

  /** What the log said of level warning and above. */
  get warnings(): string[] {
    return this.#process.log.filter(({ level }) => ['warn', 'error', 'fatal'].includes(level)).map(({ msg }) => msg)
  }

  /** What its file exporter wrote, a request a line. */
  get requests(): string[] {
    return readFileSync(join(this.#folder, 'metrics.jsonl'), 'utf8').split('\n').filter(Boolean)
  }

  exported(): ExportedEdges {
    return new ExportedEdges(readFileSync(join(this.#folder, 'metrics.jsonl'), 'utf8'))
  }

  /** Of what it exported, by how the remote end was found. */
  attributedBytes(): Record<string, number> {
    return attributedBytes(join(this.#folder, 'metrics.jsonl'))
  }

  /** Last drain, last export. */
  async stop(): Promise<void> {
    const { pid } = this.#process
    // nsenter waits for who it started, and hands no signal on.
    for (const child of readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' '))
      process.kill(Number(child), 'SIGTERM')
    await this.#process.ended
  }
}

/** A process of each pod, by UID. */
function processesByPod(): Map<string, number> {
  const found = new Map<string, number>()
  for (const file of globSync('/proc/[0-9]*/cgroup')) {
    try {
      const uid = /\/pod([0-9a-f-]{36})\//.exec(readFileSync(file, 'utf8'))?.[1]
      if (uid !== undefined) found.set(uid, Number(file.split('/')[2]))
    } catch {
      // It has ended meanwhile.
    }
  }
  return found
}
