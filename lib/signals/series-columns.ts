// What is known of each series of one receiver, by its number.
import type { AttributeSet } from './attribute-set.ts'
import type { KeptHistogram } from './collected-histograms.ts'
import type { Stream } from './stream.ts'

const INITIAL_SERIES = 256
const GROWTH = 1.5

export const SeriesFlag = {
  /** The receiver has a value. */
  heard: 1,
  /** No zero precedes the next value. */
  noZero: 2,
  /** It ends without a word, for example because another one with the same attributes goes on. */
  quietly: 4,
  /** The receiver has never heard of it, and never will. */
  untold: 8,
} as const

/** What a series ends with. */
export interface Ending {
  /** Of a histogram the count of its samples. */
  readonly value: number
  /** Wall clock. */
  readonly timeMs: number
  /** Of a histogram the rest, which nobody changes any more. */
  readonly histogram?: KeptHistogram
}

export class SeriesColumns {
  /** Wall clock, ms: nothing of what is told next was counted before. */
  starts = new Float64Array(INITIAL_SERIES)
  /** Tells acknowledged values apart: the value itself, of a histogram the count of its samples. */
  marks = new Float64Array(INITIAL_SERIES)
  /** Monotonic, ms: when the collection was made that was acknowledged last. */
  heardAtMs = new Float64Array(INITIAL_SERIES)
  /** `SeriesFlag`. */
  flags = new Uint8Array(INITIAL_SERIES)
  readonly bases: (AttributeSet | undefined)[] = []
  readonly streams: (Stream | undefined)[] = []
  /** Of those that have ended, until the receiver knows. In that order. */
  readonly endings = new Map<number, Ending>()
  /** Of these endings those that cost no packet: see `SeriesWriter`. In the order in which they ended. */
  readonly givable = new Set<number>()
  /** Of histograms, where a receiver is told differences: the sum and the counts that it has. */
  readonly cells = new Map<number, Float64Array>()
  readonly #free: number[] = []
  #length = 0

  /** Series that there are. */
  get count(): number {
    return this.#length - this.#free.length
  }

  take(stream: Stream, base: AttributeSet, startMs: number, flags: number): number {
    const series = this.#free.pop() ?? this.#length++
    if (series >= this.flags.length) this.#grow()
    this.starts[series] = startMs
    this.marks[series] = 0
    this.heardAtMs[series] = 0
    this.flags[series] = flags
    this.bases[series] = base
    this.streams[series] = stream
    return series
  }

  /** From now on its number may be another one's. */
  release(series: number): void {
    this.bases[series] = undefined
    this.streams[series] = undefined
    this.endings.delete(series)
    this.givable.delete(series)
    this.cells.delete(series)
    this.#free.push(series)
  }

  #grow(): void {
    const length = Math.ceil(this.flags.length * GROWTH)
    this.starts = longer(this.starts, new Float64Array(length))
    this.marks = longer(this.marks, new Float64Array(length))
    this.heardAtMs = longer(this.heardAtMs, new Float64Array(length))
    this.flags = longer(this.flags, new Uint8Array(length))
  }
}

export function longer<Column extends Float64Array | Int32Array | Uint8Array>(column: Column, room: Column): Column {
  room.set(column)
  return room
}
