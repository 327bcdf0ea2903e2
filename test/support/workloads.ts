// Objects of a small application, as `kubectl apply` takes them. Its pods sleep: traffic is made inside their namespaces.

interface Placement {
  /** 1, 2, … */
  readonly node?: number
  readonly hostNetwork?: boolean
  /** Declared: of UDP, beside the container's own; of the host network they are the same. */
  readonly hostPort?: { readonly port: number; readonly target: number }
  /** Label by which a Service may have pods of several workloads. */
  readonly group?: string
  readonly replicas?: number
  /** In an update a pod goes before another comes. */
  readonly goesFirst?: boolean
  /** Its readiness probe fails. */
  readonly isNeverReady?: boolean
}

interface Served {
  readonly port: number
  readonly target: number
  readonly nodePort?: number
  /** externalTrafficPolicy: Local */
  readonly isLocal?: boolean
  readonly isHeadless?: boolean
  readonly protocol?: 'UDP' | 'TCP'
  /** In front of all pods with this label, instead of a workload's. */
  readonly group?: string
}

export function namespaceOf(name: string): object {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }
}

export function deployment(namespace: string, name: string, placement: Placement): object {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace },
    spec: {
      replicas: placement.replicas ?? 1,
      ...(placement.goesFirst && { strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } } }),
      ...templated(name, placement),
    },
  }
}

export function statefulSet(namespace: string, name: string, placement: Placement): object {
  const spec = { serviceName: name, replicas: 1, ...templated(name, placement) }
  return { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name, namespace }, spec }
}

export function daemonSet(namespace: string, name: string): object {
  return { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name, namespace }, spec: templated(name, {}) }
}

/** Never due: jobs are made from it by hand. */
export function cronJob(namespace: string, name: string, placement: Placement): object {
  const { template } = templated(name, placement)
  const job = { template: { ...template, spec: { ...template.spec, restartPolicy: 'Never' } } }
  const spec = { schedule: '0 0 31 2 *', jobTemplate: { spec: job } }
  return { apiVersion: 'batch/v1', kind: 'CronJob', metadata: { name, namespace }, spec }
}

/** In front of the workload of that name; UDP unless it says otherwise. */
export function service(
  namespace: string,
  name: string,
  { port, target, nodePort, isLocal, isHeadless, protocol = 'UDP', group }: Served,
): object {
  const spec = {
    selector: group === undefined ? { app: name } : { group },
    ports: [{ port, targetPort: target, protocol, ...(nodePort !== undefined && { nodePort }) }],
    ...(nodePort !== undefined && { type: 'NodePort', externalTrafficPolicy: isLocal ? 'Local' : 'Cluster' }),
    ...(isHeadless && { clusterIP: 'None' }),
  }
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace }, spec }
}

function templated(name: string, { node, hostNetwork, isNeverReady, group, hostPort }: Placement) {
  const ports = hostPort && [{ containerPort: hostPort.target, hostPort: hostPort.port, protocol: 'UDP' }]
  const main = { name: 'main', image: 'podweir.test/busybox:1', imagePullPolicy: 'Never', ...(ports && { ports }) }
  const failing = { readinessProbe: { tcpSocket: { port: 1 }, periodSeconds: 1 } }
  return {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name, ...(group !== undefined && { group }) } },
      spec: {
        ...(node !== undefined && { nodeSelector: { 'kubernetes.io/hostname': `podweir-node-${node}` } }),
        ...(hostNetwork && { hostNetwork }),
        terminationGracePeriodSeconds: 0,
        containers: [{ ...main, ...(isNeverReady && failing) }],
      },
    },
  }
}
