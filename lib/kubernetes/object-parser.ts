// From the API server's objects to our records. Total: whatever comes, a record or undefined, never a throw, never more than its bound.
import { formatAddress, parseAddress, parseCidr } from '../capture/address.ts'
import type { Protocol } from '../config/inventory-schema.ts'
import type {
  ClusterEndpoint,
  ClusterEndpointSlice,
  ClusterNode,
  ClusterObject,
  ClusterObjects,
  ClusterPod,
  ClusterService,
  ClusterServicePort,
  Owner,
  Resource,
} from './cluster-objects.ts'
import { chosenOf, type Fields, fieldsOf, listOf, textOf, wholeNumberOf } from './object-fields.ts'
import { SharedValues } from './shared-values.ts'

export interface KeptKeys {
  readonly labels: readonly string[]
  readonly annotations: readonly string[]
}

/** Far above what Kubernetes allows or anybody has; memory is bounded by them. */
const MOST = { addresses: 64, containers: 128, ports: 256, endpoints: 1_000, conditions: 64, owners: 64 }
const UID_LIMIT = 128
const LABEL_LIMIT = 253
const ANNOTATION_LIMIT = 1_024
const HIGHEST_PORT = 65_535
const SERVICE_LABEL = 'kubernetes.io/service-name'
const ZONE_LABELS = ['topology.kubernetes.io/zone', 'failure-domain.beta.kubernetes.io/zone']
const REGION_LABELS = ['topology.kubernetes.io/region', 'failure-domain.beta.kubernetes.io/region']
const ROLLOUT_HASH_LABEL = 'rollouts-pod-template-hash'
const ANY_ADDRESS: ReadonlySet<string> = new Set(['0.0.0.0', '::'])
const TEMPLATE_HASH_LABELS = ['pod-template-hash', ROLLOUT_HASH_LABEL]

const nothing: readonly string[] = []
const noPairs: Readonly<Record<string, string>> = {}

export class ObjectParser {
  readonly #kept: KeptKeys
  readonly #shared = new SharedValues()

  constructor(kept: KeptKeys) {
    this.#kept = kept
  }

  /** undefined: it has no name or no UID, so that it can't be told from others. */
  parse<R extends Resource>(resource: R, value: unknown): ClusterObjects[R] | undefined {
    const object = fieldsOf(value)
    const metadata = fieldsOf(object.metadata)
    const uid = textOf(metadata.uid, UID_LIMIT)
    const name = textOf(metadata.name)
    if (uid === '' || name === '') return undefined
    const identity = { uid, namespace: this.#shared.text(textOf(metadata.namespace)), name }
    return this.#parsers[resource](identity, object, metadata) as ClusterObjects[R]
  }

  readonly #parsers: {
    [R in Resource]: (identity: ClusterObject, object: Fields, metadata: Fields) => ClusterObjects[R]
  } = {
    pods: (identity, object, metadata) => this.#pod(identity, object, metadata),
    services: (identity, object) => this.#service(identity, object),
    endpointslices: (identity, object, metadata) => this.#slice(identity, object, metadata),
    nodes: (identity, object, metadata) => node(identity, object, metadata),
  }

