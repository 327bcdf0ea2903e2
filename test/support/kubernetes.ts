// A real Kubernetes control plane (etcd, API server, controllers, scheduler; no node) on free ports of loopback.
import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import type { Context } from 'mocha'
import { parseAllDocuments } from 'yaml'
import { skip } from './skip.ts'
import { until } from './until.ts'

const scripts = new URL('./servers/kubernetes/', import.meta.url).pathname
const deploy = new URL('../../deploy/', import.meta.url).pathname
/** What the API server says its own address is; nobody goes there. */
const ADVERTISED = '192.0.2.1'
const LOOPBACK = '127.0.0.1'

export interface TokenOptions {
  readonly account?: Account
  readonly secret?: string
  readonly audience?: string
}

interface ClusterRole {
  readonly kind: string
  readonly metadata: { readonly name: Account }
  readonly rules: readonly Rule[]
}

interface Right {
  readonly account: Account
  readonly verb: string
  /** `jobs.batch` */
  readonly resource: string
}

interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
}

/** Of podweir-system, each with a ClusterRole of its name. */
export type Account = 'podweir' | 'podweir-resolver'

export interface ControlPlaneOptions {
  /** What it writes goes into a folder of its own in it. */
  readonly folder: string
  /** Absent: `WatchList=true`. */
  readonly features?: string
  /** Absent: all of them. */
  readonly controllers?: readonly string[]
  /** A file of `deploy/`; absent: `rbac.yaml`. */
  readonly roles?: 'rbac.yaml' | 'rbac-resolver.yaml'
}

/** Builds it where it was never built: five to ten minutes. Skips the suite, in words, where it can't be built. */
export async function buildKubernetes(context: Context): Promise<void> {
  const child = spawn(join(scripts, 'build.sh'), { stdio: ['ignore', 'ignore', 'pipe'] })
  const said = text(child.stderr)
  const [code] = (await once(child, 'close')) as [number | null]
  if (code === 0) return
  const lastLine = (await said).trimEnd().split('\n').at(-1)
  skip(context, `needs a Kubernetes API server, which can't be built here: ${lastLine}`)
}

export class ControlPlane {
  readonly port: number
  readonly folder: string
  readonly #environment: NodeJS.ProcessEnv
  readonly #roles: string
  #kubeconfigs = 0

