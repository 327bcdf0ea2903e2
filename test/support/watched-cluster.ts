// A client of a real API server as the agent has it: one connection, four watches, owners looked up, what it hears kept.
import type { KubernetesConfig } from '../../lib/config/kubernetes.ts'
import { systemClock } from '../../lib/host/clock.ts'
import { openAccess } from '../../lib/kubernetes/cluster-access.ts'
import { ClusterConnection, CONNECTION_TIMES, type ConnectionTimes } from '../../lib/kubernetes/cluster-connection.ts'
import type { Resource } from '../../lib/kubernetes/cluster-objects.ts'
import { ClusterWatch } from '../../lib/kubernetes/cluster-watch.ts'
import { OwnerLookup } from '../../lib/kubernetes/owner-lookup.ts'
import type { WatchState } from '../../lib/kubernetes/watch-health.ts'
import { WATCH_TIMES, type WatchTimes } from '../../lib/kubernetes/watch-times.ts'
import { capturedLog } from './captured-log.ts'
import { KeptObjects } from './kept-objects.ts'
import { until } from './until.ts'

export interface WatchedClusterOptions extends Partial<KubernetesConfig> {
  readonly times?: Partial<WatchTimes>
  readonly connectionTimes?: Partial<ConnectionTimes>
  /** Where `token` and `ca.crt` of a service account are. */
  readonly serviceAccount?: string
}

export class WatchedCluster {
  readonly kept = new KeptObjects(false)
  readonly messages: string[]
  readonly watch: ClusterWatch
  readonly owners: OwnerLookup
  readonly #connection: ClusterConnection

  private constructor(connection: ClusterConnection, config: KubernetesConfig, times: WatchTimes) {
    const { log, messages } = capturedLog()
    this.messages = messages
    this.#connection = connection
    const parts = { connection, log, clock: systemClock }
    this.owners = new OwnerLookup(parts)
    this.watch = new ClusterWatch({ ...parts, config, kept: config, listener: this.kept, times })
  }

  static async open({
    times,
    connectionTimes,
    serviceAccount,
    ...given
  }: WatchedClusterOptions): Promise<WatchedCluster> {
    const usual = { authType: 'kubeConfig', peers: 'watch', labels: [], annotations: [] } as const
    const config: KubernetesConfig = { ...usual, ...given }
    const access = await openAccess(config, systemClock, serviceAccount)
    const connection = new ClusterConnection(access!, 'podweir-test', { ...CONNECTION_TIMES, ...connectionTimes })
    const cluster = new WatchedCluster(connection, config, { ...WATCH_TIMES, ...times })
    cluster.watch.start()
    return cluster
  }

  state(resource: Resource): WatchState {
    return this.watch.state().find(each => each.resource === resource)!
  }

  get requests(): number {
    return this.watch.state().reduce((sum, { requests }) => sum + requests, 0)
  }

  /** Until every resource that is watched, but for those, was told whole at least so often. */
  async synced({ times = 1, but = [] as readonly Resource[], limitMs = 30_000 } = {}): Promise<void> {
    const { syncs } = this.kept
    const wanted = this.watch.state().filter(({ resource }) => !but.includes(resource))
    await until(
      () => JSON.stringify([syncs, this.watch.state()]),
      () => wanted.every(({ resource }) => syncs[resource] >= times),
      { limitMs },
    )
  }

  async close(): Promise<void> {
    await this.watch.close()
    this.owners.close()
    this.#connection.close()
  }
}
