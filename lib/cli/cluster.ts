// The cluster's objects on their way from the API server, and where there is one from a resolver, to names.
import type { Config } from '../config/config.ts'
import { outletsOf } from '../config/outlets.ts'
import { ClusterNames } from '../enrich/cluster-names.ts'
import { ClusterState, type ClusterView } from '../enrich/cluster-state.ts'
import type { KnownSince } from '../enrich/failure-causes.ts'
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
import { RESOLVER_CONNECTION_TIMES, resolverAccess } from '../resolver/resolver-access.ts'
import { ResolverClient } from '../resolver/resolver-client.ts'
import { ToldCluster } from '../resolver/told-cluster.ts'

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

/** Who is asked of addresses, and what is beside the API server's watches. */
interface Knowledge {
  readonly view: (onChange: () => void) => ClusterView
  readonly knownSince: KnownSince
  start(): void
  state(): readonly ResourceState[]
  close(): Promise<void>
}

/** Static pods are known on their node by this hash, not by the UID that the API server gives them. */
const STATIC_POD_HASH = 'kubernetes.io/config.hash'

/** undefined where no API server is asked. Throws a Failure. */
export async function openCluster(parts: ClusterParts): Promise<Cluster | undefined> {
  const { config, inventory, version, log } = parts
  const { kubernetes } = config
  const access = await openAccess(kubernetes, systemClock)
  if (!access) return undefined
  const connection = new ClusterConnection(access, `podweir/${version}`)
  // Of every pod, for the resources of spans and log records alone.
  const namesServices = (['traces', 'logs'] as const).some(signal => outletsOf(config, signal).length > 0)
  const { labels, annotations } = kubernetes
  const kept = {
    labels: [...new Set([...labels, ...scopedLabels(config), ...(namesServices ? serviceNameLabels : [])])],
    annotations: [...new Set([...annotations, STATIC_POD_HASH, ...(namesServices ? [serviceNameAnnotation] : [])])],
  }
  const watched = () => watch
  const known = kubernetes.resolver
    ? toldBy(parts, kubernetes.resolver, watched)
    : heardFrom(parts, connection, watched)
  const names = new ClusterNames({ inventory, view: known.view, knownSince: known.knownSince })
  const watch = new ClusterWatch({ config: kubernetes, connection, kept, listener: names, log, clock: systemClock })
  return {
    names,
    server: connection.server,
    start: () => {
      watch.start()
      known.start()
    },
    state: () => [...watch.state(), ...known.state()],
    close: async () => {
      await known.close()
      await watch.close()
      connection.close()
    },
  }
}

/** Everything is watched that is asked for. */
function heardFrom(parts: ClusterParts, connection: ClusterConnection, watch: () => ClusterWatch): Knowledge {
  const { config, log } = parts
  const owners = new OwnerLookup({ connection, log, clock: systemClock })
  const view = {
    ...localParts(parts),
    peers: config.kubernetes.peers === 'watch' ? 'watch' : 'none',
    ...(config.kubernetes.nodeName !== undefined && { nodeName: config.kubernetes.nodeName }),
    ownerOf: (namespace: string, owner: Owner) => owners.ownerOf(namespace, owner),
  } as const
  return {
    view: onChange => new ClusterState({ ...view, onChange }),
    knownSince: resource => knownSince(watch().state(), resource),
    start: () => {},
    state: () => [],
    close: async () => owners.close(),
  }
}

/** This node's pods are watched; a resolver is asked for everything else. */
function toldBy(
  parts: ClusterParts,
  resolver: NonNullable<Config['kubernetes']['resolver']>,
  watch: () => ClusterWatch,
): Knowledge {
  const { config, version, log } = parts
  const clock = systemClock
  const nodeName = config.kubernetes.nodeName ?? ''
  const access = resolverAccess(resolver, clock)
  const connection = new ClusterConnection(access, `podweir/${version}`, RESOLVER_CONNECTION_TIMES)
  let client: ResolverClient | undefined
  return {
    view: onChange => {
      const told = new ToldCluster({ ...localParts(parts), nodeName, clock, onChange })
      const ownVersion = () => watch().of('pods')?.versions.event
      client = new ResolverClient({ connection, told, nodeName, labels: scopedLabels(config), ownVersion, log, clock })
      return told
    },
    knownSince: resource => client!.knownSince(resource),
    start: () => client!.start(),
    state: () => [client!.state],
    close: async () => {
      await client!.close()
      connection.close()
    },
  }
}

function localParts({ config, scope, onOwnPod }: ClusterParts) {
  const { labels, annotations } = config.kubernetes
  return { scope, labels, annotations, onOwnPod, gateways: nodeGateways() }
}

/** undefined while the API server does not tell what changes, and before it has told everything. */
function knownSince(states: readonly ResourceState[], resource: Resource): number | undefined {
  const state = states.find(each => each.resource === resource)
  return state?.degraded ? undefined : state?.syncedAtMs
}

/** Keys that the scope's rules look at. */
function scopedLabels({ scope: { include, exclude } }: Config): string[] {
  return [...new Set([...include.labels, ...exclude.labels].map(rule => rule.split('=', 1)[0]!))]
}
