// The series of `podweir.pod.*` for one receiver: what the interfaces themselves carried.
import { type Direction, directions, type InterfaceAccount } from '../aggregate/interface-account.ts'
import type { AccountQueue, InterfaceLedger } from '../aggregate/interface-ledger.ts'
import { isNamed, waitsForName } from './interface-attributes.ts'
import { PodStreams } from './pod-streams.ts'
import type { SeriesWriter } from './series.ts'
import type { SharedSets } from './shared-sets.ts'
import { UnattachedSeries } from './unattached-series.ts'

/** What a direction has counted: bytes and packets that were seen, skbs that were not. */
type Figures = readonly [number, number, number]

interface PodInterface {
  readonly account: InterfaceAccount
  readonly isNamed: boolean
  /** What went under another name before. */
  readonly before: ReadonlyMap<Direction, Figures>
  /** As in `Figures`. */
  readonly series: ReadonlyMap<Direction, readonly number[]>
}

const NOTHING: Figures = [0, 0, 0]

export class PodSeries {
  readonly #arrivals: AccountQueue
  readonly #sets: SharedSets
  readonly #writer: SeriesWriter
  readonly #streams: PodStreams
  readonly #unattached: UnattachedSeries
  #unnamed: InterfaceAccount[] = []
  #interfaces: PodInterface[] = []

  constructor(ledger: InterfaceLedger, sets: SharedSets, writer: SeriesWriter) {
    this.#arrivals = ledger.accountQueue()
    this.#sets = sets
    this.#writer = writer
    this.#streams = new PodStreams(sets, writer.form.resourceMode)
    this.#unattached = new UnattachedSeries(ledger, sets, this.#streams, writer)
  }

  write(): void {
    this.#takeArrivals()
    this.#rename()
    this.#interfaces = this.#interfaces.filter(each => {
      const { endedAtMs } = each.account
      if (endedAtMs !== undefined) this.#end(each, endedAtMs)
      else if (!isOutOfScope(each.account)) this.#write(each)
      return endedAtMs === undefined
    })
    this.#unattached.write()
  }

  #takeArrivals(): void {
    const waiting: InterfaceAccount[] = []
    for (const account of [...this.#unnamed, ...this.#arrivals.take()]) {
      const { attachedAtMs } = account.attachment!
      if (waitsForName(account, attachedAtMs, this.#writer.nowMs)) waiting.push(account)
      else this.#interfaces.push(this.#begin(account, attachedAtMs, new Map()))
    }
    this.#unnamed = waiting
  }

  /** What was nobody's and has an owner now goes on under its name, with what it counts from now on. */
  #rename(): void {
    const { nowMs } = this.#writer
    for (const [i, each] of this.#interfaces.entries()) {
      const { account } = each
      if (each.isNamed || account.endedAtMs !== undefined || !isNamed(account.owner)) continue
      this.#end(each, nowMs)
      const now = new Map(directions.map(direction => [direction, figuresOf(account, direction)]))
      this.#interfaces[i] = this.#begin(account, nowMs, now)
    }
  }

  #begin(account: InterfaceAccount, startMs: number, before: PodInterface['before']): PodInterface {
    const { attachment, owner } = account
    const base = this.#sets.interface(attachment!, owner)
    const streams = this.#streams.of(owner)
    const series = new Map(
      directions.map(direction => [
        direction,
        streams.get(direction)!.map(stream => this.#writer.begin(stream, base, startMs)),
      ]),
    )
    return { account, isNamed: isNamed(owner), before, series }
  }

  #write(each: PodInterface): void {
    for (const [direction, series] of each.series)
      for (const [i, value] of valuesOf(each, direction).entries()) this.#writer.write(series[i]!, value)
  }

  /** What has ended keeps the time of its end: its name may be used again. */
  #end(each: PodInterface, timeMs: number): void {
    for (const [direction, series] of each.series)
      for (const [i, value] of valuesOf(each, direction).entries())
        if (isOutOfScope(each.account)) this.#writer.abandon(series[i]!, timeMs)
        else this.#writer.end(series[i]!, { value, timeMs })
  }
}

function figuresOf(account: InterfaceAccount, direction: Direction): Figures {
  const { seenBytes, seenPackets, unobservedSkbs } = account[direction]
  return [seenBytes, seenPackets, unobservedSkbs]
}

function valuesOf({ account, before }: PodInterface, direction: Direction): number[] {
  const then = before.get(direction) ?? NOTHING
  return figuresOf(account, direction).map((value, i) => value - then[i]!)
}

/** Its pod is left out: the ledger alone has what went through. */
function isOutOfScope({ owner }: InterfaceAccount): boolean {
  return owner?.identity.outOfScope === true
}
