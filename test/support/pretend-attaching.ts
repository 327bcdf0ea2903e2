// A capture that only attaches: the devices of each namespace and the fate of each attach are what a test says.
import type { Attachment, AttachRequest, FlowSource, Link, Namespace } from '../../lib/capture/flow-source.ts'
import type { Failure } from '../../lib/host/failure.ts'
import { flowBatch } from './flow-batch.ts'

export function vethIn(index: number, parts: Partial<Link> = {}): Link {
  return {
    ...{ index, name: `eth${index}`, kind: 'veth', ethernet: true, loopback: false, up: true },
    ...{ peerIndex: 100 + index, peerNamespaceId: 0, address: `02:00:00:00:00:${index}` },
    ...parts,
  }
}

export class PretendAttaching implements FlowSource {
  /** By path; absent: the namespace has no device. */
  readonly linksIn = new Map<string, Link[]>()
  readonly requests: AttachRequest[] = []
  readonly detached: number[] = []
  readonly reattached: number[] = []
  /** What comes next is refused with it. */
  refusal: Failure | undefined
  /** What the device had counted when it was attached. */
  countedBefore: Attachment['countedBefore']
  /** Each attach waits for it. */
  gate: Promise<void> = Promise.resolve()
  #slot = 0

  async attach(request: AttachRequest): Promise<Attachment> {
    this.requests.push(request)
    await this.gate
    if (this.refusal) throw this.refusal
    const { device, place } = request
    const counters = { transmitCounter: 'skb', receiveCounter: 'skb', baselineExact: true } as const
    const interfaceSlot = ++this.#slot
    const before = this.countedBefore && { countedBefore: this.countedBefore }
    return {
      interfaceSlot,
      device,
      place,
      hook: 'tcx',
      attachedAtMs: 1_000,
      replacedStale: false,
      adopted: false,
      ...counters,
      ...before,
    }
  }

  async reattach(interfaceSlot: number): Promise<boolean> {
    this.reattached.push(interfaceSlot)
    if (this.refusal) throw this.refusal
    return true
  }

  async release(): Promise<void> {}

  async setOutOfScope(): Promise<void> {}

  async detach(interfaceSlot: number): Promise<void> {
    this.detached.push(interfaceSlot)
  }

  async drain() {
    return flowBatch()
  }

  async links(netns = ''): Promise<Link[]> {
    return this.linksIn.get(netns) ?? []
  }

  linksOf(netns: readonly string[]): Promise<Link[][]> {
    return Promise.all(netns.map(path => this.links(path)))
  }

  async survey() {
    return { namespaces: [], links: [], mayEnter: true, namesPending: false }
  }

  async addresses() {
    return []
  }

  watch() {
    return { close() {} }
  }

  async namespaces(): Promise<Namespace[]> {
    return []
  }

  async close(): Promise<void> {}
}
