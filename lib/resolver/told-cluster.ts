// What an agent knows of a cluster that it does not watch: its own node's pods from the API server, everything else by asking a resolver.
import { setTimeout as sleep } from 'node:timers/promises'
import { type AddressKey, addressKey, parseAddressKey, parseAddressKeys } from '../capture/address.ts'
import type { StartedColumns } from '../capture/flow-batch.ts'
import { ClusterNodes } from '../enrich/cluster-nodes.ts'
import { ClusterPods } from '../enrich/cluster-pods.ts'
import { pointKey } from '../enrich/cluster-services.ts'
import { type ClusterView, type Knowledge, WORDS_TAKE_MS } from '../enrich/cluster-state.ts'
import { HeardTime } from '../enrich/heard-time.ts'
import { HostPorts } from '../enrich/host-ports.ts'
import type { PodScope } from '../enrich/pod-scope.ts'
import { PortSets } from '../enrich/port-sets.ts'
import { type ToldClaim, ToldPods } from '../enrich/told-pods.ts'
import type { Clock } from '../host/clock.ts'
import type { ClusterObjects, ClusterPod, Resource } from '../kubernetes/cluster-objects.ts'
import {
  type Answer,
  type ClaimMessage,
  type NodesMessage,
  type PeerKey,
  POD_PREFIX,
  type Reasons,
} from './messages.ts'
import { isNodePortKey, nodePortKey, nodePortPoint, pointOfKey } from './node-port-key.ts'
import { PeerQuestions, type Question } from './peer-questions.ts'
import { ToldNodes } from './told-nodes.ts'
import { ToldOwners } from './told-owners.ts'
import { ToldServices } from './told-services.ts'

export interface ToldClusterParts {
  readonly nodeName: string
  readonly scope?: PodScope
  /** Next hops of this node's routes. */
  readonly gateways?: readonly string[]
  /** Keys of labels and annotations of this node's pods that are exported. */
  readonly labels?: readonly string[]
  readonly annotations?: readonly string[]
  readonly onChange: () => void
  readonly onOwnPod?: () => void
  readonly clock: Clock
  readonly wordsTakeMs?: number
}

/** A resolver knows of everything that happened between the two, and has told us. Wall clock, ours. */
export interface Confirmed {
  readonly sinceMs: number
  readonly untilMs: number
}

/** How often it is looked whether somebody still needs what is asked for. */
const SWEEP_MS = 60_000
/** What nobody has used for so long is not asked for any more. */
const UNUSED_MS = 300_000

export class ToldCluster implements ClusterView {
  readonly nodes: ClusterNodes
  readonly pods: ClusterPods
  readonly services: ToldServices
  /** Of this node's pods: nobody tells of others' ports. */
  readonly hostPorts = new HostPorts(uid => this.pods.byUid(uid))
  readonly questions: PeerQuestions
  readonly #parts: ToldClusterParts
  readonly #owners = new ToldOwners()
  readonly #toldPods: ToldPods
  readonly #toldNodes: ToldNodes
  readonly #heard = new HeardTime(Number.NEGATIVE_INFINITY)
  #nodePorts: ReadonlySet<number> = new Set()
  #nodePortsTag = ''
  /** The earliest time that somebody has asked for and that we have not heard of. */
  #unheardMs = Number.POSITIVE_INFINITY
  #sweptAtMs: number
  /** Who asks while it is true still needs what it asks for. */
  #isSweeping = false
  #arePlacesOld = false
  #lacksSomething = false
  /** Resolves when what was asked is answered, or can't be now. Set by who asks. */
  mark: () => Promise<void> = async () => {}

