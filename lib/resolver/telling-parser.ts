// What a resolver says, from the network: whatever comes, a message or undefined, never a throw, never more than its bound.
import { parseAddressKeys, parseCidr } from '../capture/address.ts'
import { parsedJson } from '../kubernetes/api-failure.ts'
import { type Fields, fieldsOf, listOf, textOf, wholeNumberOf } from '../kubernetes/object-fields.ts'
import { isKey, versionsOf } from './asking-parser.ts'
import {
  type Answer,
  type ClaimMessage,
  type EndpointMessage,
  MOST,
  type NodeMessage,
  type NodesMessage,
  type PeerKey,
  type Reasons,
  type ServiceMessage,
  type Telling,
  type WorkloadMessage,
} from './messages.ts'

const TAG_LIMIT = 64
const UID_LIMIT = 128
const ADDRESSES_LIMIT = 64
const REASON_LIMIT = 300
const LABEL_LIMIT = 253
const RESOURCES_LIMIT = 16
const portForm = /^(tcp|udp|sctp)\/([1-9]\d{0,4})$/
/** Times of any clock that somebody believes in. */
const HIGHEST_MS = 2 ** 45

/** undefined: it is no message. What it has beside is left out. */
export function parseTelling(text: string): Telling | undefined {
  const message = fieldsOf(parsedJson(text))
  if (message.told !== undefined) return parseTold(fieldsOf(message.told))
  if (message.mark !== undefined) return parseMark(message)
  if (message.nodes !== undefined) return { nodes: parseNodes(fieldsOf(message.nodes)) }
  if (message.nodePorts !== undefined) return parseNodePorts(fieldsOf(message.nodePorts))
  if (message.welcome !== undefined) return parseWelcome(fieldsOf(message.welcome))
  return message.bye === undefined ? undefined : { bye: textOf(message.bye, REASON_LIMIT) }
}

function parseWelcome({ protocol, resolver }: Fields): Telling | undefined {
  const number = wholeNumberOf(protocol, 1, 1_000_000)
  return number === undefined ? undefined : { welcome: { protocol: number, resolver: textOf(resolver) } }
}

function parseMark({ mark, now, behind, since, ...rest }: Fields): Telling | undefined {
  const number = wholeNumberOf(mark, 0, Number.MAX_SAFE_INTEGER)
  const nowMs = timeOf(now)
  const behindMs = behind === null ? null : timeOf(behind)
  const sinceMs = timeOf(since)
  if (number === undefined || nowMs === undefined || behindMs === undefined || sinceMs === undefined) return undefined
  const versions = { heard: versionsOf(rest.heard), changed: versionsOf(rest.changed) }
  const reasons = { lacks: reasonsOf(rest.lacks), old: reasonsOf(rest.old) }
  return { answer: { mark: number, now: nowMs, behind: behindMs, since: sinceMs, ...versions, ...reasons } }
}

function reasonsOf(value: unknown): Reasons {
  const reasons = Object.entries(fieldsOf(value)).slice(0, RESOURCES_LIMIT)
  return Object.fromEntries(reasons.map(([key, reason]) => [textOf(key), textOf(reason, REASON_LIMIT)]))
}

function parseNodes({ all, more, set, gone, tag }: Fields): NodesMessage {
  return {
    ...(all === true && { all: true }),
    ...(more === true && { more: true }),
    set: listOf(set, MOST.nodesOfLine).flatMap(parseNode),
    gone: listOf(gone, MOST.nodes).map(each => textOf(each, UID_LIMIT)),
    tag: textOf(tag, TAG_LIMIT),
  }
}

function parseNode(value: unknown): NodeMessage[] {
  const { uid, name, addresses, podCidrs, zone, region } = fieldsOf(value)
  const node = { uid: textOf(uid, UID_LIMIT), name: textOf(name) }
  if (node.uid === '' || node.name === '') return []
  const [zoneText, regionText] = [textOf(zone, LABEL_LIMIT), textOf(region, LABEL_LIMIT)]
  return [
    {
      ...node,
      addresses: textsOf(addresses, ADDRESSES_LIMIT).filter(each => parseAddressKeys([each]).length > 0),
      podCidrs: textsOf(podCidrs, ADDRESSES_LIMIT).filter(each => parseCidr(each) !== undefined),
      ...(zoneText !== '' && { zone: zoneText }),
      ...(regionText !== '' && { region: regionText }),
    },
  ]
}

