// How others call what we tell: names of attributes for who comes from them.
import { allAttributes, attribute, endAttributes, eventAttribute, placeAttributes } from './attribute-names.ts'

export type AttributeProfile = 'none' | 'obi' | 'netobserv' | 'otel-draft'

const ends = [
  { ours: 'source', short: 'src' },
  { ours: 'destination', short: 'dst' },
] as const

/** OpenTelemetry eBPF Instrumentation, and Beyla. */
const obi: Readonly<Record<string, string>> = {
  [attribute.flowDirection]: 'direction',
  [attribute.transport]: 'transport',
  [attribute.interfaceName]: 'iface',
  [eventAttribute.sourcePort]: 'src.port',
  [eventAttribute.destinationPort]: 'dst.port',
  [eventAttribute.sourceNode]: 'k8s.src.node.name',
  [eventAttribute.destinationNode]: 'k8s.dst.node.name',
  ...Object.fromEntries(
    ends.flatMap(({ ours, short }) => {
      const keys = endAttributes(ours)
      return [
        [keys.namespace, `k8s.${short}.namespace`],
        [keys.ownerName, `k8s.${short}.owner.name`],
        [keys.ownerType, `k8s.${short}.owner.type`],
        [keys.podName, `k8s.${short}.name`],
        [keys.name, `${short}.name`],
        [keys.address, `${short}.address`],
        [placeAttributes(ours).zone, `${short}.zone`],
      ]
    }),
  ),
}

/** NetObserv's OpenTelemetry exporter. Namespaces, owners, addresses and ports are called as here. */
const netobserv: Readonly<Record<string, string>> = {
  [attribute.transport]: 'protocol',
  [eventAttribute.sourceNode]: 'source.k8s.host.name',
  [eventAttribute.destinationNode]: 'destination.k8s.host.name',
  ...Object.fromEntries(
    ends.flatMap(({ ours }) => {
      const keys = endAttributes(ours)
      return [
        [keys.ownerType, `${ours}.k8s.owner.kind`],
        [keys.podName, `${ours}.k8s.name`],
        [placeAttributes(ours).zone, `${ours}.zone`],
      ]
    }),
  ),
}

/** What we would propose to OpenTelemetry. */
const otelDraft: Readonly<Record<string, string>> = Object.fromEntries(
  allAttributes()
    .filter(key => key.startsWith('podweir.'))
    .map(key => [key, key.slice('podweir.'.length)]),
)

export const attributeProfiles: Readonly<Record<AttributeProfile, Readonly<Record<string, string>>>> = {
  none: {},
  obi,
  netobserv,
  'otel-draft': otelDraft,
}
