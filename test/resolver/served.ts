// A resolver's server on loopback and agents that ask it over TLS, with everything but the API server behind it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ResolverClientConfig, ResolverConfig } from '../../lib/config/resolver.ts'
import { ClusterNames } from '../../lib/enrich/cluster-names.ts'
import { InventoryNames } from '../../lib/enrich/inventory-names.ts'
import { systemClock } from '../../lib/host/clock.ts'
import { ClusterConnection, type ConnectionTimes } from '../../lib/kubernetes/cluster-connection.ts'
import type { TokenReviews } from '../../lib/kubernetes/token-review.ts'
import { AgentAuth } from '../../lib/resolver/agent-auth.ts'
import { AGENT_STREAM_TIMES, type AgentStreamTimes } from '../../lib/resolver/agent-stream.ts'
import type { MarkMessage, Versions } from '../../lib/resolver/messages.ts'
import { PeerFacts } from '../../lib/resolver/peer-facts.ts'
import { type PeerServer, startPeerServer } from '../../lib/resolver/peer-server.ts'
import { RESOLVER_CONNECTION_TIMES, resolverAccess } from '../../lib/resolver/resolver-access.ts'
import { RESOLVER_TIMES, ResolverClient, type ResolverTimes } from '../../lib/resolver/resolver-client.ts'
import { Subscriptions } from '../../lib/resolver/subscriptions.ts'
import { ToldCluster } from '../../lib/resolver/told-cluster.ts'
import { type CapturedLog, capturedLog } from '../support/captured-log.ts'
import { Authority } from '../support/certificates.ts'

export const TOKEN = 'an-agents-token'
/** What certificates are for: `localhost` is where they are shown. */
const HOST = 'localhost'

/** Certificates and tokens of a test. */
export class TestSecrets {
  readonly folder = mkdtempSync(join(tmpdir(), 'podweir-resolver-'))
  readonly authority = this.newAuthority('authority')
  readonly server = this.authority.issue(HOST)
  readonly tokenFile = join(this.folder, 'tokens')
  readonly agentTokenFile = join(this.folder, 'agent-token')

  constructor() {
    writeFileSync(this.tokenFile, `${TOKEN}\nanother\n`)
    writeFileSync(this.agentTokenFile, TOKEN)
  }

  /** Another one, whose files are in a folder of its own. */
  newAuthority(name: string): Authority {
    return new Authority(mkdtempSync(join(this.folder, name)), name)
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

export interface ServedResolverOptions {
  readonly secrets: TestSecrets
  readonly config?: Partial<ResolverConfig>
  readonly reviews?: Pick<TokenReviews, 'userOf'>
  readonly labels?: readonly string[]
  readonly times?: Partial<AgentStreamTimes>
}

export class ServedResolver {
  readonly facts: PeerFacts
  readonly subscriptions: Subscriptions
  readonly log: CapturedLog
  /** What it says of itself. */
  notReady: string | undefined
  heard: Versions = {}
  behindMs = 0
  /** What its answers to marks take. */
  takesMs = 0
  #server: PeerServer | undefined

  private constructor(labels: readonly string[]) {
    this.log = capturedLog()
    this.facts = new PeerFacts({
      ...{ labels, onKey: key => this.subscriptions.note(key), isAsked: () => this.subscriptions.count > 0 },
    })
    this.subscriptions = new Subscriptions(key => this.facts.answer(key))
  }

  static async start(options: ServedResolverOptions): Promise<ServedResolver> {
    const { secrets, reviews, labels = [], times } = options
    const resolver = new ServedResolver(labels)
    const tls = { ...secrets.server, minVersion: '1.2', reloadMs: 60_000 } as const
    const config: ResolverConfig = {
      ...{ host: '127.0.0.1', port: 0, tls, tokenFile: secrets.tokenFile, maxAgents: 10 },
      ...options.config,
    }
    const { tokenFile, tokenReview: review } = config
    const files = { ...(tokenFile !== undefined && { tokenFile }), ...(review && { review }) }
    resolver.#server = await startPeerServer({
      ...{ config, labels, subscriptions: resolver.subscriptions, nodes: resolver.facts.nodes, resolver: 'test' },
      auth: new AgentAuth({ ...files, ...(reviews && { reviews }), log: resolver.log.log, clock: systemClock }),
      freshness: { of: () => resolver.#freshness() },
      ...{ notReady: () => resolver.notReady, heard: () => resolver.heard },
      ...{ status: () => ({ subscriptions: resolver.subscriptions.count }), log: resolver.log.log },
      times: { ...AGENT_STREAM_TIMES, leaveMs: 100, ...times },
    })
    return resolver
  }

  get port(): number {
    return this.#server!.port
  }

  get agents(): number {
    return this.#server!.agents
  }

  async close(): Promise<void> {
    await this.#server!.close()
    this.subscriptions.close()
  }

  async #freshness(): Promise<Omit<MarkMessage, 'mark'>> {
    if (this.takesMs > 0) await new Promise(resolve => setTimeout(resolve, this.takesMs))
    const { behindMs: behind, heard } = this
    return { now: systemClock.nowMs(), behind, since: 0, heard, changed: heard }
  }
}

export interface ServedAgentOptions {
  readonly secrets: TestSecrets
  readonly port: number
  readonly client?: Partial<ResolverClientConfig>
  readonly labels?: readonly string[]
  readonly times?: Partial<ResolverTimes>
  readonly connectionTimes?: Partial<ConnectionTimes>
}

export class ServedAgent {
  readonly names: ClusterNames
  readonly told: ToldCluster
  readonly client: ResolverClient
  readonly log = capturedLog()
  readonly #connection: ClusterConnection

  constructor({ secrets, port, client, labels = [], times, connectionTimes }: ServedAgentOptions) {
    const config: ResolverClientConfig = {
      server: `https://${HOST}:${port}`,
      tls: { caFile: secrets.authority.certFile, minVersion: '1.2' },
      tokenFile: secrets.agentTokenFile,
      ...client,
    }
    const clock = systemClock
    const limits = { ...RESOLVER_CONNECTION_TIMES, ...connectionTimes }
    this.#connection = new ClusterConnection(resolverAccess(config, clock), 'test', limits)
    let told: ToldCluster | undefined
    this.names = new ClusterNames({
      inventory: new InventoryNames(undefined, []),
      view: onChange => {
        told = new ToldCluster({ nodeName: 'n1', onChange, clock, wordsTakeMs: 0 })
        return told
      },
    })
    this.told = told!
    this.client = new ResolverClient({
      ...{ connection: this.#connection, told: this.told, nodeName: 'n1', labels, ownVersion: () => undefined },
      ...{ log: this.log.log, clock, times: { ...RESOLVER_TIMES, ...times } },
    })
    this.client.start()
  }

  get isServed(): boolean {
    const { syncedAtMs, degraded } = this.client.state
    return syncedAtMs !== undefined && !degraded && this.client.isConnected
  }

  async close(): Promise<void> {
    await this.client.close()
    this.#connection.close()
  }
}
