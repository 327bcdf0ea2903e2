// The set-up of a suite about resolvers: a control plane with a few pods that nobody runs, and whatever a test starts beside it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before } from 'mocha'
import { AskingCluster } from './asking-cluster.ts'
import { Authority } from './certificates.ts'
import { CuttablePath } from './cuttable-path.ts'
import { type Account, buildKubernetes, ControlPlane } from './kubernetes.ts'
import { namespaceOf, nodeOf, replicaOf, serviceOf, statusOf } from './pretend-workloads.ts'
import { ResolverProcess, type ResolverProcessOptions } from './resolver-process.ts'

export const AUDIENCE = 'podweir-resolver'
const REVIEW = { token_review: { audience: AUDIENCE, service_accounts: ['podweir-system/podweir'] } }

export class ResolvedCluster {
  readonly folder = mkdtempSync(join(tmpdir(), 'podweir-resolver-'))
  readonly authority = new Authority(this.folder, 'authority')
  /** Of agents, for resolvers. */
  readonly tokenFile = join(this.folder, 'token')
  plane!: ControlPlane
  token!: string
  #kubeconfigs!: Record<Account, string>
  readonly #open: { close(): unknown }[] = []
  #made = 0

  async start(): Promise<void> {
    // Those that would clear away what nobody runs, and what is owned by nobody, are left out.
    const controllers = ['serviceaccount', 'namespace', 'endpointslice'].map(each => `${each}-controller`)
    const plane = await ControlPlane.start({ folder: this.folder, roles: 'rbac-resolver.yaml', controllers })
    this.plane = plane
    await plane.apply(namespaceOf('shop'), nodeOf('node-1', 1, 'z1'), nodeOf('node-2', 2, 'z2'))
    await plane.apply(
      ...[replicaOf('web', 'a', 'node-1'), replicaOf('api', 'b', 'node-2'), replicaOf('db', 'c', 'node-2')],
      ...[serviceOf('api', '10.96.7.7', 30_080), serviceOf('nobody', '10.96.7.8')],
    )
    for (const [pod, ip] of [
      ['web-a', '10.244.1.7'],
      ['api-b', '10.244.2.8'],
      ['db-c', '10.244.2.9'],
    ] as const)
      await plane.writeStatus(`shop/${pod}`, statusOf(ip))
    this.#kubeconfigs = {
      podweir: await plane.exporterKubeconfig(),
      'podweir-resolver': await plane.exporterKubeconfig(undefined, 'podweir-resolver'),
    }
    this.token = await plane.token({ audience: AUDIENCE })
    writeFileSync(this.tokenFile, this.token)
  }

  async stop(): Promise<void> {
    await this.plane?.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** What a test has started. */
  async close(): Promise<void> {
    for (const each of this.#open.splice(0).reverse()) await each.close()
  }

  async resolver(options: Partial<ResolverProcessOptions> = {}): Promise<ResolverProcess> {
    const started = await ResolverProcess.start({
      ...{ folder: join(this.folder, `resolver-${++this.#made}`), kubeconfig: this.kubeconfigOf('podweir-resolver') },
      ...{ authority: this.authority, trusts: REVIEW, ...options },
    })
    this.#open.push({ close: () => started.end('SIGKILL') })
    return started
  }

  kubeconfigOf(account: Account): string {
    return this.#kubeconfigs[account]
  }

  /** As in the settings file, of an agent on `node-1`. */
  settings(port: number, more: object = {}) {
    const tls = { ca_file: this.authority.certFile }
    return {
      ...{ kubeconfig: this.kubeconfigOf('podweir'), node_name: 'node-1', peers: 'resolver' },
      resolver: { endpoint: `localhost:${port}`, tls, token_file: this.tokenFile, ...more },
    }
  }

  async agent(port: number, more: object = {}): Promise<AskingCluster> {
    const opened = await AskingCluster.open(this.settings(port, more))
    this.#open.push(opened)
    return opened
  }

  /** Who may do everything, and watches it. */
  async watching(): Promise<AskingCluster> {
    const opened = await AskingCluster.open({ kubeconfig: this.plane.kubeconfig, node_name: 'node-1', peers: 'watch' })
    this.#open.push(opened)
    await opened.synced()
    return opened
  }

  async pathTo(port: number): Promise<CuttablePath> {
    const path = await CuttablePath.to(port)
    this.#open.push(path)
    return path
  }

  /** Of a resolver that reaches the API server by a path. */
  async farKubeconfig({ port }: CuttablePath): Promise<string> {
    return this.plane.exporterKubeconfig(`https://127.0.0.1:${port}`, 'podweir-resolver')
  }
}

/** `use` gets what the suite runs with; what a test starts is gone when that test is. */
export function withResolvedCluster(use: (cluster: ResolvedCluster) => void): void {
  let cluster: ResolvedCluster | undefined
  before('build and start the control plane', async function () {
    this.timeout('40m')
    await buildKubernetes(this)
    cluster = new ResolvedCluster()
    use(cluster)
    await cluster.start()
  })
  afterEach(() => cluster?.close())
  after('stop the control plane', async function () {
    this.timeout('1m')
    await cluster?.stop()
  })
}
