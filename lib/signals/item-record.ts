// What became of the items of one exporter and signal.
import type { Signal } from '../config/signal.ts'

/** produced = delivered + superseded + lost + what is in the queue. */
export interface ItemRecord {
  readonly exporter: string
  readonly signal: Signal
  readonly counts: {
    readonly produced: number
    readonly delivered: number
    readonly superseded: number
    /** By reason. */
    readonly lost: ReadonlyMap<string, number>
    readonly queue: { readonly items: number; readonly bytes: number }
  }
}
