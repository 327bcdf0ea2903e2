// Keeps the wanted interfaces attached, and knows which pod each attached interface belongs to.
import type { InterfaceOwner } from '../aggregate/identity.ts'
import type { Attachment, AttachRequest, FlowSource, Link, Namespace, Place } from '../capture/flow-source.ts'
import type { Clock } from '../host/clock.ts'
import { Failure } from '../host/failure.ts'
import type { Log } from '../host/log.ts'
import { type FoundDevice, matchDevices, type WantedInterface } from './interface-plan.ts'

export interface AttachmentsParts {
  readonly source: FlowSource
  readonly attach: 'auto' | Place
  readonly hook: AttachRequest['hook']
  readonly log: Log
  readonly clock: Clock
  /** Called when the interface's slot is known to `owner`. */
  readonly onAttached: (attachment: Attachment) => void
}

/** How far we got with one interface. */
export interface TrackedInterface {
  readonly subject: string
  readonly device: string
  readonly owner: InterfaceOwner
  readonly state: 'wanted' | 'attached' | 'failed'
  readonly reason?: string
  readonly attachment?: Attachment
  readonly sinceMs: number
}

const NO_DEVICE = 'absent'

export class Attachments {
  readonly #parts: AttachmentsParts
  readonly #tracked = new Map<string, TrackedInterface>()
  readonly #owners = new Map<number, InterfaceOwner>()
  #reconciling: Promise<void> = Promise.resolve()

  constructor(parts: AttachmentsParts) {
    this.#parts = parts
  }

  owner(interfaceSlot: number): InterfaceOwner | undefined {
    return this.#owners.get(interfaceSlot)
  }

  interfaces(): Iterable<TrackedInterface> {
    return this.#tracked.values()
  }

  /** Attaches what is wanted and not yet attached, detaches what is no longer wanted or is gone. One at a time. */
  reconcile(wanted: readonly WantedInterface[]): Promise<void> {
    this.#reconciling = this.#reconciling.then(() => this.#reconcile(wanted))
    return this.#reconciling
  }

  /** To be called when the interface's last row has been read: the slot may be given to another. */
  forget(interfaceSlot: number): void {
    this.#owners.delete(interfaceSlot)
  }

  async #reconcile(wanted: readonly WantedInterface[]): Promise<void> {
    const present = new Set<string>()
    const claimed = new Set<string>()
    for (const each of wanted) {
      const links = await this.#links(each)
      const found = links ? matchDevices(each, links) : []
      if (found.length === 0) present.add(this.#noteAbsent(each))
      for (const device of found) {
        // Who comes first in the inventory has the device: twice attached would be twice counted.
        const place = `${each.netns ?? ''} ${device.link.index}`
        if (claimed.has(place)) continue
        claimed.add(place)
        present.add(await this.#ensure(each, device))
      }
    }
    for (const [key, { attachment }] of this.#tracked) {
      if (present.has(key)) continue
      this.#tracked.delete(key)
      if (attachment) await this.#detach(attachment)
    }
  }

  /** undefined: the namespace isn't there. */
  async #links({ netns }: WantedInterface): Promise<Link[] | undefined> {
    try {
      return await this.#parts.source.links(netns)
    } catch {
      return undefined
    }
  }

  #noteAbsent({ subject, netns, device, identity }: WantedInterface): string {
    const key = `${subject} ${netns ?? ''} ${device ?? ''}`
    if (this.#tracked.has(key)) return key
    const owner = { identity, device: device ?? '' }
    const sinceMs = this.#parts.clock.nowMs()
    this.#tracked.set(key, { subject, device: device ?? '', owner, state: 'wanted', reason: NO_DEVICE, sinceMs })
    const cause = netns ? `${netns} has no device ${device ?? 'of Ethernet'}` : `this machine has no device ${device}`
    this.#parts.log.warn({ subject }, `attach ${subject}: ${cause}; it will be attached when it appears`)
    return key
  }

