// Buckets between powers of two as an exponential histogram of scale 0 has them, in which bucket i is (2^i, 2^(i+1)].
import type { HistogramValue } from '../signals/metric-sink.ts'

export interface ExponentialBuckets {
  readonly scale: number
  /** Upper bound of the first bucket, which has no lower one: OTLP's zero bucket. */
  readonly zeroThreshold: number
  readonly zeroCount: number
  /** Of the first of the others. */
  readonly offset: number
  /** Index in `counts` of the first of the others. The last of all, which has no upper bound there, ends here at the next power of two. */
  readonly first: number
}

/** Throws where bounds are no powers of two that follow each other: who makes a series for this form keeps such ones. */
export function exponentialBuckets({ bounds, counts }: HistogramValue): ExponentialBuckets {
  const [zeroThreshold = 0] = bounds
  const offset = Math.log2(zeroThreshold)
  const areThey = Number.isInteger(offset) && bounds.every((bound, i) => bound === 2 ** (offset + i))
  if (!areThey) throw new RangeError(`no exponential buckets: ${bounds}`)
  return { scale: 0, zeroThreshold, zeroCount: counts[0]!, offset, first: 1 }
}
