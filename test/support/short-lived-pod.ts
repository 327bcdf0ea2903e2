// A pod as a container runtime makes it: namespace, device, sandbox; it sends, and is gone. What it has is used again.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { ipBatch } from '../../lib/demo/iproute.ts'
import { runTraffic } from '../../lib/demo/traffic-program.ts'
import { CgroupProcess } from './cgroup-process.ts'

export interface PodParts {
  /** Tells pods apart that are there at the same time, 1 to 250: device of the node, address and MAC come of it. */
  readonly lane: number
  readonly uid?: string
  /** Name of the namespace; absent: one that a runtime would give. */
  readonly netns?: string
}

const NETWORK_MS = 100
const FIRST_PACKET_MS = 50
const WORK_MS = 500
const GATEWAY_MAC = '02:78:00:00:ff:ff'

export class ShortLivedPod {
  readonly uid: string
  readonly netns: string
  readonly hostDevice: string
  readonly #lane: number
  #sandbox: CgroupProcess | undefined

  private constructor({ lane, uid = randomUUID(), netns = `cni-${randomUUID()}` }: PodParts) {
    this.uid = uid
    this.netns = netns
    this.hostDevice = `pws${process.pid}x${lane}`
    this.#lane = lane
  }

  /** Namespace and device, without a process. `with`: commands of iproute2 right before, in the same breath. */
  static async create(parts: PodParts, { before = [] }: { before?: readonly string[] } = {}): Promise<ShortLivedPod> {
    const pod = new ShortLivedPod(parts)
    const { lane } = parts
    const address = `02:78:00:00:00:${lane.toString(16).padStart(2, '0')}`
    await ipBatch([
      ...before,
      `netns add ${pod.netns}`,
      `link add ${pod.hostDevice} type veth peer name eth0 netns ${pod.netns} index 2 address ${address}`,
      `link set ${pod.hostDevice} addrgenmode none`,
      `link set ${pod.hostDevice} up`,
    ])
    await ipBatch(
      [
        'link set eth0 addrgenmode none',
        `address add ${pod.address}/16 dev eth0`,
        'link set eth0 up',
        `neighbour add 10.78.255.1 lladdr ${GATEWAY_MAC} dev eth0 nud permanent`,
      ],
      pod.netns,
    )
    return pod
  }

  get path(): string {
    return `/run/netns/${this.netns}`
  }

  get address(): string {
    return `10.78.0.${this.#lane}`
  }

  get process(): number | undefined {
    return this.#sandbox?.pid
  }

  /** Its first process. */
  async begin(): Promise<void> {
    const container = this.uid.replaceAll('-', '').repeat(2)
    this.#sandbox = await CgroupProcess.start(this.path, `kubepods/burstable/pod${this.uid}/${container}`)
  }

  /** Datagrams that nobody answers. Resolves to how many were sent. */
  async send(port: number, count: number): Promise<number> {
    const to = ['--to', '10.78.255.1', '--port', port, '--count', count]
    const { sent } = await runTraffic('udp-send', { netns: this.netns, forSeconds: 20, arguments: to.map(String) })
    return sent!
  }

  async end(): Promise<void> {
    await this.#sandbox?.end()
    this.#sandbox = undefined
  }

  /** The commands that take it away; a namespace's own end comes a moment later, its devices' at once. */
  get removal(): string[] {
    return [`link del ${this.hostDevice}`, `netns del ${this.netns}`]
  }

  async remove(): Promise<void> {
    await this.end()
    for (const command of this.removal) await ipBatch([command]).catch(() => {})
  }

  /** A whole life: its first packet comes 50 ms after its first process. Resolves to what it sent. */
  static async live(parts: PodParts, port: number, count: number): Promise<number> {
    const pod = await ShortLivedPod.create(parts)
    try {
      // A runtime starts the sandbox when the CNI has made the network.
      await sleep(NETWORK_MS)
      await pod.begin()
      await sleep(FIRST_PACKET_MS)
      const sent = await pod.send(port, count)
      await sleep(WORK_MS)
      return sent
    } finally {
      await pod.remove()
    }
  }
}
