// The only place where names of attributes are spelled.

export const attribute = {
  clusterName: 'k8s.cluster.name',
  clusterUid: 'k8s.cluster.uid',
  nodeName: 'k8s.node.name',
  zone: 'cloud.availability_zone',
  region: 'cloud.region',
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
  conntrackOutcome: 'podweir.conntrack.outcome',
  signal: 'podweir.signal',
  exporter: 'podweir.exporter',
  cpuMode: 'cpu.mode',
} as const

/** Of spans and log records, beside those above. */
export const eventAttribute = {
  spanKind: 'podweir.span.kind',
  sampleRatio: 'podweir.sample.ratio',
  traceJoin: 'podweir.trace.join',
  serverAddress: 'server.address',
  peerName: 'service.peer.name',
  peerNamespace: 'service.peer.namespace',
  /** Deprecated, and what every service map still reads. */
  formerPeerName: 'peer.service',
  requestBytes: 'podweir.flow.bytes.request',
  responseBytes: 'podweir.flow.bytes.response',
  requestPackets: 'podweir.flow.packets.request',
  responsePackets: 'podweir.flow.packets.response',
  opened: 'podweir.connection.opened',
  failed: 'podweir.connection.failed',
  sourcePort: 'source.port',
  sourceNode: 'source.k8s.node.name',
  destinationPort: 'destination.port',
  destinationNode: 'destination.k8s.node.name',
  failureCause: 'podweir.failure.cause',
  flowStart: 'podweir.flow.start',
  flowEnd: 'podweir.flow.end',
  communityId: 'podweir.flow.community_id',
  handshakeSeconds: 'podweir.tcp.handshake.duration',
  acceptSeconds: 'podweir.tcp.accept.duration',
  requestRtt: 'podweir.tcp.rtt.request',
  responseRtt: 'podweir.tcp.rtt.response',
  retransmits: 'podweir.tcp.retransmits',
  requestRetransmits: 'podweir.tcp.retransmits.request',
  responseRetransmits: 'podweir.tcp.retransmits.response',
  requestOutOfOrder: 'podweir.tcp.out_of_order.request',
  responseOutOfOrder: 'podweir.tcp.out_of_order.response',
  requestZeroWindows: 'podweir.tcp.zero_windows.request',
  responseZeroWindows: 'podweir.tcp.zero_windows.response',
  requestResets: 'podweir.tcp.resets.request',
  responseResets: 'podweir.tcp.resets.response',
  suppressed: 'podweir.flow.suppressed',
} as const

/** As the Collector's netflow receiver calls them. */
export const netflowAttribute = {
  sourceAddress: 'source.address',
  sourcePort: 'source.port',
  destinationAddress: 'destination.address',
  destinationPort: 'destination.port',
  bytes: 'flow.io.bytes',
  packets: 'flow.io.packets',
  type: 'flow.type',
  sequence: 'flow.sequence_num',
  received: 'flow.time_received',
  start: 'flow.start',
  end: 'flow.end',
  samplingRate: 'flow.sampling_rate',
} as const

/** Those whose values are doubles, also where one is whole: Tempo reads a multiplier of this type alone. */
export const doubleAttributes: ReadonlySet<string> = new Set([
  eventAttribute.sampleRatio,
  eventAttribute.handshakeSeconds,
  eventAttribute.acceptSeconds,
  eventAttribute.requestRtt,
  eventAttribute.responseRtt,
])

/** Of the resources of spans and log records. */
export const resourceAttribute = {
  serviceName: 'service.name',
  serviceNamespace: 'service.namespace',
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

/** What a pod's name says already: labels, annotations and owners on `podweir.pod.*`. */
export function isOfPod(key: string): boolean {
  return (
    /^k8s\.pod\.(label|annotation)\../.test(key) ||
    /^k8s\.(?!namespace\.|pod\.|node\.|cluster\.)[a-z0-9]+\.name$/.test(key)
  )
}

/** Names that are fixed, of what can be together: as we call them, and beside these as the netflow receiver does. */
export function attributesTogether(): readonly (readonly string[])[] {
  const ofEnds = (['source', 'destination'] as const).flatMap(end => [
    ...Object.values(endAttributes(end)),
    ...Object.values(placeAttributes(end)),
  ])
  const common: string[] = [...Object.values(attribute), ...ofEnds]
  return [eventAttribute, netflowAttribute].map(more => [...new Set([...common, ...Object.values(more)])])
}

/** Every name that is fixed. */
export function allAttributes(): string[] {
  return [...new Set(attributesTogether().flat())]
}
