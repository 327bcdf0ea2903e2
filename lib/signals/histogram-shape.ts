// Which of the buckets that are kept are sent as one.
import type { HistogramValue } from './metric-sink.ts'

export class HistogramShape {
  /** Upper bounds that are sent. */
  readonly bounds: readonly number[]
  /** Sent, the one without an upper bound included. */
  readonly buckets: number
  /** Of each bucket that is kept. A bound that is not sent is left out: its bucket's samples are in the next one that is. */
  readonly sentIn: Uint8Array
  /** Lent to sinks, for one histogram after the other. */
  readonly counts: Float64Array

  constructor(kept: readonly number[], sent: readonly number[]) {
    this.bounds = sent
    this.buckets = sent.length + 1
    this.counts = new Float64Array(this.buckets)
    this.sentIn = new Uint8Array(kept.length + 1).fill(sent.length)
    for (const [bucket, bound] of kept.entries()) {
      const sentBucket = sent.findIndex(each => bound <= each)
      if (sentBucket !== -1) this.sentIn[bucket] = sentBucket
    }
  }

  /** Lent as `counts` are. */
  empty(): HistogramValue {
    return { count: 0, sum: 0, bounds: this.bounds, counts: this.counts.fill(0) }
  }
}
