// The series of `podweir.pod.network.unobserved` of devices that are to be observed and are not attached.
import { directions } from '../aggregate/interface-account.ts'
import type { InterfaceLedger, Queue } from '../aggregate/interface-ledger.ts'
import type { UnattachedDevice } from '../aggregate/unattached-device.ts'
import { attribute } from './attribute-names.ts'
import { ownerAttributes, waitsForName } from './interface-attributes.ts'
import type { PodStreams } from './pod-streams.ts'
import type { SeriesWriter } from './series.ts'
import type { SharedSets } from './shared-sets.ts'

interface Watched {
  readonly device: UnattachedDevice
  /** In the order of `directions`. */
  readonly series: readonly number[]
}

export class UnattachedSeries {
  readonly #arrivals: Queue<UnattachedDevice>
  readonly #sets: SharedSets
  readonly #streams: PodStreams
  readonly #writer: SeriesWriter
  #unnamed: UnattachedDevice[] = []
  #watched: Watched[] = []

  constructor(ledger: InterfaceLedger, sets: SharedSets, streams: PodStreams, writer: SeriesWriter) {
    this.#arrivals = ledger.unattachedQueue()
    this.#sets = sets
    this.#streams = streams
    this.#writer = writer
  }

  write(): void {
    const waiting: UnattachedDevice[] = []
    for (const device of [...this.#unnamed, ...this.#arrivals.take()])
      if (waitsForName(device, device.sinceMs, this.#writer.nowMs)) waiting.push(device)
      else this.#watched.push({ device, series: this.#begin(device) })
    this.#unnamed = waiting
    this.#watched = this.#watched.filter(({ device: { unobserved, endedAtMs: timeMs }, series }) => {
      for (const [i, direction] of directions.entries())
        if (timeMs === undefined) this.#writer.write(series[i]!, unobserved[direction])
        else this.#writer.end(series[i]!, { value: unobserved[direction], timeMs })
      return timeMs === undefined
    })
  }

  #begin({ owner, subject, sinceMs }: UnattachedDevice): number[] {
    const base = this.#sets.base({ ...ownerAttributes(owner, subject), [attribute.interfaceName]: owner.device })
    const streams = this.#streams.of(owner)
    return directions.map(direction => this.#writer.begin(streams.get(direction)![2], base, sinceMs))
  }
}
