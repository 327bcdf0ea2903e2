// Where the counts of an edge go, under one resource.
import type { Attributes } from '@opentelemetry/api'
import { attribute } from './attribute-names.ts'
import type { SignalResource } from './attribute-set.ts'
import { edgeMetric } from './edge-metrics.ts'
import type { Metric } from './metric-names.ts'
import type { EdgeSets, SharedSets } from './shared-sets.ts'
import { Stream } from './stream.ts'

interface Outlet {
  readonly metric: Metric
  readonly side: keyof EdgeSets
  readonly also?: Attributes
  readonly delivers?: 'packets' | 'bytes'
}

const { bytes, packets, opened, failed, retransmits, outOfOrder, resets, zeroWindows, closed } = edgeMetric
const request = { [attribute.flowDirection]: 'request' }
const response = { [attribute.flowDirection]: 'response' }

/** Index is the offset in `EdgeCount`. */
const outlets: readonly Outlet[] = [
  { metric: bytes, side: 'forward', also: request, delivers: 'bytes' },
  { metric: packets, side: 'forward', also: request, delivers: 'packets' },
  { metric: bytes, side: 'backward', also: response, delivers: 'bytes' },
  { metric: packets, side: 'backward', also: response, delivers: 'packets' },
  { metric: opened, side: 'forward' },
  ...byValue(failed, attribute.errorType, ['refused', 'timeout', 'unreachable', 'reset']),
  ...[retransmits, outOfOrder, resets, zeroWindows].flatMap(byDirection),
  ...byValue(closed, attribute.connectionEnd, ['fin', 'reset_by_client', 'reset_by_server', 'idle']),
]

/** Of each count: which of an edge's sets its points have. */
export const sides = outlets.map(({ side }) => side)

export interface EdgeStreams {
  /** Index is the offset in `EdgeCount`. */
  readonly counts: readonly Stream[]
  /** The same of the overflow edge, which has no attribute but one. */
  readonly overflow: readonly Stream[]
  readonly active: Stream
}

export function edgeStreams(resource: SignalResource, sets: SharedSets): EdgeStreams {
  return {
    counts: outlets.map(
      ({ also, ...outlet }) => new Stream({ resource, ...outlet, ...(also && { more: sets.beside(also) }) }),
    ),
    overflow: outlets.map(({ also, ...outlet }) => new Stream({ resource, ...outlet })),
    active: new Stream({ resource, metric: edgeMetric.active }),
  }
}

function byValue(metric: Metric, key: string, values: readonly string[]): Outlet[] {
  return values.map(value => ({ metric, side: 'forward', also: { [key]: value } }))
}

function byDirection(metric: Metric): Outlet[] {
  return [
    { metric, side: 'forward', also: request },
    { metric, side: 'backward', also: response },
  ]
}
