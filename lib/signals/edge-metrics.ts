// The metrics of edges and pairs: names, units, attributes, and from which detail on they are sent.
import { attribute, endAttributes, ownerKeys, placeAttributes } from './attribute-names.ts'
import type { Metric } from './metric-names.ts'

const bothEnds = [...Object.values(endAttributes('source')), ...Object.values(endAttributes('destination'))]

const edgeAttributes = [
  ...bothEnds,
  attribute.serverPort,
  attribute.transport,
  attribute.networkType,
  attribute.observer,
  attribute.overflow,
]

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
  failed: {
    name: 'podweir.network.connection.failed',
    instrument: 'counter',
    unit: '{connection}',
    description: 'Attempts to connect that failed, by what was seen of why.',
    attributes: [...edgeAttributes, attribute.errorType],
  },
  retransmits: {
    name: 'podweir.network.tcp.retransmits',
    instrument: 'counter',
    unit: '{packet}',
    description: 'TCP packets whose data, SYN or FIN had been sent before.',
    attributes: [...edgeAttributes, attribute.flowDirection],
  },
  outOfOrder: {
    name: 'podweir.network.tcp.out_of_order',
    instrument: 'counter',
    unit: '{packet}',
    description: 'TCP packets that came after later ones.',
    attributes: [...edgeAttributes, attribute.flowDirection],
    detail: 'full',
  },
  resets: {
    name: 'podweir.network.tcp.resets',
    instrument: 'counter',
    unit: '{packet}',
    description: 'TCP packets with RST.',
    attributes: [...edgeAttributes, attribute.flowDirection],
    detail: 'full',
  },
  zeroWindows: {
    name: 'podweir.network.tcp.zero_windows',
    instrument: 'counter',
    unit: '{event}',
    description: 'Times that a side had no room for more.',
    attributes: [...edgeAttributes, attribute.flowDirection],
    detail: 'full',
  },
  closed: {
    name: 'podweir.network.connection.closed',
    instrument: 'counter',
    unit: '{connection}',
    description: 'Connections and requests that ended, by how.',
    attributes: [...edgeAttributes, attribute.connectionEnd],
    detail: 'full',
  },
  active: {
    name: 'podweir.network.connection.active',
    instrument: 'up_down_counter',
    unit: '{connection}',
    description: 'Connections and requests that go on.',
    attributes: edgeAttributes,
    detail: 'full',
  },
  interZone: {
    name: 'podweir.network.inter_zone.bytes',
    instrument: 'counter',
    unit: 'By',
    description: 'Bytes on the wire from one zone to another.',
    attributes: [
      // What has a zone has a name of its own, and needs no Service's.
      ...ownerKeys('source'),
      ...ownerKeys('destination'),
      ...Object.values(placeAttributes('source')),
      ...Object.values(placeAttributes('destination')),
      attribute.overflow,
    ],
  },
} as const satisfies Record<string, Metric>

/** Without port and Service. */
const pairAttributes = edgeAttributes.filter(key => key !== attribute.serverPort)

export const pairMetric = {
  handshake: {
    name: 'podweir.network.tcp.handshake.duration',
    instrument: 'histogram',
    unit: 's',
    description: 'From the first SYN to the first SYN-ACK.',
    attributes: pairAttributes,
  },
  rtt: {
    name: 'podweir.network.tcp.rtt.duration',
    instrument: 'histogram',
    unit: 's',
    description: 'From data to its acknowledgment.',
    attributes: [...pairAttributes, attribute.flowDirection],
    detail: 'full',
  },
  duration: {
    name: 'podweir.network.connection.duration',
    instrument: 'histogram',
    unit: 's',
    description: 'From the beginning of a connection or request to its end.',
    attributes: pairAttributes,
    detail: 'full',
  },
} as const satisfies Record<string, Metric>
