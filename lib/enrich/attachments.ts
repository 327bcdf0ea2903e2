// Keeps the wanted interfaces attached, and knows which pod each attached interface belongs to.
import { isNamed } from '../aggregate/edge-end.ts'
import type { InterfaceOwner } from '../aggregate/identity.ts'
import type { UnattachedDevice } from '../aggregate/unattached-device.ts'
import type { Attachment, AttachRequest, FlowSource, Link, Place } from '../capture/flow-source.ts'
import type { Clock } from '../host/clock.ts'
import { Failure } from '../host/failure.ts'
import type { Log } from '../host/log.ts'
import { tellAbsent, tellAttached } from './attach-messages.ts'
import { AttachQueue } from './attach-queue.ts'
import { reasonOf } from './attach-reason.ts'
import { Attacher } from './attacher.ts'
import { BACK_OFF, BackOff, type BackOffTimes } from './back-off.ts'
import { absentKey, deviceKey, namespaceKey } from './interface-key.ts'
import { type FoundDevice, matchDevices, type WantedInterface } from './interface-plan.ts'
import { linksIn, linksInAll } from './links-in.ts'
import { NameWait } from './name-wait.ts'
import { TrackedInterface } from './tracked-interface.ts'
import { UnattachedWatch } from './unattached-watch.ts'

export interface AttachmentsParts {
  readonly source: FlowSource
  readonly attach: 'auto' | Place
  readonly hook: AttachRequest['hook']
  /** Least time from one attach to the next, ms; 0: none. */
  readonly paceMs: number
  readonly log: Log
  readonly clock: Clock
  /** Called when the interface's slot is known to `owner`. */
  readonly onAttached: (attachment: Attachment, request: AttachRequest) => void
  /** Called once with each device that counts while it is to be observed and is not. */
  readonly onUnattached?: (device: UnattachedDevice) => void
  readonly backOff?: BackOffTimes
}

export class Attachments {
  /** Interfaces that had lost our programs and have them again. */
  reattachments = 0
  readonly #parts: AttachmentsParts
  readonly #queue: AttachQueue
  readonly #attacher: Attacher
  readonly #unattached: UnattachedWatch
  readonly #nameless: NameWait
  readonly #tracked = new Map<string, TrackedInterface>()
  readonly #owners = new Map<number, InterfaceOwner>()
  /** Devices that the inventory lists: one that was away for a moment is not a new one. */
  readonly #begun = new Set<string>()
  #wanted: readonly WantedInterface[] = []
  #matching: Promise<void> = Promise.resolve()
  #hasMatched = false
  #stopped = false

  constructor(parts: AttachmentsParts) {
    this.#parts = parts
    this.#queue = new AttachQueue(parts)
    this.#attacher = new Attacher(parts)
    this.#nameless = new NameWait(parts)
    this.#unattached = new UnattachedWatch(parts, parts.onUnattached ?? (() => {}))
  }

  owner(interfaceSlot: number): InterfaceOwner | undefined {
    return this.#owners.get(interfaceSlot)
  }

  interfaces(): Iterable<TrackedInterface> {
    return this.#tracked.values()
  }

  /**
   * Queues what is wanted and not yet attached, detaches what is no longer wanted or is gone. One at a time; resolves
   * without waiting for the queue.
   */
  reconcile(wanted: readonly WantedInterface[]): Promise<void> {
    this.#wanted = wanted
    // One that failed has told its caller; the next one is to run all the same.
    this.#matching = this.#matching.catch(() => {}).then(() => this.#match(wanted))
    return this.#matching
  }

  /** Devices that went away unattached, and whose last packets nobody has read. */
  get endedUnread(): number {
    return this.#unattached.endedUnread
  }

  /** Reads what the devices count that can't be attached; to be called about once a second. */
  async readFailed(): Promise<void> {
    await this.#unattached.readFailed(this.#tracked.values())
  }

  /** Resolves when everything that was found has had its turn. */
  settled(): Promise<void> {
    return this.#queue.settled()
  }