  constructor(parts: ToldClusterParts, questions = new PeerQuestions()) {
    this.#parts = parts
    this.questions = questions
    const { nodeName, scope, gateways = [], labels = [], annotations = [], onChange, onOwnPod = () => {} } = parts
    const ports = new PortSets()
    this.nodes = new ClusterNodes(gateways)
    this.pods = new ClusterPods({
      ...{ nodes: this.nodes, owners: this.#owners, ports, scope, nodeName, labels, annotations, onChange, onOwnPod },
    })
    this.services = new ToldServices(point => this.#missNodePort(point))
    this.#toldPods = new ToldPods({ pods: this.pods, nodes: this.nodes, ports, nodeName }, this.#heard)
    this.#toldNodes = new ToldNodes(this.nodes)
    this.#sweptAtMs = parts.clock.monotonicMs()
  }

  /** What is known of all nodes, and of all node ports. */
  get tags(): { nodes: string; nodePorts: string } {
    return { nodes: this.#toldNodes.tag, nodePorts: this.#nodePortsTag }
  }

  get heardUntilMs(): number {
    return this.#heard.untilMs
  }

  used(address: AddressKey, atMs: number): void {
    if (atMs >= this.#heard.untilMs && atMs < this.#unheardMs) this.#unheardMs = atMs
    if (!this.#isSweeping) return
    const question = this.questions.ofAddress(address)
    if (question) question.usedMs = this.#nowMs
  }

  knows(address: AddressKey, atMs: number): Knowledge {
    const question = this.questions.address(address, this.#nowMs)
    if (question?.isAnswered) return this.#heard.has(atMs) && !this.#lacksSomething ? 'all' : 'little'
    if (question) question.wasMissed = true
    return 'little'
  }

  async hear(started: StartedColumns): Promise<void> {
    this.#sweep()
    const nowMs = this.#nowMs
    for (let i = 0; i < started.length; i++) {
      this.questions.address(addressKey(started.remoteAddress, i * 16, started.family[i]!), nowMs)
      this.#askNodePort(pointKey(started.protocol[i]!, started.remotePort[i]!))
    }
    await sleep(this.#parts.wordsTakeMs ?? WORDS_TAKE_MS)
    await this.mark()
  }

  /** Once for all nodes that changed in a row: each of them means a look at all pods. */
  settle(): void {
    if (!this.#arePlacesOld) return
    this.#arePlacesOld = false
    this.pods.placesChanged()
  }

  /** By the API server: pods of this node alone. */
  changed<R extends Resource>(resource: R, object: ClusterObjects[R], atMs: number, sinceMs?: number): void {
    if (resource !== 'pods') return
    const pod = object as ClusterPod
    this.pods.changed(pod, atMs, sinceMs)
    if (this.hostPorts.changed(pod, atMs, sinceMs)) this.#parts.onChange()
    this.questions.other(POD_PREFIX + pod.uid, this.#nowMs)
    if (pod.hostNetwork) return
    for (const address of parseAddressKeys(pod.addresses)) this.questions.address(address, this.#nowMs)
  }

  deleted(resource: Resource, uid: string, atMs: number, sinceMs?: number): void {
    if (resource !== 'pods') return
    this.pods.deleted(uid, atMs, sinceMs)
    if (this.hostPorts.deleted(uid, atMs, sinceMs)) this.#parts.onChange()
  }

  synced(resource: Resource, uids: ReadonlySet<string>, atMs: number, sinceMs?: number): void {
    if (resource !== 'pods') return
    for (const uid of [...this.pods.uids()]) if (!uids.has(uid)) this.deleted(resource, uid, atMs, sinceMs)
  }

  /** A resolver's answer. `oursMs`: a time of its clock by ours. */
  told(key: PeerKey, answer: Answer, oursMs: (theirMs: number) => number): void {
    const question = this.questions.of(key)
    if (!question) return
    question.tag = answer.tag
    if (key.startsWith(POD_PREFIX)) this.#toldOwnPod(key.slice(POD_PREFIX.length), answer)
    else if (isNodePortKey(key)) this.services.toldNodePort(pointOfKey(key), answer.services ?? [], oursMs)
    else this.#toldAddress(parseAddressKey(key)!, answer, oursMs)
    const mayDiffer = question.isAnswered || question.wasMissed
    question.isAnswered = true
    if (mayDiffer) this.#parts.onChange()
  }

  toldNodes(message: NodesMessage): void {
    if (!this.#toldNodes.told(message)) return
    this.#arePlacesOld = true
    this.#parts.onChange()
  }

  /** As `tcp/30080`. */
  toldNodePorts(all: readonly string[], tag: string): void {
    this.#nodePorts = new Set(all.map(nodePortPoint))
    this.#nodePortsTag = tag
    this.#parts.onChange()
  }

  /** Of what the resolver knows nothing at all. */
  set lacks(reasons: Reasons) {
    const lacksSomething = Object.keys(reasons).length > 0
    if (lacksSomething === this.#lacksSomething) return
    this.#lacksSomething = lacksSomething
    this.#parts.onChange()
  }

  /** Nobody tells us anything until somebody tells us everything anew. */
  interrupted(): void {
    this.#toldNodes.interrupted()
  }

  confirmed({ sinceMs, untilMs }: Confirmed): void {
    this.#heard.heard(sinceMs, untilMs, this.#parts.clock.nowMs())
    if (this.#unheardMs >= this.#heard.untilMs) return
    this.#unheardMs = Number.POSITIVE_INFINITY
    this.#parts.onChange()
  }

  get #nowMs(): number {
    return this.#parts.clock.monotonicMs()
  }

  #toldAddress(address: AddressKey, answer: Answer, oursMs: (theirMs: number) => number): void {
    const nowMs = this.#parts.clock.nowMs()
    const claims = (answer.pods ?? []).map(each => claimOf(each, theirMs => Math.min(oursMs(theirMs), nowMs)))
    this.#toldPods.told(address, claims, nowMs)
    this.services.told(address, answer.services ?? [], answer.endpoint, oursMs)
  }

  /** What our own watch does not say of it: what it is a part of, and the ports of the Services that it is behind. */
  #toldOwnPod(uid: string, { workload, ports = [] }: Answer): void {
    if (workload) this.#owners.told(uid, workload)
    this.#setServedPorts(uid, ports)
  }

  #setServedPorts(uid: string, ports: readonly string[]): void {
    const record = this.pods.known(uid)
    if (record?.isTold === false) this.pods.setServedBy(record, ports.length > 0 ? [{ service: '', ports }] : [])
  }

  #askNodePort(point: number): Question | undefined {
    return this.#nodePorts.has(point) ? this.questions.other(nodePortKey(point), this.#nowMs) : undefined
  }

  #missNodePort(point: number): void {
    const question = this.#askNodePort(point)
    if (!question) return
    if (!question.isAnswered) question.wasMissed = true
    if (this.#isSweeping) question.usedMs = this.#nowMs
  }

  /** Between the two halves all flows that go on are asked for again. */
  #sweep(): void {
    const nowMs = this.#nowMs
    if (!this.#isSweeping) {
      if (nowMs - this.#sweptAtMs < SWEEP_MS) return
      this.#sweptAtMs = nowMs
      this.#isSweeping = true
      return void this.#parts.onChange()
    }
    this.#isSweeping = false
    this.#useOwnPods(nowMs)
    const { addresses, others } = this.questions.sweep(nowMs - UNUSED_MS)
    for (const address of addresses) {
      this.#toldPods.forget(address)
      this.services.forget(address)
    }
    for (const key of others) {
      if (isNodePortKey(key)) this.services.forgetNodePort(pointOfKey(key))
      else this.#forgetOwnPod(key.slice(POD_PREFIX.length))
    }
    this.#toldPods.sweep()
    this.services.sweep()
  }

  #useOwnPods(nowMs: number): void {
    const addresses = this.pods.ownPods().flatMap(pod => parseAddressKeys(pod.addresses))
    const questions = [
      ...[...this.pods.uids()].map(uid => this.questions.of(POD_PREFIX + uid)),
      ...addresses.map(address => this.questions.ofAddress(address)),
    ]
    for (const question of questions) if (question) question.usedMs = nowMs
  }

  #forgetOwnPod(uid: string): void {
    this.#owners.forget(uid)
    this.#setServedPorts(uid, [])
  }
}

function claimOf(
  { created, seen, left, ended, ready, readySince, labels = {}, ...pod }: ClaimMessage,
  ours: (ms: number) => number,
): ToldClaim {
  return {
    pod: { ...pod, isReady: ready, becameReadyMs: readySince === undefined ? undefined : ours(readySince), labels },
    ...{ createdMs: created, seenMs: ours(seen) },
    ...(left !== undefined && { leavingMs: ours(left) }),
    ...(ended !== undefined && { endedMs: ours(ended) }),
  }
}
