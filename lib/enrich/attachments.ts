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
  readonly onAttached: (attachment: Attachment, request: AttachRequest) => void
}

/** How far we got with one interface. */
export interface TrackedInterface {
  readonly subject: string
  readonly device: string
  readonly owner: InterfaceOwner
  readonly state: 'wanted' | 'attached' | 'failed'
  readonly reason?: string
  readonly attachment?: Attachment
  /** The end that is attached, for who asks for it by the other one. */
  readonly end?: string
  readonly sinceMs: number
}

interface MadeAttachment {
  readonly attachment: Attachment
  readonly request: AttachRequest
  readonly end: string
}

const NO_DEVICE = 'absent'
const TWICE = 'attach a second time'

export class Attachments {
  readonly #parts: AttachmentsParts
  readonly #tracked = new Map<string, TrackedInterface>()
  readonly #owners = new Map<number, InterfaceOwner>()
  #reconciling: Promise<void> = Promise.resolve()
  #stopped = false

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
    // One that failed has told its caller; the next one is to run all the same.
    this.#reconciling = this.#reconciling.catch(() => {}).then(() => this.#reconcile(wanted))
    return this.#reconciling
  }

  /** Resolves when nothing is being attached any more; what is attached stays until the source closes. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#reconciling.catch(() => {})
  }

  /** To be called when the interface's device is gone: one like it in its place would not be ours. */
  async lost(interfaceSlot: number): Promise<void> {
    for (const [key, { attachment }] of this.#tracked) {
      if (attachment?.interfaceSlot !== interfaceSlot) continue
      this.#tracked.delete(key)
      await this.#detach(attachment)
    }
  }

  /** To be called when the interface's last row has been read: the slot may be given to another. */
  forget(interfaceSlot: number): void {
    this.#owners.delete(interfaceSlot)
  }

  async #reconcile(wanted: readonly WantedInterface[]): Promise<void> {
    const present = new Set<string>()
    const claimed = new Set<string>()
    for (const each of wanted) {
      if (this.#stopped) return
      const links = await this.#links(each)
      const found = links instanceof Failure ? [] : matchDevices(each, links)
      if (found.length === 0) present.add(this.#noteAbsent(each, links))
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

  /** A Failure: the namespace isn't there, or may not be entered. */
  async #links({ netns }: WantedInterface): Promise<Link[] | Failure> {
    try {
      return await this.#parts.source.links(netns)
    } catch (error) {
      if (error instanceof Failure) return error
      throw error
    }
  }

  #noteAbsent(wanted: WantedInterface, links: Link[] | Failure): string {
    const { subject, netns, device, identity } = wanted
    const key = absentKey(wanted)
    if (this.#tracked.has(key)) return key
    const owner = { identity, device: device ?? '' }
    const sinceMs = this.#parts.clock.nowMs()
    this.#tracked.set(key, { subject, device: device ?? '', owner, state: 'wanted', reason: NO_DEVICE, sinceMs })
    const place = netns ?? 'this network namespace'
    const cause =
      links instanceof Failure ? links.message : `${place} has no Ethernet device ${device ?? ''}; check ip link`
    this.#parts.log.warn({ subject }, `attach ${subject}: ${cause}; it will be attached when it appears`)
    return key
  }

  async #ensure(wanted: WantedInterface, found: FoundDevice): Promise<string> {
    const { subject, netns, identity } = wanted
    // The address tells a device from a later one of the same name and index. Not the subject: an edit of the inventory
    // moves and renames what stays attached.
    const key = `${netns ?? ''} ${found.link.name} ${found.link.index} ${found.link.address}`
    const known = this.#tracked.get(key)
    if (known?.state === 'attached') {
      this.#follow(known, wanted, key)
      return key
    }
    const sinceMs = this.#parts.clock.nowMs()
    const track = (owner: InterfaceOwner, rest: Pick<TrackedInterface, 'state' | 'reason' | 'attachment' | 'end'>) =>
      this.#tracked.set(key, { subject, device: found.link.name, owner, sinceMs, ...rest })
    try {
      const { attachment, request, device, end } = await this.#attach(netns, found)
      const owner = { identity, device }
      this.#owners.set(attachment.interfaceSlot, owner)
      track(owner, { state: 'attached', attachment, end })
      this.#noteAttached(attachment, wanted, known?.state === 'failed')
      this.#parts.onAttached(attachment, request)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      track({ identity, device: found.link.name }, { state: 'failed', reason: error.step })
      if (known?.state !== 'failed') this.#parts.log.error({ subject }, `attach ${subject}: ${error.message}`)
    }
    return key
  }

  /** The inventory may have renamed the pod. */
  #follow(known: TrackedInterface, { subject, identity }: WantedInterface, key: string): void {
    if (!known.attachment) return
    const owner = known.owner.identity === identity ? known.owner : { identity, device: known.owner.device }
    this.#owners.set(known.attachment.interfaceSlot, owner)
    this.#tracked.set(key, { ...known, subject, owner })
  }

  #noteAttached(attachment: Attachment, wanted: WantedInterface, failedBefore: boolean): void {
    const { device, place, hook, baselineExact, replacedStale } = attachment
    const { log } = this.#parts
    const { subject } = wanted
    // Who was told that it does not work is told that it does.
    const level = failedBefore || this.#tracked.has(absentKey(wanted)) ? 'info' : 'debug'
    log[level]({ subject, device, place, hook }, `attach ${subject}: attached to ${device}`)
    if (replacedStale) log.info({ subject }, `attach ${subject}: replaced the filter that a killed agent had left`)
    if (!baselineExact)
      log.warn({ subject }, `attach ${subject}: the device counted meanwhile; "unobserved" may be off by those packets`)
  }

  async #attach(netns: string | undefined, found: FoundDevice): Promise<MadeAttachment & { device: string }> {
    const { source, attach, hook } = this.#parts
    const ends = new Ends(source, netns, found)
    let atPod: Failure | undefined
    if (attach !== 'host') {
      try {
        const pod = await ends.pod()
        return { ...(await this.#attachOnce({ ...pod, place: 'pod', hook })), device: pod.device }
      } catch (error) {
        // Without the right to enter the namespace the host's end is what remains.
        if (attach === 'pod' || !(error instanceof Failure) || ['attach tcx', TWICE].includes(error.step)) throw error
        atPod = error
      }
    }
    const host = await ends.host().catch(error => {
      throw atPod ?? error
    })
    return { ...(await this.#attachOnce({ device: host.device, place: 'host', hook })), device: host.podDevice }
  }

  /** The inventory may name a pair by both of its ends. */
  async #attachOnce(request: AttachRequest): Promise<MadeAttachment> {
    const { netns = '', device } = request
    const end = `${netns} ${device}`
    for (const other of this.#tracked.values()) {
      if (other.end !== end) continue
      const cause = `it is attached already, for ${other.subject}`
      throw new Failure({ step: TWICE, subject: device, cause, remedy: 'name one end of each pair in the inventory' })
    }
    return { attachment: await this.#parts.source.attach(request), request, end }
  }

  async #detach(attachment: Attachment): Promise<void> {
    try {
      await this.#parts.source.detach(attachment.interfaceSlot)
    } catch (error) {
      this.#parts.log.warn((error as Error).message)
    }
  }
}

function absentKey({ netns, device }: WantedInterface): string {
  return `absent ${netns ?? ''} ${device ?? ''}`
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