  /** Resolves when nothing is being attached any more; what is attached stays until the source closes. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#queue.stop()
    await this.#matching.catch(() => {})
    await this.#nameless.stop()
  }

  /** To be called when the interface's device is gone: one like it in its place would not be ours. */
  async lost(interfaceSlot: number): Promise<void> {
    const tracked = this.#bySlot(interfaceSlot)
    if (!tracked) return
    await this.#drop(tracked)
    await this.reconcile(this.#wanted).catch(error => this.#parts.log.error((error as Error).message))
  }

  /** To be called when somebody took our programs off the interface, as often as one likes. */
  removed(interfaceSlot: number): void {
    const { clock, log } = this.#parts
    const tracked = this.#bySlot(interfaceSlot)
    if (!tracked || (tracked.state !== 'attached' && tracked.state !== 'degraded')) return
    tracked.progress.become('wanted', 'removed', clock.nowMs())
    const { subject } = tracked
    log.warn({ subject }, `attach ${subject}: somebody removed our programs from ${tracked.device}; attaching again`)
    this.#reattachLater(tracked)
  }

  /** To be called when packets reach the pod past the interface, as often as one likes. */
  bypassed(interfaceSlot: number): void {
    const tracked = this.#bySlot(interfaceSlot)
    if (tracked?.state !== 'attached' || !tracked.progress.become('degraded', 'bypass', this.#parts.clock.nowMs()))
      return
    const { subject } = tracked
    this.#parts.log.warn(
      { subject },
      `attach ${subject}: packets reach the pod past ${tracked.attachment?.device}, as a CNI's redirect delivers them; attach: pod would see them`,
    )
  }

  /** To be called when the interface's last row has been read: the slot may be given to another. */
  forget(interfaceSlot: number): void {
    this.#owners.delete(interfaceSlot)
  }

  async #match(wanted: readonly WantedInterface[]): Promise<void> {
    const present = new Set<string>()
    const claimed = new Set<string>()
    const look = (each: WantedInterface, links: Link[] | Failure) => {
      const found = links instanceof Failure ? [] : matchDevices(each, links)
      if (found.length === 0) present.add(this.#noteAbsent(each, links))
      for (const device of found) {
        const key = deviceKey(each, device.link)
        // Who comes first in the inventory has the device: twice attached would be twice counted.
        if (claimed.has(key)) continue
        claimed.add(key)
        present.add(key)
        this.#queueUp(this.#known(key, each, device) ?? this.#begin(key, each, device))
      }
    }
    const { source } = this.#parts
    const known = new Set([...this.#tracked.values()].map(each => namespaceKey(each.wanted)))
    const isNew = (each: WantedInterface) => !known.has(namespaceKey(each))
    // A pod that begins does not wait until all others have been looked at. Entries of one namespace keep their order.
    for (const each of wanted.filter(isNew)) {
      if (this.#stopped) return
      look(each, await linksIn(source, each.netns))
    }
    const others = wanted.filter(each => !isNew(each))
    const dumps = await linksInAll(source, others)
    if (this.#stopped) return
    for (const each of others) look(each, dumps.get(each.netns)!)
    this.#hasMatched = true
    for (const tracked of [...this.#tracked.values()]) if (!present.has(tracked.key)) await this.#drop(tracked)
  }

  #begin(key: string, wanted: WantedInterface, found: FoundDevice): TrackedInterface {
    const tracked = this.#track(key, { wanted, found })
    const absent = this.#tracked.get(absentKey(wanted))
    tracked.isAwaited = absent !== undefined
    const { known: begun = this.#begun } = wanted
    const isFirst = !begun.has(key) && (begun !== this.#begun || absent?.reason === 'absent')
    // Hardware that was moved here has counted elsewhere.
    tracked.isNew = isFirst && found.link.kind !== ''
    begun.add(key)
    this.#tracked.set(key, tracked)
    return tracked
  }

  #track(key: string, parts: { wanted: WantedInterface; found?: FoundDevice }): TrackedInterface {
    const { clock, backOff = BACK_OFF } = this.#parts
    return new TrackedInterface(key, { ...parts, backOff: new BackOff(backOff), nowMs: clock.nowMs() })
  }

  #noteAbsent(wanted: WantedInterface, links: Link[] | Failure): string {
    const key = absentKey(wanted)
    const known = this.#tracked.get(key)
    const tracked = known ?? this.#track(key, { wanted })
    const reason = links instanceof Failure ? reasonOf(links) : 'absent'
    tracked.progress.become(reason === 'absent' ? 'wanted' : 'failed', reason, this.#parts.clock.nowMs())
    if (known) return key
    this.#tracked.set(key, tracked)
    tellAbsent(this.#parts.log, wanted, links)
    return key
  }

  /** The inventory may have renamed the pod, somebody the device. */
  #known(key: string, wanted: WantedInterface, found: FoundDevice): TrackedInterface | undefined {
    const tracked = this.#tracked.get(key)
    tracked?.follow(wanted, found)
    if (tracked) this.#tellOwner(tracked)
    return tracked
  }

  #tellOwner({ attachment, owner }: TrackedInterface): void {
    if (!attachment) return
    this.#owners.set(attachment.interfaceSlot, owner)
    if (isNamed(owner.identity)) void this.#nameless.release(attachment.interfaceSlot)
  }

  #queueUp(tracked: TrackedInterface): void {
    this.#unattached.read(tracked)
    if (tracked.made || this.#queue.has(tracked.key)) return
    const turn = () => this.#attach(tracked)
    if (this.#hasMatched) this.#queue.addArrival(tracked.key, turn)
    else this.#queue.addToBacklog(tracked.key, turn)
  }

  async #attach(tracked: TrackedInterface): Promise<'free' | undefined> {
    // It may have waited, and a turn may have been queued while the one before it ran.
    if (tracked.made || tracked.progress.isGone) return 'free'
    const failedBefore = tracked.state === 'failed'
    try {
      const { device, ...made } = await this.#attacher.attach(tracked, this.#tracked.values())
      tracked.made = made
      this.#unattached.attached(tracked, made.attachment)
      tracked.owner = { identity: tracked.wanted.identity, device }
      if (made.request.held) this.#nameless.begin(made.attachment.interfaceSlot)
      this.#tellOwner(tracked)
      tellAttached(this.#parts.log, tracked, made.attachment, failedBefore)
      tracked.progress.become('attached', undefined, this.#parts.clock.nowMs())
      this.#parts.onAttached(made.attachment, made.request)
      // Nobody wanted it any more while we were at it.
      if (tracked.progress.isGone) await this.#detach(made.attachment)
      return made.attachment.adopted ? 'free' : undefined
    } catch (error) {
      this.#failed(tracked, error, () => this.#attach(tracked))
      return undefined
    }
  }

  #reattachLater(tracked: TrackedInterface): void {
    const delayMs = tracked.backOff.next(this.#parts.clock.monotonicMs())
    this.#queue.addLater(tracked.key, () => this.#reattach(tracked), delayMs)
  }

  async #reattach(tracked: TrackedInterface): Promise<undefined> {
    const { source, clock, log } = this.#parts
    if (!tracked.attachment || tracked.progress.isGone) return
    try {
      const wasMissing = await source.reattach(tracked.attachment.interfaceSlot)
      if (wasMissing) this.reattachments++
      tracked.progress.become('attached', undefined, clock.nowMs())
      const { subject } = tracked
      log.info({ subject }, `attach ${subject}: attached to ${tracked.device} again`)
    } catch (error) {
      this.#failed(tracked, error, () => this.#reattach(tracked))
    }
  }

  #failed(tracked: TrackedInterface, error: unknown, again: () => Promise<unknown>): void {
    const { clock, log } = this.#parts
    const { subject, key } = tracked
    if (!(error instanceof Failure)) {
      log.error({ subject, error }, `attach ${subject}: a mistake of ours`)
      tracked.progress.become('failed', 'error', clock.nowMs())
      return
    }
    const reason = reasonOf(error)
    // A device that went while it waited for its turn is nobody's fault.
    const isNews = tracked.progress.become(reason === 'absent' ? 'wanted' : 'failed', reason, clock.nowMs())
    if (isNews) log[reason === 'absent' ? 'debug' : 'error']({ subject, reason }, `attach ${subject}: ${error.message}`)
    if (!tracked.progress.isGone) this.#queue.addLater(key, again, tracked.backOff.next(clock.monotonicMs()))
  }

  #bySlot(interfaceSlot: number): TrackedInterface | undefined {
    return [...this.#tracked.values()].find(({ attachment }) => attachment?.interfaceSlot === interfaceSlot)
  }

  async #drop(tracked: TrackedInterface): Promise<void> {
    this.#tracked.delete(tracked.key)
    this.#queue.remove(tracked.key)
    tracked.progress.end()
    this.#unattached.ended(tracked)
    if (tracked.attachment) await this.#detach(tracked.attachment)
  }

  async #detach({ interfaceSlot }: Attachment): Promise<void> {
    this.#nameless.forget(interfaceSlot)
    try {
      await this.#parts.source.detach(interfaceSlot)
    } catch (error) {
      this.#parts.log.warn((error as Error).message)
    }
  }
}
