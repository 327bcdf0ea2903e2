// Follows what devices count while they are to be observed and are not attached.
import { countsOf, UnattachedDevice } from '../aggregate/unattached-device.ts'
import type { Attachment, FlowSource } from '../capture/flow-source.ts'
import type { Clock } from '../host/clock.ts'
import { Failure } from '../host/failure.ts'
import { deviceKey } from './interface-key.ts'
import { linksIn } from './links-in.ts'
import type { TrackedInterface } from './tracked-interface.ts'

export interface UnattachedWatchParts {
  readonly source: Pick<FlowSource, 'links'>
  readonly clock: Clock
}

/** A look at one takes RTNL for the time of a dump. */
const READ_AT_ONCE = 20

export class UnattachedWatch {
  readonly #parts: UnattachedWatchParts
  readonly #onCounted: (device: UnattachedDevice) => void
  readonly #told = new WeakSet<UnattachedDevice>()
  #endedUnread = 0

  /** `onCounted`: called once with each device that has counted something meanwhile. */
  constructor(parts: UnattachedWatchParts, onCounted: (device: UnattachedDevice) => void) {
    this.#parts = parts
    this.#onCounted = onCounted
  }

  /** Devices that were never attached and whose last packets nobody has read. */
  get endedUnread(): number {
    return this.#endedUnread
  }

  /** To be called with each dump that has the interface's device. */
  read(tracked: TrackedInterface): void {
    if (tracked.made || tracked.isAttaching || !tracked.found) return
    const counts = countsOf(tracked.found.link, tracked.found.place)
    if (!counts) return
    const { owner, subject, isNew, unattached } = tracked
    if (unattached) {
      unattached.owner = owner
      unattached.read(counts)
    } else
      tracked.unattached = new UnattachedDevice(counts, { owner, subject, isNew, nowMs: this.#parts.clock.nowMs() })
    this.#tell(tracked.unattached!)
  }

  /** Reads the devices that can't be attached; of many those that were not read for longest. */
  async readFailed(all: Iterable<TrackedInterface>): Promise<void> {
    const { source, clock } = this.#parts
    const failed = [...all].filter(({ state, found, made }) => state === 'failed' && found && !made)
    for (const tracked of failed.sort((a, b) => a.readAtMs - b.readAtMs).slice(0, READ_AT_ONCE)) {
      tracked.readAtMs = clock.monotonicMs()
      const links = await linksIn(source, tracked.wanted.netns)
      if (links instanceof Failure || !tracked.found) continue
      const link = links.find(each => deviceKey(tracked.wanted, each) === tracked.key)
      if (!link) continue
      tracked.found = { ...tracked.found, link }
      this.read(tracked)
    }
  }

  attached(tracked: TrackedInterface, { countedBefore }: Attachment): void {
    if (countedBefore && tracked.found) tracked.unattached?.readLast(countedBefore, tracked.found.place)
    this.#end(tracked)
  }

  /** To be called when the interface is gone, or not wanted any more. */
  ended(tracked: TrackedInterface): void {
    if (!tracked.made && tracked.found) this.#endedUnread++
    this.#end(tracked)
  }

  #end({ unattached }: TrackedInterface): void {
    if (!unattached || unattached.endedAtMs !== undefined) return
    this.#tell(unattached)
    unattached.endedAtMs = this.#parts.clock.nowMs()
  }

  #tell(device: UnattachedDevice): void {
    if (!device.hasCounted || this.#told.has(device)) return
    this.#told.add(device)
    this.#onCounted(device)
  }
}
