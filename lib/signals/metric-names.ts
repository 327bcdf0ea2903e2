// The only place, with edge-metrics.ts and agent-metrics.ts, where names of metrics are spelled: docs/signals.md is the same list for people.
import type { Detail } from '../aggregate/edge-counts.ts'
import { agentMetric, processMetric } from './agent-metrics.ts'
import { annotationAttribute, attribute, labelAttribute, ownerAttribute, ownerKeys } from './attribute-names.ts'
import { edgeMetric, pairMetric } from './edge-metrics.ts'

export type Instrument = 'counter' | 'up_down_counter' | 'gauge' | 'histogram'

export interface Metric {
  readonly name: string
  readonly instrument: Instrument
  readonly unit: string
  readonly description: string
  /** Every key that a point of it can have, `<kind>` and `<key>` standing for any. */
  readonly attributes: readonly string[]
  /** From which detail on it is sent; absent: always. */
  readonly detail?: Detail
}

/** Its values are whole numbers; else they are doubles. */
export function isWhole({ unit }: Metric): boolean {
  return unit !== 's'
}

const interfaceAttributes = [
  attribute.podNamespace,
  attribute.podName,
  attribute.podUid,
  ownerAttribute('<kind>'),
  labelAttribute('<key>'),
  annotationAttribute('<key>'),
  attribute.plainName,
  attribute.interfaceName,
  attribute.attachPlace,
]

const podAttributes = [...interfaceAttributes, attribute.ioDirection]

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

export const dropMetric = {
  packets: {
    name: 'podweir.network.packet.dropped',
    instrument: 'counter',
    unit: '{packet}',
    description: 'Packets that the kernel dropped at a pod interface or in the stack behind it.',
    attributes: [...interfaceAttributes, attribute.dropReason, attribute.overflow],
  },
} as const satisfies Record<string, Metric>

export const dnsMetric = {
  duration: {
    name: 'podweir.dns.lookup.duration',
    instrument: 'histogram',
    unit: 's',
    description: 'From a pod’s DNS query to its answer.',
    attributes: [...ownerKeys('source'), attribute.questionSuffix, attribute.errorType, attribute.overflow],
  },
  messages: {
    name: 'podweir.dns.messages',
    instrument: 'counter',
    unit: '{message}',
    description: 'DNS messages of all pods by what became of them.',
    attributes: [attribute.messageOutcome],
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
    attributes: [attribute.ledgerStage, attribute.lossReason, attribute.packetClass],
  },
  bytes: {
    name: 'podweir.ledger.bytes',
    instrument: 'counter',
    unit: 'By',
    description: 'Every byte that was seen, by what became of it.',
    attributes: [attribute.ledgerStage, attribute.lossReason, attribute.packetClass],
  },
  items: {
    name: 'podweir.ledger.items',
    instrument: 'counter',
    unit: '{item}',
    description: 'Points, spans and log records that were made, by what became of them.',
    attributes: [attribute.ledgerStage, attribute.signal, attribute.exporter, attribute.lossReason],
  },
} as const satisfies Record<string, Metric>

export const metrics: readonly Metric[] = [
  podMetric,
  dropMetric,
  dnsMetric,
  edgeMetric,
  pairMetric,
  ledgerMetric,
  agentMetric,
  processMetric,
].flatMap(group => Object.values(group))
