// The only place where names of attributes are spelled.

export const attribute = {
  clusterName: 'k8s.cluster.name',
  observer: 'podweir.observer',
  flowDirection: 'podweir.flow.direction',
  overflow: 'otel.metric.overflow',
  serverPort: 'server.port',
  transport: 'network.transport',
  networkType: 'network.type',
  ioDirection: 'network.io.direction',
  interfaceName: 'network.interface.name',
  attachPlace: 'podweir.attach.place',
  attachState: 'podweir.attach.state',
  attachReason: 'podweir.attach.reason',
  attachMode: 'podweir.attach.mode',
  podNamespace: 'k8s.namespace.name',
  podName: 'k8s.pod.name',
  podUid: 'k8s.pod.uid',
  /** What stands in for a pod's name where there is no Kubernetes pod. */
  plainName: 'podweir.pod.name',
  ledgerStage: 'podweir.ledger.stage',
  counterKind: 'podweir.counter.kind',
  lossReason: 'podweir.loss.reason',
  packetClass: 'podweir.packet.class',
  errorType: 'error.type',
  connectionEnd: 'podweir.connection.end',
  faultKind: 'podweir.fault.kind',
  dropReason: 'podweir.drop.reason',
  attributionResult: 'podweir.attribution.result',
  questionSuffix: 'podweir.dns.question.suffix',
  messageOutcome: 'podweir.dns.message.outcome',
} as const

/** Attributes of one end of an edge. */
export function endAttributes(end: 'source' | 'destination') {
  return {
    namespace: `${end}.k8s.namespace.name`,
    ownerName: `${end}.k8s.owner.name`,
    ownerType: `${end}.k8s.owner.type`,
    service: `${end}.k8s.service.name`,
    name: `${end}.name`,
    podName: `${end}.k8s.pod.name`,
    podUid: `${end}.k8s.pod.uid`,
    address: `${end}.address`,
  } as const
}

/** Keys of an end that has neither pod nor Service. */
export function ownerKeys(end: 'source' | 'destination'): string[] {
  const { namespace, ownerName, ownerType, name } = endAttributes(end)
  return [namespace, ownerName, ownerType, name]
}

/** Where one end is, on what goes from zone to zone. */
export function placeAttributes(end: 'source' | 'destination') {
  return { zone: `${end}.cloud.availability_zone`, region: `${end}.cloud.region` } as const
}

/** The key of a pod's label on `podweir.pod.*`. */
export function labelAttribute(key: string): string {
  return `k8s.pod.label.${key}`
}

export function annotationAttribute(key: string): string {
  return `k8s.pod.annotation.${key}`
}

/** The key of a pod's owner on `podweir.pod.*`, as semantic conventions spell it: `k8s.deployment.name`. */
export function ownerAttribute(kind: string): string {
  return `k8s.${kind.toLowerCase()}.name`
}
