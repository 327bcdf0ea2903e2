// One watch of pods of a pretended API server, and what it heard.
import { systemClock } from '../../lib/host/clock.ts'
import type { ClusterConnection } from '../../lib/kubernetes/cluster-connection.ts'
import { watchedResources } from '../../lib/kubernetes/cluster-watch.ts'
import { KubernetesWatch } from '../../lib/kubernetes/kubernetes-watch.ts'
import { ObjectParser } from '../../lib/kubernetes/object-parser.ts'
import { WATCH_TIMES, type WatchTimes } from '../../lib/kubernetes/watch-times.ts'
import { capturedLog } from '../support/captured-log.ts'
import { KeptObjects } from '../support/kept-objects.ts'
import { PretendApiServer, pod, wellBehaved } from '../support/pretend-api-server.ts'
import { until } from '../support/until.ts'

export const TIMES: WatchTimes = {
  ...WATCH_TIMES,
  ...{
    backOff: { firstMs: 10, mostMs: 100 },
    forbiddenMs: 300,
    livedMs: 100,
    worksMs: 50,
    stalledMs: 300,
    reasonMs: 400,
  },
  ...{ watchWithoutPingsMs: [30_000, 30_000], overdueMs: 300 },
}

export class WatchedPods {
  readonly server: PretendApiServer
  readonly log = capturedLog()
  connection: ClusterConnection
  kept = new KeptObjects()
  #watch: KubernetesWatch | undefined

  private constructor(server: PretendApiServer) {
    this.server = server
    this.connection = server.connection()
  }

  /** Of a server that has pods a and b, and does what it should. */
  static async prepare(): Promise<WatchedPods> {
    return new WatchedPods(await PretendApiServer.start(wellBehaved(() => [pod('a'), pod('b')])))
  }

  get watch(): KubernetesWatch {
    return this.#watch!
  }

  /** What was heard before is forgotten. */
  start(times: WatchTimes = TIMES, nodeName?: string): void {
    const config = nodeName === undefined ? { peers: 'watch' as const } : { peers: 'none' as const, nodeName }
    const watched = watchedResources(config).find(({ resource }) => resource === 'pods')!
    const parser = new ObjectParser({ labels: [], annotations: [] })
    const { connection, log } = this
    const listener = new KeptObjects()
    this.kept = listener
    this.#watch = new KubernetesWatch({
      watched,
      connection,
      parser,
      listener,
      log: log.log,
      clock: systemClock,
      times,
    })
    this.#watch.start()
  }

  async synced(times = 1): Promise<void> {
    await until(
      () => `${times} syncs: ${JSON.stringify(this.watch.state)}`,
      () => this.kept.syncs.pods >= times,
    )
  }

  async stop(): Promise<void> {
    await this.#watch?.close()
    this.connection.close()
    await this.server.stop()
  }
}
