// The cluster's objects on their way from the API server to names.
import type { Config } from '../config/config.ts'
import { outletsOf } from '../config/outlets.ts'
import { ClusterNames } from '../enrich/cluster-names.ts'
import { ClusterState } from '../enrich/cluster-state.ts'
import type { InventoryNames } from '../enrich/inventory-names.ts'
import type { PodScope } from '../enrich/pod-scope.ts'
import { serviceNameAnnotation, serviceNameLabels } from '../enrich/service-name.ts'
import { systemClock } from '../host/clock.ts'
import { nodeGateways } from '../host/gateways.ts'
import type { Log } from '../host/log.ts'
import { openAccess } from '../kubernetes/cluster-access.ts'
import { ClusterConnection } from '../kubernetes/cluster-connection.ts'
import type { Owner, Resource } from '../kubernetes/cluster-objects.ts'
import { ClusterWatch } from '../kubernetes/cluster-watch.ts'
import { OwnerLookup } from '../kubernetes/owner-lookup.ts'
import type { ResourceState } from '../kubernetes/watch-health.ts'

export interface ClusterParts {
  readonly config: Config
  /** What stands beside the cluster. */
  readonly inventory: InventoryNames
  readonly scope: PodScope
  readonly version: string
  readonly log: Log
  /** Called when a pod of this node is called otherwise than before, often in a row. */
  readonly onOwnPod: () => void
}

export interface Cluster {
  readonly names: ClusterNames
  readonly server: string
  /** Begins to watch. Names come as objects do: nothing waits for them. */
  start(): void
  state(): readonly ResourceState[]
  close(): Promise<void>
}

/** Static pods are known on their node by this hash, not by the UID that the API server gives them. */
const STATIC_POD_HASH = 'kubernetes.io/config.hash'

/** undefined where no API server is asked. Throws a Failure. */
export async function openCluster(parts: ClusterParts): Promise<Cluster | undefined> {
  const { config, inventory, scope, version, log, onOwnPod } = parts
  const { kubernetes } = config
  const access = await openAccess(kubernetes, systemClock)
  if (!access) return undefined
  const connection = new ClusterConnection(access, `podweir/${version}`)
  const owners = new OwnerLookup({ connection, log, clock: systemClock })
  const { peers, nodeName, labels, annotations } = kubernetes
  const known = {
    ...{ peers, scope, labels, annotations, onOwnPod, gateways: nodeGateways() },
    ...(nodeName !== undefined && { nodeName }),
    ownerOf: (namespace: string, owner: Owner) => owners.ownerOf(namespace, owner),
  }
  const names = new ClusterNames({
    inventory,
    view: onChange => new ClusterState({ ...known, onChange }),
    knownSince: resource => knownSince(watch.state(), resource),
  })
  // Of every pod, for the resources of spans and log records alone.
  const namesServices = (['traces', 'logs'] as const).some(signal => outletsOf(config, signal).length > 0)
  const kept = {
    labels: [...new Set([...labels, ...scopedLabels(config), ...(namesServices ? serviceNameLabels : [])])],
    annotations: [...new Set([...annotations, STATIC_POD_HASH, ...(namesServices ? [serviceNameAnnotation] : [])])],
  }
  const watch = new ClusterWatch({ config: kubernetes, connection, kept, listener: names, log, clock: systemClock })
  return {
    names,
    server: connection.server,
    start: () => watch.start(),
    state: () => watch.state(),
    close: async () => {
      owners.close()
      await watch.close()
      connection.close()
    },
  }
}

/** undefined while the API server does not tell what changes, and before it has told everything. */
function knownSince(states: readonly ResourceState[], resource: Resource): number | undefined {
  const state = states.find(each => each.resource === resource)
  return state?.degraded ? undefined : state?.syncedAtMs
}

/** Keys that the scope's rules look at. */
function scopedLabels({ scope: { include, exclude } }: Config): string[] {
  return [...include.labels, ...exclude.labels].map(rule => rule.split('=', 1)[0]!)
}
