// Which edges each receiver of metrics is to have, and what is in those that it is not to have.
import { COUNTS_PER_EDGE, EdgeCount } from '../aggregate/edge-counts.ts'
import type { Edge, EdgeTable } from '../aggregate/edge-table.ts'
import type { ZoneCrossing } from '../aggregate/zone-table.ts'
import type { Delivered } from './delivery.ts'
import { attributesOf } from './edge-attributes.ts'
import { AttributeSubject } from './filter-subject.ts'
import type { FlowPredicate } from './flow-predicate.ts'
import { MadeByNumber } from './made-by-number.ts'
import { crossingAttributes } from './zone-attributes.ts'

/** Of one receiver. */
export class EdgeChoice {
  readonly #edges: EdgeTable
  readonly #fits: FlowPredicate | undefined
  readonly #taken: MadeByNumber<Edge, boolean>
  readonly #crossings: MadeByNumber<ZoneCrossing, boolean>
  /** In edges that are gone, and were not for it or came before it. */
  readonly #gone: { packets: number; bytes: number }

  /** `fits`: absent: it gets every edge. `gone`: what is in edges that are gone already. */
  constructor(edges: EdgeTable, fits: FlowPredicate | undefined, gone: Delivered) {
    this.#edges = edges
    this.#fits = fits
    this.#gone = { ...gone }
    const judged = (attributes: Record<string, unknown>) =>
      fits?.(new AttributeSubject(key => attributes[key] as string | number | undefined)) ?? true
    this.#taken = new MadeByNumber((edge: Edge) => judged(attributesOf(edge).forward))
    this.#crossings = new MadeByNumber((crossing: ZoneCrossing) => judged(crossingAttributes(crossing)))
  }

  get takesAll(): boolean {
    return this.#fits === undefined
  }

  takes(number: number, edge: Edge): boolean {
    return this.takesAll || this.#taken.of(number, edge)
  }

  takesCrossing(number: number, crossing: ZoneCrossing): boolean {
    return this.takesAll || this.#crossings.of(number, crossing)
  }

  /** Pairs of owners, by their numbers: those of which it takes an edge. */
  pairs(): ReadonlySet<number> {
    const taken = new Set<number>()
    for (const [number, edge] of this.#edges.edges.entries()) if (edge && this.takes(number, edge)) taken.add(edge.pair)
    return taken
  }

  /** What it is not to have, or can't have any more. Only ever grows. */
  withheld(): Delivered {
    if (this.takesAll) return this.#gone
    return sumOf(this.#edges, this.#gone, (number, edge) => !this.takes(number, edge))
  }

  /** What an edge that goes, or begins again, had: for whoever keeps choices. */
  lose(counts: Delivered): void {
    this.#gone.packets += counts.packets
    this.#gone.bytes += counts.bytes
  }
}

export class EdgeChoices {
  readonly #edges: EdgeTable
  readonly #choices = new Set<EdgeChoice>()
  /** In edges that are gone: of all, and of those that nobody was to have. */
  readonly #gone = { packets: 0, bytes: 0 }
  readonly #goneExcluded = { packets: 0, bytes: 0 }
  /** Excluded by choices that are not there any more. */
  readonly #before = { packets: 0, bytes: 0 }
  #restartsSeen = 0

  constructor(edges: EdgeTable) {
    this.#edges = edges
    edges.onEvicted(number => {
      this.#followRestarts()
      this.#lose(number, countsOf(edges, number))
    })
  }

  /** For a receiver more. */
  add(fits?: FlowPredicate): EdgeChoice {
    const choice = new EdgeChoice(this.#edges, fits, this.#gone)
    this.#changing(() => this.#choices.add(choice))
    return choice
  }

  remove(choice: EdgeChoice): void {
    this.#changing(() => this.#choices.delete(choice))
  }

  /** What no receiver was to have when it was counted. Only ever grows. */
  excluded(): Delivered {
    const { packets, bytes } = this.#excludedNow()
    return { packets: packets + this.#before.packets, bytes: bytes + this.#before.bytes }
  }

  /** What was counted until now stays what it was. */
  #changing(change: () => void): void {
    const before = this.#excludedNow()
    change()
    const after = this.#excludedNow()
    this.#before.packets += before.packets - after.packets
    this.#before.bytes += before.bytes - after.bytes
  }

  #excludedNow(): Delivered {
    this.#followRestarts()
    const choices = [...this.#choices]
    if (choices.some(choice => choice.takesAll)) return this.#goneExcluded
    return sumOf(this.#edges, this.#goneExcluded, (number, edge) => !choices.some(choice => choice.takes(number, edge)))
  }

  /** The counts of an edge that began again are in no edge any more. */
  #followRestarts(): void {
    const { restarts } = this.#edges
    for (; this.#restartsSeen < restarts.length; this.#restartsSeen++) {
      const { index, value } = restarts[this.#restartsSeen]!
      const count = index % COUNTS_PER_EDGE
      const isPackets = count === EdgeCount.requestPackets || count === EdgeCount.responsePackets
      const isBytes = count === EdgeCount.requestBytes || count === EdgeCount.responseBytes
      const counts = { packets: isPackets ? value : 0, bytes: isBytes ? value : 0 }
      this.#lose((index - count) / COUNTS_PER_EDGE, counts)
    }
  }

  #lose(number: number, counts: Delivered): void {
    const edge = this.#edges.edges[number]!
    add(this.#gone, counts)
    let isTaken = false
    for (const choice of this.#choices) {
      if (choice.takes(number, edge)) isTaken = true
      else choice.lose(counts)
    }
    if (!isTaken) add(this.#goneExcluded, counts)
  }
}

function sumOf(edges: EdgeTable, from: Delivered, has: (number: number, edge: Edge) => boolean): Delivered {
  const sum = { ...from }
  for (const [number, edge] of edges.edges.entries()) if (edge && has(number, edge)) add(sum, countsOf(edges, number))
  return sum
}

function countsOf({ values }: EdgeTable, number: number): Delivered {
  const base = number * COUNTS_PER_EDGE
  return {
    packets: values[base + EdgeCount.requestPackets]! + values[base + EdgeCount.responsePackets]!,
    bytes: values[base + EdgeCount.requestBytes]! + values[base + EdgeCount.responseBytes]!,
  }
}

function add(sum: { packets: number; bytes: number }, { packets, bytes }: Delivered): void {
  sum.packets += packets
  sum.bytes += bytes
}
