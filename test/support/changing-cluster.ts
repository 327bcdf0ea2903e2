// A cluster in which everything changes all the time, by a seed: few addresses, given again at once, Services that lead elsewhere.
import type {
  ClusterEndpointSlice,
  ClusterListener,
  ClusterPod,
  ClusterService,
} from '../../lib/kubernetes/cluster-objects.ts'
import type { TestFlow } from '../resolver/linked.ts'
import {
  clusterNode,
  clusterPod,
  clusterService,
  clusterSlice,
  ofDeployment,
  owner,
  tcpPort,
} from './cluster-objects.ts'
import { Randomness } from './randomness.ts'

export type Tell = (say: (listener: ClusterListener) => void) => void

const NODES = 3
const ADDRESSES_OF_NODE = 5
const SERVICES = 5
const WORKLOADS = ['web', 'api', 'db']

export class ChangingCluster {
  /** How often an address went from one pod to another. */
  reused = 0
  readonly #randomness: Randomness
  #number = 0
  readonly #pods: ClusterPod[] = []
  readonly #services = new Map<string, ClusterService>()
  readonly #owners = new Map<string, string>()

  constructor(seed: number) {
    this.#randomness = new Randomness(seed)
  }

  /** A whole number below `limit`. */
  random(limit: number): number {
    return this.#randomness.below(limit)
  }

  begin(tell: Tell, nowMs: number): void {
    for (let i = 1; i <= NODES; i++) this.#changeNode(tell, nowMs, i)
    for (let i = 0; i < SERVICES; i++) this.#changeService(tell, nowMs, i)
    for (let i = 0; i < 8; i++) this.#create(tell, nowMs)
  }

  step(tell: Tell, nowMs: number): void {
    for (let i = this.random(4); i > 0; i--) {
      const kind = this.random(20)
      if (kind < 6) this.#create(tell, nowMs)
      else if (kind < 9) this.#change(tell, nowMs, pod => ({ ...pod, isTerminating: true, isReady: false }))
      else if (kind < 12) this.#delete(tell, nowMs)
      else if (kind < 13) this.#change(tell, nowMs, pod => ({ ...pod, isReady: !pod.isReady }))
      else if (kind < 14) this.#change(tell, nowMs, pod => ({ ...pod, isRunning: false, isReady: false }))
      else if (kind < 16) this.#changeService(tell, nowMs, this.random(SERVICES))
      else if (kind < 18) this.#changeSlice(tell, nowMs, this.random(SERVICES))
      else if (kind < 19) this.#changeNode(tell, nowMs, 1 + this.random(NODES))
      else this.#relist(tell, nowMs)
    }
  }

  /** Some that began in the last seconds, most of them to what is somebody's. */
  flows(nowMs: number): TestFlow[] {
    const addresses = [
      ...Array.from({ length: NODES * ADDRESSES_OF_NODE }, (_, i) => this.#address(i)),
      ...Array.from({ length: SERVICES }, (_, i) => `10.96.0.${i}`),
      ...Array.from({ length: NODES }, (_, i) => `192.168.1.${i + 1}`),
      ...['10.2.0.1', '10.2.0.200', '198.51.100.7', '203.0.113.5', '172.16.0.9', 'fd00:2::11'],
    ]
    return Array.from({ length: 1 + this.random(6) }, () => ({
      address: addresses[this.random(addresses.length)]!,
      port: [80, 443, 8080, 30_080, 30_081, 40_000][this.random(6)]!,
      atMs: nowMs - 1 - this.random(3_000),
    }))
  }

  #address(i: number): string {
    return `10.${1 + Math.floor(i / ADDRESSES_OF_NODE)}.0.${10 + (i % ADDRESSES_OF_NODE)}`
  }

