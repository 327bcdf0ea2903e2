// What an agent knows of a cluster, made as `podweir agent` makes it, without anything that captures.
import { stringify } from 'yaml'
import type { Identity } from '../../lib/aggregate/identity.ts'
import { type Cluster, openCluster } from '../../lib/cli/cluster.ts'
import { parseConfig } from '../../lib/config/config.ts'
import { InventoryNames } from '../../lib/enrich/inventory-names.ts'
import { PodScope } from '../../lib/enrich/pod-scope.ts'
import { systemClock } from '../../lib/host/clock.ts'
import { addressKeyOf } from './address-key.ts'
import { type CapturedLog, capturedLog } from './captured-log.ts'
import { flowBatch } from './flow-batch.ts'
import { until } from './until.ts'

export class AskingCluster {
  readonly cluster: Cluster
  readonly log: CapturedLog

  private constructor(cluster: Cluster, log: CapturedLog) {
    this.cluster = cluster
    this.log = log
  }

  /** `kubernetes`: as in the settings file. The caller closes it. */
  static async open(kubernetes: object, scope: object = {}): Promise<AskingCluster> {
    const text = stringify({
      receivers: { podweir: { kubernetes: { auth_type: 'kubeConfig', ...kubernetes }, scope } },
    })
    const config = parseConfig(text, 'test.yaml', {})
    const log = capturedLog()
    const pods = new PodScope(config.scope)
    const inventory = new InventoryNames(undefined, [], pods)
    const cluster = await openCluster({
      ...{ config, inventory, scope: pods, version: 'test', log: log.log, onOwnPod: () => {} },
    })
    cluster!.start()
    return new AskingCluster(cluster!, log)
  }

  /** Of `resolver`, or of a resource that is watched. */
  state(resource: string) {
    return this.cluster.state().find(each => each.resource === resource)
  }

  async synced(limitMs = 20_000): Promise<void> {
    await until(
      () => JSON.stringify([this.cluster.state(), this.log.messages]),
      () => this.cluster.state().every(({ syncedAtMs, degraded }) => syncedAtMs !== undefined && !degraded),
      { limitMs, everyMs: 20 },
    )
  }

  /** Whom a flow goes to that has started just now. */
  async name(address: string, port = 80, protocol = 6): Promise<Identity> {
    const atMs = systemClock.nowMs()
    const started = [{ remote: address, remotePort: port, protocol }]
    await this.cluster.names.hear(flowBatch({ started }).started)
    return this.cluster.names.remote(addressKeyOf(address), atMs, { protocol, port, interfaceSlot: 1 })
  }

  close(): Promise<void> {
    return this.cluster.close()
  }
}