  #pod(identity: ClusterObject, object: Fields, metadata: Fields): ClusterPod {
    const spec = fieldsOf(object.spec)
    const status = fieldsOf(object.status)
    const labels = fieldsOf(metadata.labels)
    const addresses = listOf(status.podIPs, MOST.addresses).map(each => fieldsOf(each).ip)
    const owner = this.#owner(metadata)
    const templateHash = firstOf(labels, TEMPLATE_HASH_LABELS)
    return {
      ...identity,
      node: this.#shared.text(textOf(spec.nodeName)),
      addresses: canonical(addresses.length > 0 ? addresses : [status.podIP]),
      hostNetwork: spec.hostNetwork === true,
      isRunning: status.phase !== 'Succeeded' && status.phase !== 'Failed',
      isReady: listOf(status.conditions, MOST.conditions).some(isReadyCondition),
      ...(metadata.deletionTimestamp !== undefined && { isTerminating: true }),
      createdMs: momentMs(metadata.creationTimestamp),
      ...(owner && { owner }),
      ...(templateHash !== undefined && { templateHash: this.#shared.text(templateHash) }),
      ...(firstOf(labels, [ROLLOUT_HASH_LABEL]) !== undefined && { templateOf: 'Rollout' }),
      ports: this.#shared.list(portsOf(containerPorts(spec), 'containerPort')),
      hostPorts: this.#shared.list(hostPorts(containerPorts(spec))),
      labels: chosenOf(labels, this.#kept.labels, LABEL_LIMIT) ?? noPairs,
      annotations: chosenOf(fieldsOf(metadata.annotations), this.#kept.annotations, ANNOTATION_LIMIT) ?? noPairs,
    }
  }

  #service(identity: ClusterObject, object: Fields): ClusterService {
    const spec = fieldsOf(object.spec)
    const balancer = fieldsOf(fieldsOf(object.status).loadBalancer)
    const clusterAddresses = listOf(spec.clusterIPs, MOST.addresses)
    return {
      ...identity,
      addresses: canonical([
        ...(clusterAddresses.length > 0 ? clusterAddresses : [spec.clusterIP]),
        ...listOf(spec.externalIPs, MOST.addresses),
        ...listOf(balancer.ingress, MOST.addresses).map(each => fieldsOf(each).ip),
      ]),
      ports: listOf(spec.ports, MOST.ports).flatMap(servicePort),
    }
  }

  #slice(identity: ClusterObject, object: Fields, metadata: Fields): ClusterEndpointSlice {
    return {
      ...identity,
      service: this.#shared.text(textOf(fieldsOf(metadata.labels)[SERVICE_LABEL])),
      ports: this.#shared.list(portsOf(listOf(object.ports, MOST.ports), 'port')),
      endpoints: listOf(object.endpoints, MOST.endpoints).map(each => this.#endpoint(fieldsOf(each))),
    }
  }

  #endpoint(endpoint: Fields): ClusterEndpoint {
    const target = fieldsOf(endpoint.targetRef)
    const podUid = target.kind === 'Pod' ? textOf(target.uid, UID_LIMIT) : ''
    const zone = this.#shared.text(textOf(endpoint.zone))
    return {
      addresses: canonical(listOf(endpoint.addresses, MOST.addresses)),
      // Left out it counts as ready, says the API.
      isReady: fieldsOf(endpoint.conditions).ready !== false,
      ...(podUid !== '' && { podUid }),
      ...(zone !== '' && { zone }),
    }
  }

  #owner(metadata: Fields): Owner | undefined {
    const owner = controllerOf(metadata)
    return owner && this.#shared.owner(owner)
  }
}

/** The one owner that manages the object, by its metadata. */
export function controllerOf(metadata: Fields): Owner | undefined {
  const found = listOf(metadata.ownerReferences, MOST.owners).find(each => fieldsOf(each).controller === true)
  if (found === undefined) return undefined
  const { apiVersion, kind, name, uid } = fieldsOf(found)
  const owner = { apiVersion: textOf(apiVersion), kind: textOf(kind), name: textOf(name), uid: textOf(uid, UID_LIMIT) }
  return Object.values(owner).includes('') ? undefined : owner
}

function node(identity: ClusterObject, object: Fields, metadata: Fields): ClusterNode {
  const spec = fieldsOf(object.spec)
  const labels = fieldsOf(metadata.labels)
  const addresses = listOf(fieldsOf(object.status).addresses, MOST.addresses).map(fieldsOf)
  const podCidrs = listOf(spec.podCIDRs, MOST.addresses)
  const zone = firstOf(labels, ZONE_LABELS)
  const region = firstOf(labels, REGION_LABELS)
  return {
    ...identity,
    addresses: canonical(
      addresses.filter(({ type }) => type === 'InternalIP' || type === 'ExternalIP').map(each => each.address),
    ),
    podCidrs: distinct((podCidrs.length > 0 ? podCidrs : [spec.podCIDR]).map(canonicalBlock)),
    ...(zone !== undefined && { zone }),
    ...(region !== undefined && { region }),
  }
}

