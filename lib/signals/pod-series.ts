// The series of `podweir.pod.*` for one receiver: what the interfaces themselves carried.
import type { Attributes } from '@opentelemetry/api'
import type { MetricData } from '@opentelemetry/sdk-metrics'
import { type Direction, directions, type InterfaceAccount } from '../aggregate/interface-account.ts'
import type { AccountQueue, InterfaceLedger } from '../aggregate/interface-ledger.ts'
import { attribute } from './attribute-names.ts'
import { interfaceAttributes, isNamed, momentOfEnd, waitsForName } from './interface-attributes.ts'
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

/** What a direction had counted at some time. */
interface Figures {
  readonly seenBytes: number
  readonly seenPackets: number
  readonly unobservedSkbs: number
}

interface PodInterface {
  readonly account: InterfaceAccount
  readonly series: readonly DirectionSeries[]
  readonly isNamed: boolean
  /** What went under another name before. */
  readonly before: ReadonlyMap<Direction, Figures>
  /** What it ends with, because from then on it goes under another name. */
  readonly last?: ReadonlyMap<Direction, Figures>
}

const NOTHING: Figures = { seenBytes: 0, seenPackets: 0, unobservedSkbs: 0 }

export class PodSeries {
  readonly #arrivals: AccountQueue
  readonly #writer: SeriesWriter
  readonly #unattached: UnattachedSeries
  #unnamed: InterfaceAccount[] = []
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
    this.#takeArrivals(moment)
    this.#dropEnded()
    const io: Points = []
    const packets: Points = []
    const unobserved: Points = []
    for (const each of this.#interfaces) {
      if (isOutOfScope(each.account)) continue
      const at = momentOfEnd(each.account.endedAtMs, moment)
      for (const series of each.series) {
        const values = valuesOf(each, series.direction)
        this.#writer.write(io, series.io, values.seenBytes, at)
        this.#writer.write(packets, series.packets, values.seenPackets, at)
        this.#writer.write(unobserved, series.unobserved, values.unobservedSkbs, at)
      }
    }
    this.#unattached.collect(unobserved, moment, ENDED_LIMIT)
    this.#rename(moment.nowMs)
    return [
      metricData(podMetric.io, io),
      metricData(podMetric.packets, packets),
      metricData(podMetric.unobserved, unobserved),
    ]
  }

  #takeArrivals({ nowMs }: Moment): void {
    const waiting: InterfaceAccount[] = []
    for (const account of [...this.#unnamed, ...this.#arrivals.take()]) {
      const { attachedAtMs } = account.attachment!
      if (waitsForName(account, attachedAtMs, nowMs)) waiting.push(account)
      else this.#begin(account, attachedAtMs, new Map())
    }
    this.#unnamed = waiting
  }

  /** What was nobody's and has an owner now goes on under its name, with what it counts from now on. */
  #rename(nowMs: number): void {
    for (const [i, each] of this.#interfaces.entries()) {
      if (each.isNamed || each.last || each.account.endedAtMs !== undefined || !isNamed(each.account.owner)) continue
      const now = new Map(directions.map(direction => [direction, figuresOf(each.account, direction)]))
      this.#interfaces[i] = { ...each, last: now }
      this.#begin(each.account, nowMs, now)
    }
  }

  #begin(account: InterfaceAccount, startMs: number, before: PodInterface['before']): void {
    const series = directions.map(direction => {
      const attributes = attributesOf(account, direction)
      const begin = () => this.#writer.begin(attributes, startMs)
      return { direction, io: begin(), packets: begin(), unobserved: begin() }
    })
    this.#interfaces.push({ account, series, before, isNamed: isNamed(account.owner) })
  }

  #dropEnded(): void {
    this.#interfaces = this.#interfaces.filter(each => !hasEnded(each) || !isDelivered(each))
    let excess = this.#interfaces.filter(hasEnded).length - ENDED_LIMIT
    if (excess <= 0) return
    this.#givenUp += excess
    this.#interfaces = this.#interfaces.filter(each => !hasEnded(each) || excess-- <= 0)
  }
}

function hasEnded({ account, last }: PodInterface): boolean {
  return last !== undefined || account.endedAtMs !== undefined
}

function figuresOf(account: InterfaceAccount, direction: Direction): Figures {
  const { seenBytes, seenPackets, unobservedSkbs } = account[direction]
  return { seenBytes, seenPackets, unobservedSkbs }
}

function valuesOf({ account, before, last }: PodInterface, direction: Direction): Figures {
  const now = last?.get(direction) ?? account[direction]
  const then = before.get(direction) ?? NOTHING
  return {
    seenBytes: now.seenBytes - then.seenBytes,
    seenPackets: now.seenPackets - then.seenPackets,
    unobservedSkbs: now.unobservedSkbs - then.unobservedSkbs,
  }
}

/** Of what has ended: nothing is left to be sent. */
function isDelivered(each: PodInterface): boolean {
  if (isOutOfScope(each.account)) return true
  return each.series.every(({ direction, io, packets, unobserved }) => {
    const values = valuesOf(each, direction)
    return (
      io.isDelivered(values.seenBytes) &&
      packets.isDelivered(values.seenPackets) &&
      unobserved.isDelivered(values.unobservedSkbs)
    )
  })
}

/** Its pod is left out: the ledger alone has what went through. */
function isOutOfScope({ owner }: InterfaceAccount): boolean {
  return owner?.identity.outOfScope === true
}

function attributesOf(account: InterfaceAccount, direction: Direction): Attributes {
  return { ...interfaceAttributes(account.attachment!, account.owner), [attribute.ioDirection]: direction }
}
