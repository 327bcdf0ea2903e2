// What is watched of the cluster: this node's pods or all of them, Services, EndpointSlices and nodes, each by a watch of its own.
import type { KubernetesConfig } from '../config/kubernetes.ts'
import type { Clock } from '../host/clock.ts'
import type { Log } from '../host/log.ts'
import type { ClusterConnection } from './cluster-connection.ts'
import type { ClusterListener, Resource } from './cluster-objects.ts'
import { KubernetesWatch } from './kubernetes-watch.ts'
import { type KeptKeys, ObjectParser } from './object-parser.ts'
import type { WatchedResource, WatchState } from './watch-health.ts'
import type { WatchTimes } from './watch-times.ts'

export interface ClusterWatchParts {
  readonly config: Pick<KubernetesConfig, 'nodeName' | 'peers'>
  readonly connection: ClusterConnection
  /** Labels and annotations that are asked for. */
  readonly kept: KeptKeys
  readonly listener: ClusterListener
  readonly log: Log
  readonly clock: Clock
  readonly times?: WatchTimes
}

const everything: Readonly<Record<Resource, Omit<WatchedResource, 'resource'>>> = {
  pods: { apiGroup: '', path: '/api/v1/pods', gives: 'pods keep the names that they had, and new ones have none' },
  services: { apiGroup: '', path: '/api/v1/services', gives: 'new Services are addresses' },
  endpointslices: {
    apiGroup: 'discovery.k8s.io',
    path: '/apis/discovery.k8s.io/v1/endpointslices',
    gives: 'the workloads behind Services are unknown, or those of before',
  },
  nodes: { apiGroup: '', path: '/api/v1/nodes', gives: 'new nodes are addresses, without zone and region' },
}

export class ClusterWatch {
  readonly #watches: readonly KubernetesWatch[]

  constructor({ config, kept, ...parts }: ClusterWatchParts) {
    const parser = new ObjectParser(kept)
    this.#watches = watchedResources(config).map(watched => new KubernetesWatch({ ...parts, watched, parser }))
  }

  start(): void {
    for (const watch of this.#watches) watch.start()
  }

  /** One of each resource that is watched. */
  state(): readonly WatchState[] {
    return this.#watches.map(watch => watch.state)
  }

  /** Of one resource; undefined: it is not watched. */
  of(resource: Resource): Pick<KubernetesWatch, 'versions' | 'isCurrent' | 'state'> | undefined {
    return this.#watches.find(({ state }) => state.resource === resource)
  }

  /** The listener hears nothing afterwards. The connection stays open: it is the caller's. */
  async close(): Promise<void> {
    await Promise.all(this.#watches.map(watch => watch.close()))
  }
}

/**
 * With `peers: none` what costs the same in a cluster of any size: this node's pods, and the nodes, whose blocks pods'
 * addresses are of. A resolver knows the nodes: kubelets write into each of them all the time.
 */
export function watchedResources({ nodeName, peers }: Pick<KubernetesConfig, 'nodeName' | 'peers'>): WatchedResource[] {
  if (peers === 'watch')
    return Object.entries(everything).map(([resource, rest]) => ({ resource: resource as Resource, ...rest }))
  const pods = { resource: 'pods', ...everything.pods, fieldSelector: `spec.nodeName=${nodeName}` } as const
  const ownPods = nodeName === undefined ? [] : [pods]
  return peers === 'resolver' ? ownPods : [...ownPods, { resource: 'nodes', ...everything.nodes }]
}
