// The only place where names of metrics and attributes are spelled: docs/signals.md is the same list for people.

export type Instrument = 'counter' | 'up_down_counter' | 'gauge'

export interface Metric {
  readonly name: string
  readonly instrument: Instrument
  readonly unit: string
  readonly description: string
  /** Every key that a point of it can have, `k8s.<kind>.name` standing for the owner's kind. */
  readonly attributes: readonly string[]
}

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
} as const

/** Attributes of one end of an edge. */
export function endAttributes(end: 'source' | 'destination') {
  return {
    namespace: `${end}.k8s.namespace.name`,
    ownerName: `${end}.k8s.owner.name`,
    ownerType: `${end}.k8s.owner.type`,
    service: `${end}.k8s.service.name`,
    name: `${end}.name`,
  } as const
}

/** The key of a pod's owner on `podweir.pod.*`, as semantic conventions spell it: `k8s.deployment.name`. */
export function ownerAttribute(kind: string): string {
  return `k8s.${kind.toLowerCase()}.name`
}

const edgeAttributes = [
  ...Object.values(endAttributes('source')),
  ...Object.values(endAttributes('destination')),
  attribute.serverPort,
  attribute.transport,
  attribute.networkType,
  attribute.observer,
  attribute.overflow,
]

const podAttributes = [
  attribute.podNamespace,
  attribute.podName,
  attribute.podUid,
  ownerAttribute('<kind>'),
  attribute.plainName,
  attribute.ioDirection,
  attribute.interfaceName,
  attribute.attachPlace,
]

export const podMetric = {
  io: {
    name: 'podweir.pod.network.io',
    instrument: 'counter',
    unit: 'By',
    description: 'Bytes on the wire at a pod interface, from the Ethernet header on.',
    attributes: podAttributes,
  },
  packets: {
    name: 'podweir.pod.network.packets',
    instrument: 'counter',
    unit: '{packet}',
    description: 'Packets on the wire at a pod interface.',
    attributes: podAttributes,
  },
  unobserved: {
    name: 'podweir.pod.network.unobserved',
    instrument: 'counter',
    unit: '{skb}',
    description: 'Counted by the device and not by us.',
    attributes: podAttributes,
  },
} as const satisfies Record<string, Metric>

export const edgeMetric = {
  bytes: {
    name: 'podweir.network.flow.bytes',
    instrument: 'counter',
    unit: 'By',
    description: 'Bytes on the wire between two workloads, from the Ethernet header on.',
    attributes: [...edgeAttributes, attribute.flowDirection],
  },
  packets: {
    name: 'podweir.network.flow.packets',
    instrument: 'counter',
    unit: '{packet}',
    description: 'Packets on the wire between two workloads.',
    attributes: [...edgeAttributes, attribute.flowDirection],
  },
  opened: {
    name: 'podweir.network.connection.opened',
    instrument: 'counter',
    unit: '{connection}',
    description: 'TCP handshakes completed, and UDP request flows.',
    attributes: edgeAttributes,
  },
} as const satisfies Record<string, Metric>

export const ledgerMetric = {
  skbs: {
    name: 'podweir.ledger.skbs',
    instrument: 'counter',
    unit: '{skb}',
    description: 'What devices counted against what was seen: device + overseen = seen + unobserved + unexplained.',
    attributes: [attribute.ledgerStage, attribute.ioDirection, attribute.counterKind],
  },
  unexplained: {
    name: 'podweir.ledger.unexplained',
    instrument: 'up_down_counter',
    unit: '{skb}',
    description: 'The difference between devices and us that no counter explains, 0 on a healthy node.',
    attributes: [attribute.ioDirection],
  },
  packets: {
    name: 'podweir.ledger.packets',
    instrument: 'counter',
    unit: '{packet}',
    description: 'Every packet that was seen, by what became of it.',
    attributes: [attribute.ledgerStage, attribute.lossReason],
  },
  bytes: {
    name: 'podweir.ledger.bytes',
    instrument: 'counter',
    unit: 'By',
    description: 'Every byte that was seen, by what became of it.',
    attributes: [attribute.ledgerStage, attribute.lossReason],
  },
} as const satisfies Record<string, Metric>

export const agentMetric = {
  flowCount: {
    name: 'podweir.agent.flow.count',
    instrument: 'gauge',
    unit: '{flow}',
    description: 'Flows in the kernel table.',
    attributes: [],
  },
  flowLimit: {
    name: 'podweir.agent.flow.limit',
    instrument: 'gauge',
    unit: '{flow}',
    description: 'Flows that the kernel table can hold.',
    attributes: [],
  },
  interfaces: {
    name: 'podweir.agent.interfaces',
    instrument: 'up_down_counter',
    unit: '{interface}',
    description: 'Interfaces that the agent knows, by how far it got with them.',
    attributes: [attribute.attachState, attribute.attachReason, attribute.attachMode, attribute.attachPlace],
  },
} as const satisfies Record<string, Metric>

export const metrics: readonly Metric[] = [podMetric, edgeMetric, ledgerMetric, agentMetric].flatMap(group =>
  Object.values(group),
)
