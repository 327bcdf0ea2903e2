// Where series go, and what they have in common: those of one metric that differ in their own attributes alone.
import type { AttributeSet, SignalResource } from './attribute-set.ts'
import type { HistogramShape } from './histogram-shape.ts'
import type { Metric } from './metric-names.ts'

export interface StreamParts {
  readonly resource: SignalResource
  readonly metric: Metric
  /** What all of them have beside their own. */
  readonly more?: AttributeSet
  /** What acknowledged values add to: the ledger's stage `exported`. */
  readonly delivers?: 'packets' | 'bytes'
  /** Of a histogram. */
  readonly shape?: HistogramShape
}

export class Stream {
  readonly resource: SignalResource
  readonly metric: Metric
  readonly more: AttributeSet | undefined
  readonly delivers: 'packets' | 'bytes' | undefined
  readonly shape: HistogramShape | undefined
  /** Streams of one resource and metric have the same, within one collection; see `Collection.seal`. */
  group = 0
  groupedIn = 0

  constructor({ resource, metric, more, delivers, shape }: StreamParts) {
    this.resource = resource
    this.metric = metric
    this.more = more
    this.delivers = delivers
    this.shape = shape
  }

  /** Such a series has no zero to rise from. */
  get mayFall(): boolean {
    const { instrument } = this.metric
    return instrument === 'gauge' || instrument === 'up_down_counter'
  }
}