  private constructor(port: number, { folder, features, controllers, roles = 'rbac.yaml' }: ControlPlaneOptions) {
    this.port = port
    this.#roles = join(deploy, roles)
    this.folder = join(folder, 'kubernetes')
    this.#environment = {
      ...process.env,
      PODWEIR_KUBE_DIR: this.folder,
      PODWEIR_KUBE_PORT: String(port),
      ...(features !== undefined && { PODWEIR_KUBE_FEATURES: features }),
      ...(controllers && { PODWEIR_KCM_ARGS: `--controllers=${controllers.join()}` }),
    }
  }

  /** Ready when it resolves, with ServiceAccounts that may do exactly what the file of roles says. The caller stops it. */
  static async start(options: ControlPlaneOptions): Promise<ControlPlane> {
    const plane = new ControlPlane(await freePorts(), options)
    process.once('exit', plane.#stopAtExit)
    try {
      await plane.#run('exec "$0/up.sh" control', scripts)
      await plane.kubectl('apply', '-f', plane.#roles)
    } catch (error) {
      await plane.stop()
      throw error
    }
    return plane
  }

  get server(): string {
    return `https://${LOOPBACK}:${this.port}`
  }

  /** Of an administrator. */
  get kubeconfig(): string {
    return join(this.folder, 'admin.kubeconfig')
  }

  /** PEM. */
  get ca(): string {
    return readFileSync(join(this.folder, 'pki/ca.crt'), 'utf8')
  }

  async kubectl(...args: string[]): Promise<string> {
    const options = { env: { ...this.#environment, KUBECONFIG: this.kubeconfig }, maxBuffer: 64 * 1024 * 1024 }
    const { stdout } = await promisify(execFile)(join(this.folder, 'kubectl'), args, options)
    return stdout
  }

  /** Objects as `kubectl apply` takes them. */
  async apply(...objects: object[]): Promise<void> {
    const file = join(this.folder, 'apply.json')
    writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }))
    await this.kubectl('apply', '--server-side', '--force-conflicts', '-f', file)
  }

  /** What a kubelet would write into an object's status. */
  async writeStatus(object: string, status: object): Promise<void> {
    const [namespace, name] = object.split('/') as [string, string]
    const patch = JSON.stringify({ status })
    await this.kubectl('-n', namespace, 'patch', 'pod', name, '--subresource=status', '--type=merge', '-p', patch)
  }

  /** Of a ServiceAccount. `secret`: it holds as long as that Secret is there. */
  async token({ account = 'podweir', secret, audience }: TokenOptions = {}): Promise<string> {
    const bound = secret === undefined ? [] : ['--bound-object-kind=Secret', `--bound-object-name=${secret}`]
    const made = audience === undefined ? [] : [`--audience=${audience}`]
    return (await this.kubectl('-n', 'podweir-system', 'create', 'token', account, ...bound, ...made)).trim()
  }

  /** A kubeconfig with a ServiceAccount's token, beside the others. */
  async exporterKubeconfig(server = this.server, account: Account = 'podweir'): Promise<string> {
    const file = join(this.folder, `${account}-${++this.#kubeconfigs}.kubeconfig`)
    const config = JSON.parse(readFileSync(this.kubeconfig, 'utf8')) as Record<string, unknown>
    const cluster = { server, 'certificate-authority': join(this.folder, 'pki/ca.crt') }
    const users = [{ name: 'admin', user: { token: await this.token({ account }) } }]
    writeFileSync(file, JSON.stringify({ ...config, clusters: [{ name: 'test', cluster }], users }))
    return file
  }

  /** Exactly what the file of roles says, again. */
  async grant(): Promise<void> {
    await this.kubectl('apply', '-f', this.#roles)
    const objects = parseAllDocuments(readFileSync(this.#roles, 'utf8')).map(each => each.toJS() as ClusterRole)
    const roles = objects.filter(({ kind }) => kind === 'ClusterRole')
    const rights = roles.flatMap(({ metadata, rules }) => rules.flatMap(rule => rightsOf(metadata.name, rule)))
    await Promise.all(rights.map(right => this.#may(right, 'yes')))
  }

  /** Takes one verb of one resource out of a role. */
  async revoke(apiGroup: string, resource: string, verb: string, account: Account = 'podweir'): Promise<void> {
    const found = JSON.parse(await this.kubectl('get', 'clusterrole', account, '-o', 'json')) as ClusterRole
    const rules = found.rules.flatMap(rule => {
      if (!rule.apiGroups.includes(apiGroup) || !rule.resources.includes(resource)) return [rule]
      const others = { ...rule, resources: rule.resources.filter(each => each !== resource) }
      const rest = { ...rule, resources: [resource], verbs: rule.verbs.filter(each => each !== verb) }
      return [others, rest].filter(({ resources, verbs }) => resources.length > 0 && verbs.length > 0)
    })
    if (JSON.stringify(rules) === JSON.stringify(found.rules)) throw new Error(`the role has no ${verb} ${resource}`)
    const patch = JSON.stringify([{ op: 'replace', path: '/rules', value: rules }])
    await this.kubectl('patch', 'clusterrole', account, '--type=json', '-p', patch)
    for (const right of rightsOf(account, { apiGroups: [apiGroup], resources: [resource], verbs: [verb] }))
      await this.#may(right, 'no')
  }

  signalApiServer(signal: NodeJS.Signals): void {
    process.kill(this.#pidOf('kube-apiserver'), signal)
  }

  async killApiServer(): Promise<void> {
    const pid = this.#pidOf('kube-apiserver')
    process.kill(pid, 'SIGKILL')
    await this.#run(`for i in $(seq 200); do kill -0 ${pid} 2>/dev/null || exit 0; sleep 0.05; done; exit 1`)
  }

  /** After `killApiServer`; ready when it resolves. */
  async startApiServer(): Promise<void> {
    await this.#run(`. "$0/cluster.sh"; start_apiserver ${LOOPBACK} ${ADVERTISED}`, scripts)
  }

  /** Forgets all versions but the present one. */
  async compact(): Promise<void> {
    const post = async (path: string, body: object) => {
      const response = await fetch(`http://${LOOPBACK}:${this.port + 1}${path}`, {
        method: 'POST',
        body: JSON.stringify(body),
      })
      if (!response.ok) throw new Error(`etcd: ${path}: ${response.status} ${await response.text()}`)
      return (await response.json()) as { header: { revision: string } }
    }
    const { header } = await post('/v3/kv/range', { key: Buffer.from('/').toString('base64'), limit: 1 })
    await post('/v3/kv/compaction', { revision: header.revision, physical: true })
  }

  async stop(): Promise<void> {
    process.removeListener('exit', this.#stopAtExit)
    if (existsSync(this.folder)) await this.#run('exec "$0/down.sh"', scripts)
  }

  /** Mocha ends with process.exit when a test hangs: nothing of it must outlive it. */
  readonly #stopAtExit = () => {
    spawnSync(join(scripts, 'down.sh'), { env: this.#environment })
  }

  /** Until the authorizer has heard of it. */
  async #may({ account, verb, resource }: Right, answer: 'yes' | 'no'): Promise<void> {
    const who = `--as=system:serviceaccount:podweir-system:${account}`
    const asked = () =>
      this.kubectl('auth', 'can-i', verb, resource, '--all-namespaces', who).catch(
        error => (error as { stdout: string }).stdout,
      )
    await until(`${answer} to ${verb} ${resource}`, async () => (await asked()).trim() === answer, { everyMs: 50 })
  }

  #pidOf(component: string): number {
    return Number(readFileSync(join(this.folder, 'pid', component), 'utf8'))
  }

  async #run(command: string, ...args: string[]): Promise<void> {
    await promisify(execFile)('bash', ['-euc', command, ...args], { env: this.#environment })
  }
}

function rightsOf(account: Account, { apiGroups, resources, verbs }: Rule): Right[] {
  const named = apiGroups.flatMap(group => resources.map(each => (group === '' ? each : `${each}.${group}`)))
  return named.flatMap(resource => verbs.map(verb => ({ account, verb, resource })))
}

/** The first of three that are free: the API server's and etcd's two. */
async function freePorts(): Promise<number> {
  for (;;) {
    const first = 20_000 + Math.floor(Math.random() * 10_000)
    const free = await Promise.all([0, 1, 2].map(i => isFree(first + i)))
    if (!free.includes(false)) return first
  }
}

function isFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise(resolve => {
    server.once('error', () => resolve(false))
    server.listen(port, LOOPBACK, () => server.close(() => resolve(true)))
  })
}
