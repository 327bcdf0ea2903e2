// The profile `netapp`: what measurements, fields and tags are called where Data Infrastructure Insights and its like show
// Kubernetes. Several metrics of one thing are fields of one line.
import type { Attributes } from '@opentelemetry/api'
import { attribute, endAttributes } from '../signals/attribute-names.ts'
import { edgeMetric, pairMetric } from '../signals/edge-metrics.ts'
import { type Metric, podMetric } from '../signals/metric-names.ts'

export interface Row {
  readonly measurement: string
  /** By the value of the one attribute that stands beside a point's own; it is no tag then. */
  readonly fields: ReadonlyMap<string, string>
}

/** What has no such attribute. */
export const ALONE = ''

const pod = 'podweir_pod'
const flow = 'podweir_flow'
const latency = 'podweir_latency'

const rows = new Map<string, Row>([
  row(podMetric.io, pod, ofPod('bytes')),
  row(podMetric.packets, pod, ofPod('packets')),
  row(podMetric.unobserved, pod, ofPod('unobserved')),
  row(edgeMetric.bytes, flow, ofFlow('bytes')),
  row(edgeMetric.packets, flow, ofFlow('packets')),
  row(edgeMetric.retransmits, flow, ofFlow('retransmits')),
  row(edgeMetric.outOfOrder, flow, ofFlow('out_of_order')),
  row(edgeMetric.resets, flow, ofFlow('resets')),
  row(edgeMetric.zeroWindows, flow, ofFlow('zero_windows')),
  row(edgeMetric.opened, flow, { [ALONE]: 'connections_opened' }),
  row(edgeMetric.active, flow, { [ALONE]: 'connections_active' }),
  row(edgeMetric.failed, flow, ofEach('connections_failed', ['refused', 'timeout', 'unreachable', 'reset'])),
  row(edgeMetric.closed, flow, ofEach('connections_closed', ['fin', 'reset_by_client', 'reset_by_server', 'idle'])),
  row(pairMetric.handshake, latency, { [ALONE]: 'connect' }),
  row(pairMetric.duration, latency, { [ALONE]: 'connection' }),
  row(pairMetric.rtt, latency, { [ALONE]: 'rtt', request: 'rtt', response: 'rtt_response' }),
])

/** undefined: it has a measurement of its own, in which every attribute is a tag. */
export function rowOf({ name }: Metric): Row | undefined {
  return rows.get(name)
}

function row({ name }: Metric, measurement: string, fields: Readonly<Record<string, string>>): [string, Row] {
  return [name, { measurement, fields: new Map(Object.entries(fields)) }]
}

function ofPod(what: string) {
  return { [ALONE]: what, transmit: `${what}_sent`, receive: `${what}_received` }
}

function ofFlow(what: string) {
  return { [ALONE]: what, request: `${what}_sent`, response: `${what}_received` }
}

function ofEach(what: string, values: readonly string[]) {
  return { [ALONE]: what, ...Object.fromEntries(values.map(value => [value, `${what}_${value}`])) }
}

const tagNames = new Map<string, string>([
  [attribute.clusterName, 'kubernetes_cluster'],
  [attribute.clusterUid, 'kubernetes_cluster_uid'],
  [attribute.nodeName, 'node_name'],
  [attribute.podNamespace, 'namespace'],
  [attribute.podName, 'pod_name'],
  [attribute.podUid, 'pod_uid'],
  [attribute.plainName, 'name'],
  [attribute.interfaceName, 'interface'],
  [attribute.serverPort, 'dst_port'],
  [attribute.transport, 'protocol'],
  [attribute.networkType, 'ip_version'],
  [attribute.overflow, 'overflow'],
  ...endNames('source', ''),
  ...endNames('destination', 'dst_'),
])

function endNames(end: 'source' | 'destination', prefix: string): [string, string][] {
  const names = endAttributes(end)
  return [
    [names.namespace, `${prefix}namespace`],
    [names.ownerName, `${prefix}workload_name`],
    [names.ownerType, `${prefix}workload_kind`],
    [names.service, `${prefix}service_name`],
    [names.name, `${prefix}name`],
    [names.podName, `${prefix}pod_name`],
    [names.podUid, `${prefix}pod_uid`],
    [names.address, `${prefix}ip`],
  ]
}

/** As objects of Kubernetes spell their kind. */
const kinds: Readonly<Record<string, string>> = {
  deployment: 'Deployment',
  statefulset: 'StatefulSet',
  daemonset: 'DaemonSet',
  replicaset: 'ReplicaSet',
  cronjob: 'CronJob',
  job: 'Job',
}

/** Of the agent's resource, only where the data is from: who sent it is known. */
const unsaid = /^(service|telemetry|os|process)\./

/** `isSwapped`: it is told of the answer, and becomes part of what is told of the question. */
export function netappTags(attributes: Attributes, isSwapped: boolean): Map<string, string> {
  const tags = new Map<string, string>()
  for (const [key, value] of Object.entries(attributes)) {
    const owner = /^k8s\.([a-z]+)\.name$/.exec(key)?.[1]
    const known = tagNames.get(isSwapped ? otherEnd(key) : key)
    if (known !== undefined) tags.set(known, String(value))
    else if (owner !== undefined) {
      tags.set('workload_kind', kinds[owner] ?? owner)
      tags.set('workload_name', String(value))
    } else if (!unsaid.test(key)) tags.set(plainKey(isSwapped ? otherEnd(key) : key), String(value))
  }
  return tags
}

function otherEnd(key: string): string {
  if (key.startsWith('source.')) return key.replace('source.', 'destination.')
  return key.startsWith('destination.') ? key.replace('destination.', 'source.') : key
}

/** Letters, digits and underscores, without a prefix that says nothing. */
export function plainKey(key: string): string {
  return key.replace(/^(podweir|k8s\.pod)\./, '').replace(/\W+/g, '_')
}