function parseNodePorts({ all, tag }: Fields): Telling {
  return { nodePorts: { tag: textOf(tag, TAG_LIMIT), all: portsOf(all, MOST.nodePorts) } }
}

function parseTold(told: Fields): Telling | undefined {
  const entries = Object.entries(told)
  if (entries.length > MOST.keysOfLine || !entries.every(([key]) => isKey(key))) return undefined
  return { told: new Map(entries.map(([key, answer]): [PeerKey, Answer] => [key, parseAnswer(fieldsOf(answer))])) }
}

function parseAnswer({ tag, pods, services, endpoint, workload, ports }: Fields): Answer {
  const stranger = parseEndpoint(endpoint)
  const owner = parseWorkload(workload)
  return {
    tag: textOf(tag, TAG_LIMIT),
    pods: listOf(pods, MOST.claims).flatMap(parseClaim),
    services: listOf(services, MOST.services).flatMap(parseService),
    ...(stranger && { endpoint: stranger }),
    ...(owner && { workload: owner }),
    ports: portsOf(ports, MOST.ports),
  }
}

function parseClaim(value: unknown): ClaimMessage[] {
  const fields = fieldsOf(value)
  const workload = parseWorkload(fields.workload)
  const [created, seen] = [timeOf(fields.created, -HIGHEST_MS), timeOf(fields.seen)]
  const pod = { uid: textOf(fields.uid, UID_LIMIT), namespace: textOf(fields.namespace), name: textOf(fields.name) }
  if (!workload || created === undefined || seen === undefined || pod.uid === '' || pod.name === '') return []
  const [left, ended, readySince] = [timeOf(fields.left), timeOf(fields.ended), timeOf(fields.readySince)]
  return [
    {
      ...pod,
      ...{ node: textOf(fields.node), workload, ports: portsOf(fields.ports, MOST.ports) },
      ...{ ready: fields.ready === true, labels: labelsOf(fields.labels), created, seen },
      ...(readySince !== undefined && { readySince }),
      ...(left !== undefined && { left }),
      ...(ended !== undefined && { ended }),
    },
  ]
}

function parseService(value: unknown): ServiceMessage[] {
  const { workload, served, servedSince } = fieldsOf(value)
  const service = parseEndpoint(value)
  if (!service) return []
  const owner = parseWorkload(workload)
  const ownerNamespace = textOf(fieldsOf(workload).namespace)
  const since = timeOf(servedSince)
  return [
    {
      ...service,
      ...(owner && { workload: { ...owner, namespace: ownerNamespace } }),
      served: served === true,
      ...(since !== undefined && { servedSince: since }),
    },
  ]
}

/** What Services and endpoints have in common. */
function parseEndpoint(value: unknown): EndpointMessage | undefined {
  const { namespace, name, ports } = fieldsOf(value)
  const service = { namespace: textOf(namespace), name: textOf(name), ports: portsOf(ports, MOST.ports) }
  return service.name === '' ? undefined : service
}

function parseWorkload(value: unknown): WorkloadMessage | undefined {
  const { kind, name } = fieldsOf(value)
  const workload = { kind: textOf(kind), name: textOf(name) }
  return workload.kind === '' || workload.name === '' ? undefined : workload
}

function portsOf(value: unknown, limit: number): string[] {
  return textsOf(value, limit).filter(each => portForm.test(each))
}

function labelsOf(value: unknown): Record<string, string> {
  const entries = Object.entries(fieldsOf(value)).slice(0, MOST.labels)
  return Object.fromEntries(entries.map(([key, text]) => [textOf(key, 317), textOf(text, LABEL_LIMIT)]))
}

function textsOf(value: unknown, limit: number): string[] {
  return listOf(value, limit)
    .map(each => textOf(each))
    .filter(each => each !== '')
}

function timeOf(value: unknown, least = 0): number | undefined {
  return typeof value === 'number' && value >= least && value <= HIGHEST_MS ? value : undefined
}
