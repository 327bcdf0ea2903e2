// Follows what devices count while they are to be observed and are not attached.
import { countsOf, UnattachedDevice } from '../aggregate/unattached-device.ts'
import type { Attachment } from '../capture/flow-source.ts'
import type { Clock } from '../host/clock.ts'
import type { TrackedInterface } from './tracked-interface.ts'

export class UnattachedWatch {
  readonly #clock: Clock
  readonly #onCounted: (device: UnattachedDevice) => void
  readonly #told = new WeakSet<UnattachedDevice>()

  /** `onCounted`: called once with each device that has counted something meanwhile. */
  constructor(clock: Clock, onCounted: (device: UnattachedDevice) => void) {
    this.#clock = clock
    this.#onCounted = onCounted
  }

  /** To be called with each dump that has the interface's device. */
  read(tracked: TrackedInterface): void {
    if (tracked.made || !tracked.found) return
    const counts = countsOf(tracked.found.link, tracked.found.place)
    if (!counts) return
    if (tracked.unattached) tracked.unattached.read(counts)
    else tracked.unattached = new UnattachedDevice(tracked.owner, counts, this.#clock.nowMs())
    this.#tell(tracked.unattached)
  }

  attached(tracked: TrackedInterface, { countedBefore }: Attachment): void {
    // The dump of a host's end is in another device's numbers.
    if (countedBefore && tracked.found?.place === 'pod') tracked.unattached?.read(countedBefore)
    this.ended(tracked)
  }

  ended({ unattached }: TrackedInterface): void {
    if (!unattached || unattached.endedAtMs !== undefined) return
    this.#tell(unattached)
    unattached.endedAtMs = this.#clock.nowMs()
  }

  #tell(device: UnattachedDevice): void {
    if (!device.hasCounted || this.#told.has(device)) return
    this.#told.add(device)
    this.#onCounted(device)
  }
}