  async #ensure(wanted: WantedInterface, found: FoundDevice): Promise<string> {
    const { subject, netns, identity } = wanted
    // The address tells a device from a later one of the same name and index.
    const key = `${subject} ${netns ?? ''} ${found.link.name} ${found.link.index} ${found.link.address}`
    const known = this.#tracked.get(key)
    if (known?.state === 'attached') {
      this.#follow(known, wanted, key)
      return key
    }
    const sinceMs = this.#parts.clock.nowMs()
    const track = (owner: InterfaceOwner, rest: Pick<TrackedInterface, 'state' | 'reason' | 'attachment'>) =>
      this.#tracked.set(key, { subject, device: found.link.name, owner, sinceMs, ...rest })
    try {
      const { attachment, device } = await this.#attach(netns, found)
      const owner = { identity, device }
      this.#owners.set(attachment.interfaceSlot, owner)
      track(owner, { state: 'attached', attachment })
      this.#noteAttached(attachment, subject)
      this.#parts.onAttached(attachment)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      track({ identity, device: found.link.name }, { state: 'failed', reason: error.step })
      if (known?.state !== 'failed') this.#parts.log.error({ subject }, error.message)
    }
    return key
  }

  /** The inventory may have renamed the pod. */
  #follow(known: TrackedInterface, { identity }: WantedInterface, key: string): void {
    if (known.owner.identity === identity || !known.attachment) return
    const owner = { identity, device: known.owner.device }
    this.#owners.set(known.attachment.interfaceSlot, owner)
    this.#tracked.set(key, { ...known, owner })
  }

  #noteAttached(attachment: Attachment, subject: string): void {
    const { device, place, hook, baselineExact, replacedStale } = attachment
    const { log } = this.#parts
    log.debug({ subject, device, place, hook }, `attached to ${device} of ${subject}`)
    if (replacedStale) log.info({ subject }, `attach ${subject}: replaced the filter that a killed agent had left`)
    if (!baselineExact)
      log.warn({ subject }, `attach ${subject}: the device counted meanwhile; "unobserved" may be off by those packets`)
  }

  async #attach(netns: string | undefined, found: FoundDevice): Promise<{ attachment: Attachment; device: string }> {
    const { source, attach, hook } = this.#parts
    const ends = new Ends(source, netns, found)
    if (attach !== 'host') {
      try {
        const pod = await ends.pod()
        return { attachment: await source.attach({ ...pod, place: 'pod', hook }), device: pod.device }
      } catch (error) {
        // Without the right to enter the namespace the host's end is what remains.
        if (attach === 'pod' || !(error instanceof Failure) || error.step === 'attach tcx') throw error
      }
    }
    const host = await ends.host()
    const attachment = await source.attach({ device: host.device, place: 'host', hook })
    return { attachment, device: host.podDevice }
  }

  async #detach(attachment: Attachment): Promise<void> {
    try {
      await this.#parts.source.detach(attachment.interfaceSlot)
    } catch (error) {
      this.#parts.log.warn((error as Error).message)
    }
  }
}

/** The two ends of a pod's pair of devices, starting from either. */
class Ends {
  readonly #source: FlowSource
  readonly #netns: string | undefined
  readonly #found: FoundDevice

  constructor(source: FlowSource, netns: string | undefined, found: FoundDevice) {
    this.#source = source
    this.#netns = netns
    this.#found = found
  }

  async pod(): Promise<{ netns?: string; device: string }> {
    const { link, place } = this.#found
    if (place === 'pod') return { ...(this.#netns !== undefined && { netns: this.#netns }), device: link.name }
    const namespace = await this.#namespaceOf(link.peerNamespaceId)
    const peer = namespace && (await this.#source.links(namespace.path)).find(each => each.index === link.peerIndex)
    if (peer) return { netns: namespace.path, device: peer.name }
    throw this.#missing('the namespace of its other end has no name and no process')
  }

  async host(): Promise<{ device: string; podDevice: string }> {
    const { link, place } = this.#found
    if (place === 'host') return { device: link.name, podDevice: link.name }
    const id = (await this.#source.namespaces()).find(each => each.path === this.#netns)?.id
    const hostEnds = (await this.#source.links()).filter(each => each.peerIndex === link.index)
    const end = hostEnds.find(each => each.index === link.peerIndex && each.peerNamespaceId === id)
    if (end && id !== undefined) return { device: end.name, podDevice: link.name }
    throw this.#missing('its other end is not in this network namespace')
  }

  async #namespaceOf(id: number): Promise<Namespace | undefined> {
    return id < 0 ? undefined : (await this.#source.namespaces()).find(each => each.id === id)
  }

  #missing(cause: string): Failure {
    const remedy = 'name the namespace in the inventory (netns:), or attach to the other end'
    return new Failure({ step: 'find the other end of', subject: this.#found.link.name, cause, remedy })
  }
}