  #changeNode(tell: Tell, nowMs: number, i: number): void {
    const zone = ['a', 'b', undefined][this.random(3)]
    const node = clusterNode({
      ...{ name: `n${i}`, addresses: [`192.168.1.${i}`], podCidrs: [`10.${i}.0.0/24`, `fd00:${i}::/64`] },
      ...(zone !== undefined && { zone, region: 'r' }),
    })
    tell(each => each.changed('nodes', node, nowMs))
  }

  #create(tell: Tell, nowMs: number): void {
    const slot = this.random(NODES * ADDRESSES_OF_NODE)
    const address = this.#address(slot)
    if (this.#owners.has(address)) this.reused++
    const name = `p${++this.#number}`
    this.#owners.set(address, name)
    const workload = WORKLOADS[this.random(WORKLOADS.length)]!
    const job = { owner: owner('Job', `job-${this.random(3)}`, 'batch/v1') }
    const node = `n${1 + Math.floor(slot / ADDRESSES_OF_NODE)}`
    const pod = clusterPod({
      ...{ name, node, addresses: [address, ...(slot === 6 ? ['fd00:2::11'] : [])] },
      ...{ ports: this.random(2) === 0 ? ['tcp/8080'] : [], isReady: this.random(2) === 0 },
      createdMs: Math.floor((nowMs - this.random(4_000)) / 1000) * 1000,
      ...(this.random(4) === 0 ? job : ofDeployment(workload)),
      hostNetwork: this.random(12) === 0,
    })
    this.#pods.push(pod)
    // It is heard of without its address first, now and then.
    if (this.random(3) === 0) tell(each => each.changed('pods', { ...pod, addresses: [] }, nowMs))
    tell(each => each.changed('pods', pod, nowMs))
  }

  #change(tell: Tell, nowMs: number, change: (pod: ClusterPod) => ClusterPod): void {
    if (this.#pods.length === 0) return
    const i = this.random(this.#pods.length)
    const pod = change(this.#pods[i]!)
    this.#pods[i] = pod
    tell(each => each.changed('pods', pod, nowMs))
  }

  #delete(tell: Tell, nowMs: number): void {
    if (this.#pods.length === 0) return
    const [pod] = this.#pods.splice(this.random(this.#pods.length), 1)
    tell(each => each.deleted('pods', pod!.uid, nowMs))
  }

  #changeService(tell: Tell, nowMs: number, i: number): void {
    const name = `s${i}`
    const before = this.#services.get(name)
    if (before && this.random(4) === 0) {
      this.#services.delete(name)
      tell(each => each.deleted('services', before.uid, nowMs))
      return
    }
    const shared = this.random(3) === 0 ? ['203.0.113.5'] : []
    const onNode = this.random(5) === 0 ? ['192.168.1.2'] : []
    const service = clusterService({
      ...{ name, addresses: [`10.96.0.${i}`, ...shared, ...onNode] },
      ports: [tcpPort([80, 443][this.random(2)]!, [0, 30_080, 30_081][this.random(3)])],
    })
    this.#services.set(name, service)
    tell(each => each.changed('services', service, nowMs))
  }

  #changeSlice(tell: Tell, nowMs: number, i: number): void {
    const uid = `uid-slice-s${i}`
    if (this.random(5) === 0) return void tell(each => each.deleted('endpointslices', uid, nowMs))
    const chosen = this.#pods.filter(() => this.random(4) === 0)
    const strangers = this.random(5) === 0 ? [{ addresses: ['198.51.100.7'], isReady: true }] : []
    const slice: ClusterEndpointSlice = clusterSlice({
      ...{ service: `s${i}`, uid, ports: ['tcp/8080'] },
      endpoints: [
        ...chosen.map(({ uid: podUid }) => ({ addresses: [], isReady: this.random(3) > 0, podUid })),
        ...strangers,
      ],
    })
    tell(each => each.changed('endpointslices', slice, nowMs))
  }

  /** Everything is told anew, without those that went meanwhile. */
  #relist(tell: Tell, nowMs: number): void {
    if (this.#pods.length > 0) this.#pods.splice(this.random(this.#pods.length), 1)
    for (const pod of this.#pods) tell(each => each.changed('pods', pod, nowMs))
    const uids = new Set(this.#pods.map(({ uid }) => uid))
    tell(each => each.synced('pods', uids, nowMs))
  }
}
