// Durations in buckets whose bounds are powers of two of a second, one histogram per index.

const INITIAL_LENGTH = 16

/** 2^first, 2^(first + step) … 2^last. */
export function powersOfTwo(first: number, last: number, step = 1): number[] {
  const bounds: number[] = []
  for (let exponent = first; exponent <= last; exponent += step) bounds.push(2 ** exponent)
  return bounds
}

export class Histograms {
  /** Upper bounds in seconds, each in its bucket; one bucket more for the rest. */
  readonly bounds: readonly number[]
  readonly buckets: number
  /** `buckets` an index. */
  counts: Float64Array<ArrayBuffer>
  sums: Float64Array<ArrayBuffer>
  samples: Float64Array<ArrayBuffer>
  /** Wall clock in ms: no sample is older. */
  starts: Float64Array<ArrayBuffer>
  #length = 0

  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.buckets = bounds.length + 1
    this.counts = new Float64Array(0)
    this.sums = new Float64Array(0)
    this.samples = new Float64Array(0)
    this.starts = new Float64Array(0)
  }

  /** Indexes from here on have no sample. */
  get length(): number {
    return this.#length
  }

  /** `sinceMs`: the start of a histogram that begins with this sample. */
  add(index: number, seconds: number, sinceMs: number): void {
    let bucket = 0
    while (bucket < this.bounds.length && seconds > this.bounds[bucket]!) bucket++
    this.addToBucket(index, bucket, 1, sinceMs)
    this.addToSum(index, seconds)
  }

  addToBucket(index: number, bucket: number, samples: number, sinceMs: number): void {
    this.#ensure(index)
    if (this.samples[index] === 0) this.starts[index] = sinceMs
    this.counts[index * this.buckets + bucket]! += samples
    this.samples[index]! += samples
  }

  addToSum(index: number, seconds: number): void {
    this.#ensure(index)
    this.sums[index]! += seconds
  }

  /** As it was before its first sample. */
  clear(index: number): void {
    if (index >= this.#length) return
    this.counts.fill(0, index * this.buckets, (index + 1) * this.buckets)
    this.sums[index] = 0
    this.samples[index] = 0
    this.starts[index] = 0
  }

  #ensure(index: number): void {
    if (index < this.#length) return
    this.#length = index + 1
    if (this.#length <= this.sums.length) return
    const length = Math.max(INITIAL_LENGTH, this.sums.length * 2, this.#length)
    this.counts = grown(this.counts, length * this.buckets)
    this.sums = grown(this.sums, length)
    this.samples = grown(this.samples, length)
    this.starts = grown(this.starts, length)
  }
}

export function grown(values: Float64Array<ArrayBuffer>, length: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(length)
  larger.set(values)
  return larger
}
