// What edges counted in each window of wall clock time: differences of their cumulative counts, so that windows add up to them.
import { COUNTS_PER_EDGE, EdgeCount } from './edge-counts.ts'
import type { Edge, EdgeTable } from './edge-table.ts'
import { grown } from './histograms.ts'

/** Counts of `EdgeCount` that a window has: those up to the failed ones. */
export const WINDOW_COUNTS: number = EdgeCount.failedReset + 1

/** The edges that counted something, in rows. */
export interface EdgeWindow {
  /** Wall clock, ms since 1970: cut where we began later or ended earlier. */
  readonly startMs: number
  readonly endMs: number
  /** The first drain of it: no two windows have the same, whatever a clock does. */
  readonly drainedFromMs: number
  readonly edges: readonly Edge[]
  /** `WINDOW_COUNTS` a row. */
  readonly counts: Float64Array
}

interface Row {
  readonly edge: Edge
  readonly counts: Float64Array
}

export class EdgeWindows {
  readonly #edges: EdgeTable
  readonly #lengthMs: number
  /** What the windows before had of each edge, `WINDOW_COUNTS` an edge. */
  #told = new Float64Array(0)
  /** Of edges that went while their window was open. */
  #gone: Row[] = []
  #restartsSeen: number
  /** Of the window that is open: its number since 1970. */
  #number: number | undefined
  #openedAtMs: number
  #drainedFromMs = 0
  #drainedUntilMs = 0

  /** `sinceMs`: nothing was counted before. */
  constructor(edges: EdgeTable, lengthMs: number, sinceMs: number) {
    this.#edges = edges
    this.#lengthMs = lengthMs
    this.#openedAtMs = sinceMs
    this.#restartsSeen = edges.restarts.length
    edges.onEvicted(edge => this.#evicted(edge))
  }

  /**
   * Before a batch is counted: the window that ends with the batch before it, if the batch belongs to another one. What is
   * drained belongs to the window in which it is drained.
   */
  drained(readAtMs: number): EdgeWindow | undefined {
    const number = Math.floor(readAtMs / this.#lengthMs)
    const before = this.#number
    const over = before !== undefined && number !== before ? this.#close((before + 1) * this.#lengthMs) : undefined
    if (number !== before) this.#open(number, readAtMs)
    this.#drainedUntilMs = readAtMs
    return over
  }

  /** What was counted since the last window: the agent ends. */
  finish(): EdgeWindow | undefined {
    if (this.#number === undefined) return undefined
    const over = this.#close(this.#drainedUntilMs)
    this.#number = undefined
    this.#openedAtMs = this.#drainedUntilMs
    return over
  }

  #open(number: number, readAtMs: number): void {
    const startMs = number * this.#lengthMs
    const isFirst = this.#number === undefined
    this.#openedAtMs = isFirst ? Math.min(Math.max(startMs, this.#openedAtMs), readAtMs) : startMs
    this.#number = number
    this.#drainedFromMs = readAtMs
  }

  #close(endMs: number): EdgeWindow | undefined {
    this.#follow()
    const rows = this.#gone
    this.#gone = []
    for (const [index, edge] of this.#edges.edges.entries())
      if (edge && this.#hasMoved(index)) rows.push({ edge, counts: this.#take(index) })
    if (rows.length === 0) return undefined
    const counts = new Float64Array(rows.length * WINDOW_COUNTS)
    rows.forEach((row, i) => {
      counts.set(row.counts, i * WINDOW_COUNTS)
    })
    const times = { startMs: this.#openedAtMs, endMs, drainedFromMs: this.#drainedFromMs }
    return { ...times, edges: rows.map(({ edge }) => edge), counts }
  }

  /** Its index will be another's, which begins at 0. */
  #evicted(index: number): void {
    this.#follow()
    if (this.#hasMoved(index)) this.#gone.push({ edge: this.#edges.edges[index]!, counts: this.#take(index) })
    this.#told.fill(0, index * WINDOW_COUNTS, (index + 1) * WINDOW_COUNTS)
  }

  #hasMoved(index: number): boolean {
    const { values } = this.#edges
    for (let count = 0; count < WINDOW_COUNTS; count++)
      if (values[index * COUNTS_PER_EDGE + count] !== this.#told[index * WINDOW_COUNTS + count]) return true
    return false
  }

  #take(index: number): Float64Array {
    const { values } = this.#edges
    const counts = new Float64Array(WINDOW_COUNTS)
    for (let count = 0; count < WINDOW_COUNTS; count++) {
      const value = values[index * COUNTS_PER_EDGE + count]!
      const told = index * WINDOW_COUNTS + count
      counts[count] = value - this.#told[told]!
      this.#told[told] = value
    }
    return counts
  }

  /** New edges, and counts that began again: what such a one had before is less than nothing of the new one. */
  #follow(): void {
    const { edges, restarts } = this.#edges
    const needed = edges.length * WINDOW_COUNTS
    if (this.#told.length < needed) this.#told = grown(this.#told, Math.max(needed, 2 * this.#told.length))
    for (; this.#restartsSeen < restarts.length; this.#restartsSeen++) {
      const { index, value } = restarts[this.#restartsSeen]!
      const count = index % COUNTS_PER_EDGE
      if (count < WINDOW_COUNTS) this.#told[((index - count) / COUNTS_PER_EDGE) * WINDOW_COUNTS + count]! -= value
    }
  }
}
