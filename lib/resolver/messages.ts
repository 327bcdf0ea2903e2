// What agents and resolvers say to each other, one JSON object a line: docs/resolver.md is the contract.
import { hash } from 'node:crypto'

export const PROTOCOL = 1
export const PATH = '/v1/peers'
export const CONTENT_TYPE = 'application/x-ndjson'

/** Far above what either side sends. */
export const MOST = {
  askLineBytes: 256 * 1024,
  answerLineBytes: 1024 * 1024,
  /** Keys of one agent. */
  keys: 65_536,
  keysOfLine: 1_000,
  /** Of an address. */
  claims: 16,
  services: 64,
  ports: 256,
  labels: 64,
  nodes: 50_000,
  nodePorts: 65_536,
  nodesOfLine: 500,
  marks: 16,
}

/** An address in canonical form, `port:tcp/30080` for a node port, or `pod:UID` for a pod of the agent's own node. */
export type PeerKey = string

const TAG_LENGTH = 12

export const PORT_PREFIX = 'port:'
export const POD_PREFIX = 'pod:'

/** By resource: the API server's versions that somebody has heard of. */
export type Versions = Readonly<Partial<Record<string, string>>>

export interface Hello {
  readonly protocol: number
  /** For the resolver's log. */
  readonly node: string
  /** Keys of labels that the agent's scope looks at. */
  readonly labels: readonly string[]
  /** Not to be answered by who knows less. */
  readonly after: Versions
  /** What the agent knows of all nodes, and of all node ports. */
  readonly nodes: string
  readonly nodePorts: string
}

/** From the agent. `ask`: by key the tag of what is known of it, empty: nothing. */
export type Asking =
  | { readonly hello: Hello }
  | { readonly ask: ReadonlyMap<PeerKey, string> }
  | { readonly forget: readonly PeerKey[] }
  | { readonly mark: number }

export interface WorkloadMessage {
  readonly kind: string
  readonly name: string
}

/** A pod that has an address, or had it a short time ago. Times are ms since 1970, by the resolver's clock but for `created`. */
export interface ClaimMessage {
  readonly uid: string
  readonly namespace: string
  readonly name: string
  readonly node: string
  readonly workload: WorkloadMessage
  readonly ports: readonly string[]
  readonly ready: boolean
  /** When the resolver heard that it became ready, after it was not. */
  readonly readySince?: number
  readonly labels?: Readonly<Record<string, string>>
  /** Before it the pod was not there; by the API server's clock. */
  readonly created: number
  /** When the resolver heard that it has the address. */
  readonly seen: number
  /** When the resolver heard that it is to go. */
  readonly left?: number
  /** When the resolver heard that it has the address no more. */
  readonly ended?: number
}

export interface ServiceMessage {
  readonly namespace: string
  readonly name: string
  readonly ports: readonly string[]
  /** Behind it, where all that take connections are of one. */
  readonly workload?: WorkloadMessage & { readonly namespace: string }
  /** Somebody takes connections. */
  readonly served: boolean
  /** When the resolver heard that, after nobody did; by its clock. */
  readonly servedSince?: number
}

export type EndpointMessage = Pick<ServiceMessage, 'namespace' | 'name' | 'ports'>

/** All that is known of a key. */
export interface Answer {
  /** Equal for answers that say the same, whoever gives them; times aside. */
  readonly tag: string
  /** Of an address. */
  readonly pods?: readonly ClaimMessage[]
  /** Of an address or a node port. */
  readonly services?: readonly ServiceMessage[]
  /** Of an address: the Service of which it is an endpoint that is no pod. */
  readonly endpoint?: EndpointMessage
  /** Of a pod. */
  readonly workload?: WorkloadMessage
  readonly ports?: readonly string[]
}

export interface NodeMessage {
  readonly uid: string
  readonly name: string
  readonly addresses: readonly string[]
  readonly podCidrs: readonly string[]
  readonly zone?: string
  readonly region?: string
}

export interface NodesMessage {
  /** Those that are not in this line and the ones behind it are gone. */
  readonly all?: boolean
  readonly more?: boolean
  readonly set?: readonly NodeMessage[]
  /** UIDs. */
  readonly gone?: readonly string[]
  readonly tag: string
}

/** Reasons by resource. */
export type Reasons = Readonly<Record<string, string>>

export interface MarkMessage {
  readonly mark: number
  /** The resolver's clock, ms since 1970. */
  readonly now: number
  /** How long ago it was sure to have heard everything of pods; null: it never was. */
  readonly behind: number | null
  /** Since when it has heard of everything, by its clock: before, pods may have come and gone. */
  readonly since: number
  readonly heard: Versions
  readonly changed: Versions
  /** Of what nothing is known; absent: of nothing. */
  readonly lacks?: Reasons
  /** Of what what is known may be old; absent: of nothing. */
  readonly old?: Reasons
}

export interface WelcomeMessage {
  readonly protocol: number
  readonly resolver: string
}

/** From the resolver. */
export type Telling =
  | { readonly welcome: WelcomeMessage }
  | { readonly nodes: NodesMessage }
  | { readonly nodePorts: { readonly tag: string; readonly all: readonly string[] } }
  | { readonly told: ReadonlyMap<PeerKey, Answer> }
  | { readonly answer: MarkMessage }
  | { readonly bye: string }

export function line(message: object): string {
  return `${JSON.stringify(message)}\n`
}

/** Equal for what says the same. */
export function tagOf(value: unknown): string {
  return hash('sha256', JSON.stringify(value) ?? '', 'base64url').slice(0, TAG_LENGTH)
}
