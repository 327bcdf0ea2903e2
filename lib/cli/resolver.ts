// podweir resolver: watches the cluster once, and answers agents, until a signal ends it.
import { hostname } from 'node:os'
import type { Config } from '../config/config.ts'
import type { ResolverConfig } from '../config/resolver.ts'
import { loadConfigApart } from '../config/settings-process.ts'
import { type SettingsSources, sourcesText } from '../config/settings-sources.ts'
import { startHealthServer } from '../export/health-server.ts'
import { systemClock } from '../host/clock.ts'
import { Failure } from '../host/failure.ts'
import { createLog, type Log } from '../host/log.ts'
import { podweirVersion } from '../host/version.ts'
import { openAccess } from '../kubernetes/cluster-access.ts'
import { ClusterConnection, CONNECTION_TIMES, type ConnectionTimes } from '../kubernetes/cluster-connection.ts'
import type { Owner } from '../kubernetes/cluster-objects.ts'
import { ClusterWatch } from '../kubernetes/cluster-watch.ts'
import { OwnerLookup } from '../kubernetes/owner-lookup.ts'
import { TokenReviews } from '../kubernetes/token-review.ts'
import { AgentAuth } from '../resolver/agent-auth.ts'
import { Freshness } from '../resolver/freshness.ts'
import { LateWords, LOOK_MS } from '../resolver/late-words.ts'
import { PeerFacts } from '../resolver/peer-facts.ts'
import { type PeerServer, startPeerServer } from '../resolver/peer-server.ts'
import { Subscriptions } from '../resolver/subscriptions.ts'
import { WatchedState } from '../resolver/watched-state.ts'
import { Ending } from './ending.ts'
import { Story } from './story.ts'

export interface ResolverOptions {
  readonly config: readonly string[]
  readonly set: readonly string[]
}

/** Who many depend on finds a dead connection within 15 s. */
const WATCHFUL_TIMES: ConnectionTimes = { ...CONNECTION_TIMES, pingEveryMs: 5_000, pingLimitMs: 10_000 }

export async function run({ config: files, set }: ResolverOptions): Promise<number> {
  const ending = new Ending()
  const sources = { files, set }
  const config = await loadConfigApart(sources)
  const log = createLog(config.logLevel)
  const version = podweirVersion()
  const story = new Story(process.stderr, log, systemClock)
  story.begin(`podweir resolver ${version}`)
  const resolver = await startResolver(config, resolverOf(config, sources), { version, log, story })
  const signal = await ending.signalled
  log.info({ signal }, `${signal}: agents are sent to other resolvers`)
  await resolver.close()
  return 0
}

interface Surroundings {
  readonly version: string
  readonly log: Log
  readonly story: Story
}

async function startResolver(config: Config, settings: ResolverConfig, { version, log, story }: Surroundings) {
  const { kubernetes, healthCheck } = config
  const clock = systemClock
  const access = await openAccess(kubernetes, clock)
  const connection = new ClusterConnection(access!, `podweir-resolver/${version}`, WATCHFUL_TIMES)
  const owners = new OwnerLookup({ connection, log, clock })
  const { labels } = kubernetes
  const subscriptions: Subscriptions = new Subscriptions(key => facts.answer(key))
  const facts = new PeerFacts({
    ...{ labels, onKey: key => subscriptions.note(key), isAsked: () => subscriptions.count > 0 },
    ownerOf: (namespace: string, owner: Owner) => owners.ownerOf(namespace, owner),
  })
  const words = new LateWords({ listener: facts, surelyAtMs: () => freshness.surelyAtMs, clock })
  const kept = { labels, annotations: [] }
  const watch = new ClusterWatch({ config: { peers: 'watch' }, connection, kept, listener: words, log, clock })
  const watched = new WatchedState(watch)
  const freshness = new Freshness({ pods: watch.of('pods')!, watched, clock })
  const { tokenReview: review } = settings
  const reviews = review && new TokenReviews({ connection, audiences: [review.audience], log, clock })
  const server: PeerServer = await startPeerServer({
    ...{ config: settings, auth: authOf(settings, reviews, log), subscriptions, nodes: facts.nodes, freshness, labels },
    ...{ notReady: () => watched.notReady, heard: () => watched.versions.heard },
    ...{ resolver: `podweir ${version} on ${hostname()}`, log },
    status: () => ({
      ...{ version, agents: server.agents, subscriptions: subscriptions.count, keys: subscriptions.keys },
      ...{ kept: facts.kept, residentBytes: process.memoryUsage.rss(), resources: watch.state() },
    }),
  })
  story.step(`answering agents at ${settings.host}:${server.port}`)
  const notReady = () => [watched.notReady ?? []].flat()
  const health = healthCheck && (await startHealthServer({ ...healthCheck, notReady, log }))
  watch.start()
  story.step(`watching ${connection.server}`)
  const looking = setInterval(() => void freshness.of(), LOOK_MS)
  return {
    close: async () => {
      clearInterval(looking)
      await server.close()
      subscriptions.close()
      await health?.close()
      owners.close()
      reviews?.close()
      await watch.close()
      connection.close()
    },
  }
}

function authOf({ tokenFile, tokenReview: review }: ResolverConfig, reviews: TokenReviews | undefined, log: Log) {
  return new AgentAuth({
    ...(tokenFile !== undefined && { tokenFile }),
    ...(reviews && { reviews }),
    ...(review && { review }),
    ...{ log, clock: systemClock },
  })
}

function resolverOf({ resolver, kubernetes }: Config, sources: SettingsSources): ResolverConfig {
  const wrong = (cause: string, remedy: string) =>
    new Failure({ step: 'start a resolver by', subject: sourcesText(sources), cause, remedy, exitCode: 2 })
  if (!resolver) throw wrong('it has no section resolver', 'add one: docs/resolver.md')
  if (kubernetes.authType !== 'none') return resolver
  throw wrong('no API server is named', 'set receivers.podweir.kubernetes.auth_type')
}
