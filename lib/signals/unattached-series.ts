// The series of `podweir.pod.network.unobserved` of devices that are to be observed and are not attached.
import { directions } from '../aggregate/interface-account.ts'
import type { InterfaceLedger, Queue } from '../aggregate/interface-ledger.ts'
import type { UnattachedDevice } from '../aggregate/unattached-device.ts'
import { attribute } from './attribute-names.ts'
import { momentOfEnd, ownerAttributes, waitsForName } from './interface-attributes.ts'
import type { Points } from './metric-data.ts'
import type { Moment, Series, SeriesWriter } from './series.ts'

interface Watched {
  readonly device: UnattachedDevice
  /** In the order of `directions`. */
  readonly series: readonly Series[]
}

export class UnattachedSeries {
  readonly #arrivals: Queue<UnattachedDevice>
  readonly #writer: SeriesWriter
  #unnamed: UnattachedDevice[] = []
  #watched: Watched[] = []

  constructor(ledger: InterfaceLedger, writer: SeriesWriter) {
    this.#arrivals = ledger.unattachedQueue()
    this.#writer = writer
  }

  /** Ends with what it has delivered of those that were attached, or are gone; of them at most `limit` are kept. */
  collect(points: Points, moment: Moment, limit: number): void {
    const waiting: UnattachedDevice[] = []
    for (const device of [...this.#unnamed, ...this.#arrivals.take()])
      if (waitsForName(device, device.sinceMs, moment.nowMs)) waiting.push(device)
      else this.#watched.push({ device, series: this.#seriesOf(device) })
    this.#unnamed = waiting
    this.#watched = this.#watched.filter(({ device, series }) => {
      const isEnded = device.endedAtMs !== undefined
      return !isEnded || !series.every((each, i) => each.isDelivered(device.unobserved[directions[i]!]))
    })
    if (this.#watched.length > limit) this.#watched = this.#watched.slice(-limit)
    for (const { device, series } of this.#watched) {
      const at = momentOfEnd(device.endedAtMs, moment)
      for (const [i, each] of series.entries()) this.#writer.write(points, each, device.unobserved[directions[i]!], at)
    }
  }

  #seriesOf(device: UnattachedDevice): Series[] {
    const attributes = {
      ...ownerAttributes(device.owner, device.subject),
      [attribute.interfaceName]: device.owner.device,
    }
    return directions.map(direction =>
      this.#writer.begin({ ...attributes, [attribute.ioDirection]: direction }, device.sinceMs),
    )
  }
}