/** Of the first of those labels that says something. */
function firstOf(labels: Fields, keys: readonly string[]): string | undefined {
  for (const key of keys) {
    const value = textOf(labels[key], LABEL_LIMIT)
    if (value !== '') return value
  }
  return undefined
}

function canonical(addresses: readonly unknown[]): readonly string[] {
  return distinct(addresses.map(canonicalAddress))
}

function canonicalAddress(value: unknown): string | undefined {
  const bytes = typeof value === 'string' ? parseAddress(value) : undefined
  return bytes && formatAddress(bytes, 0, bytes.length === 4 ? 4 : 6)
}

function canonicalBlock(value: unknown): string | undefined {
  const block = typeof value === 'string' ? parseCidr(value) : undefined
  return block && `${formatAddress(block.network, 0, block.network.length === 4 ? 4 : 6)}/${block.prefixLength}`
}

function distinct(texts: readonly (string | undefined)[]): readonly string[] {
  const found = texts.filter((text, i) => text !== undefined && texts.indexOf(text) === i) as string[]
  return found.length > 0 ? found : nothing
}

/** Init containers that go on running beside the others are sidecars. */
function containerPorts(spec: Fields): readonly unknown[] {
  const sidecars = listOf(spec.initContainers, MOST.containers).filter(
    each => fieldsOf(each).restartPolicy === 'Always',
  )
  const containers = [...listOf(spec.containers, MOST.containers), ...sidecars]
  return containers.flatMap(each => listOf(fieldsOf(each).ports, MOST.ports)).slice(0, MOST.ports)
}

/** The API server gives those of a host-network pod their own number where it is left out. */
function hostPorts(ports: readonly unknown[]): readonly string[] {
  return distinct(
    ports.map(each => {
      const port = portOf(each, 'hostPort')
      const address = canonicalAddress(fieldsOf(each).hostIP)
      if (port === undefined || address === undefined || ANY_ADDRESS.has(address)) return port
      return `${port} ${address}`
    }),
  )
}

function portsOf(ports: readonly unknown[], key: 'port' | 'containerPort'): readonly string[] {
  return distinct(ports.map(each => portOf(each, key)))
}

function portOf(value: unknown, key: 'port' | 'containerPort' | 'hostPort'): string | undefined {
  const fields = fieldsOf(value)
  const port = wholeNumberOf(fields[key], 1, HIGHEST_PORT)
  const protocol = protocolOf(fields.protocol)
  return port === undefined || protocol === undefined ? undefined : `${protocol}/${port}`
}

function servicePort(value: unknown): ClusterServicePort[] {
  const fields = fieldsOf(value)
  const port = wholeNumberOf(fields.port, 1, HIGHEST_PORT)
  const protocol = protocolOf(fields.protocol)
  if (port === undefined || protocol === undefined) return []
  const target = wholeNumberOf(fields.targetPort, 1, HIGHEST_PORT) ?? (textOf(fields.targetPort) || port)
  return [{ port, protocol, nodePort: wholeNumberOf(fields.nodePort, 1, HIGHEST_PORT) ?? 0, target }]
}

/** Left out it is TCP. */
function protocolOf(value: unknown): Protocol | undefined {
  if (value === undefined || value === 'TCP') return 'tcp'
  if (value === 'UDP') return 'udp'
  return value === 'SCTP' ? 'sctp' : undefined
}

function isReadyCondition(value: unknown): boolean {
  const { type, status } = fieldsOf(value)
  return type === 'Ready' && status === 'True'
}

/** 0 when it is no time. */
function momentMs(value: unknown): number {
  const ms = typeof value === 'string' && value.length <= 64 ? Date.parse(value) : Number.NaN
  return Number.isNaN(ms) ? 0 : ms
}
