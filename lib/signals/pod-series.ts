// The series of `podweir.pod.*` for one receiver: what the interfaces themselves carried.
import type { Attributes } from '@opentelemetry/api'
import type { MetricData } from '@opentelemetry/sdk-metrics'
import { type Direction, directions, type InterfaceAccount } from '../aggregate/interface-account.ts'
import type { AccountQueue, InterfaceLedger } from '../aggregate/interface-ledger.ts'
import { attribute } from './attribute-names.ts'
import { interfaceAttributes, momentOfEnd } from './interface-attributes.ts'
import { metricData, type Points } from './metric-data.ts'
import { podMetric } from './metric-names.ts'
import type { Moment, Series, SeriesWriter } from './series.ts'
import { UnattachedSeries } from './unattached-series.ts'

/** Interfaces that are gone and whose last values no receiver has: when there are more, the oldest are given up. */
const ENDED_LIMIT = 4096

interface DirectionSeries {
  readonly direction: Direction
  readonly io: Series
  readonly packets: Series
  readonly unobserved: Series
}

interface PodInterface {
  readonly account: InterfaceAccount
  readonly series: readonly DirectionSeries[]
}

export class PodSeries {
  readonly #arrivals: AccountQueue
  readonly #writer: SeriesWriter
  readonly #unattached: UnattachedSeries
  #interfaces: PodInterface[] = []
  #givenUp = 0

  constructor(ledger: InterfaceLedger, writer: SeriesWriter) {
    this.#arrivals = ledger.accountQueue()
    this.#writer = writer
    this.#unattached = new UnattachedSeries(ledger, writer)
  }

  /** Interfaces that went away and whose last values were never delivered. */
  get givenUp(): number {
    return this.#givenUp
  }

  collect(moment: Moment): MetricData[] {
    for (const account of this.#arrivals.take()) this.#interfaces.push({ account, series: this.#seriesOf(account) })
    this.#dropEnded()
    const io: Points = []
    const packets: Points = []
    const unobserved: Points = []
    for (const { account, series } of this.#interfaces) {
      if (isOutOfScope(account)) continue
      const at = momentOfEnd(account.endedAtMs, moment)
      for (const each of series) {
        const values = account[each.direction]
        this.#writer.write(io, each.io, values.seenBytes, at)
        this.#writer.write(packets, each.packets, values.seenPackets, at)
        this.#writer.write(unobserved, each.unobserved, values.unobservedSkbs, at)
      }
    }
    this.#unattached.collect(unobserved, moment, ENDED_LIMIT)
    return [
      metricData(podMetric.io, io),
      metricData(podMetric.packets, packets),
      metricData(podMetric.unobserved, unobserved),
    ]
  }

  #seriesOf(account: InterfaceAccount): DirectionSeries[] {
    const startMs = account.attachment!.attachedAtMs
    return directions.map(direction => {
      const attributes = attributesOf(account, direction)
      const begin = () => this.#writer.begin(attributes, startMs)
      return { direction, io: begin(), packets: begin(), unobserved: begin() }
    })
  }

  #dropEnded(): void {
    this.#interfaces = this.#interfaces.filter(each => each.account.endedAtMs === undefined || !isOver(each))
    let excess = this.#interfaces.filter(each => each.account.endedAtMs !== undefined).length - ENDED_LIMIT
    if (excess <= 0) return
    this.#givenUp += excess
    this.#interfaces = this.#interfaces.filter(each => each.account.endedAtMs === undefined || excess-- <= 0)
  }
}

/** Of an interface that is gone: nothing is left to be sent. */
function isOver({ account, series }: PodInterface): boolean {
  if (isOutOfScope(account)) return true
  return series.every(
    ({ direction, io, packets, unobserved }) =>
      io.isDelivered(account[direction].seenBytes) &&
      packets.isDelivered(account[direction].seenPackets) &&
      unobserved.isDelivered(account[direction].unobservedSkbs),
  )
}

/** Its pod is left out: the ledger alone has what went through. */
function isOutOfScope({ owner }: InterfaceAccount): boolean {
  return owner?.identity.outOfScope === true
}

function attributesOf(account: InterfaceAccount, direction: Direction): Attributes {
  return { ...interfaceAttributes(account.attachment!, account.owner), [attribute.ioDirection]: direction }
}
