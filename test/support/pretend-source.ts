// A capture with one pod interface, whose drains a test writes.
import type { Attachment, AttachRequest, FlowSource, Link, Namespace, Survey } from '../../lib/capture/flow-source.ts'
import { type BatchParts, flowBatch } from './flow-batch.ts'

const link: Link = {
  ...{ index: 2, name: 'eth0', kind: 'veth', ethernet: true, loopback: false, up: true },
  ...{ peerIndex: 7, peerNamespaceId: 0, address: '02:00:00:00:00:01' },
}

export class PretendSource implements FlowSource {
  /** Drains to come; then there is nothing new. */
  readonly batches: BatchParts[] = []
  closed = false
  #sequence = 0

  async attach({ device, place }: AttachRequest): Promise<Attachment> {
    const counters = { transmitCounter: 'skb', receiveCounter: 'skb', baselineExact: true } as const
    return {
      interfaceSlot: 1,
      device,
      place,
      hook: 'tcx',
      attachedAtMs: 1_000,
      replacedStale: false,
      adopted: false,
      ...counters,
    }
  }

  async drain() {
    return flowBatch({ sequence: ++this.#sequence, ...this.batches.shift() })
  }

  async links(): Promise<Link[]> {
    return [link]
  }

  linksOf(netns: readonly string[]): Promise<Link[][]> {
    return Promise.all(netns.map(() => this.links()))
  }

  async namespaces(): Promise<Namespace[]> {
    return []
  }

  async reattach(): Promise<boolean> {
    return true
  }

  async survey(): Promise<Survey> {
    return { namespaces: [], links: [], mayEnter: true, namesPending: false }
  }

  async addresses() {
    return []
  }

  watch() {
    return { close() {} }
  }

  async detach(): Promise<void> {}

  async release(_interfaceSlot: number): Promise<void> {}

  async setOutOfScope(_interfaceSlot: number, _out: boolean): Promise<void> {}

  async close(): Promise<void> {
    this.closed = true
  }
}
