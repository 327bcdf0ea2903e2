// Where the counts of an interface go.
import type { InterfaceOwner } from '../aggregate/identity.ts'
import { type Direction, directions } from '../aggregate/interface-account.ts'
import type { MetricForm } from '../config/metric-form.ts'
import { attribute } from './attribute-names.ts'
import type { SignalResource } from './attribute-set.ts'
import { podMetric } from './metric-names.ts'
import type { SharedSets } from './shared-sets.ts'
import { Stream } from './stream.ts'

/** Of each direction: bytes and packets that were seen, skbs that were not. */
export type DirectionStreams = ReadonlyMap<Direction, readonly [Stream, Stream, Stream]>

export class PodStreams {
  readonly #sets: SharedSets
  readonly #mode: MetricForm['resourceMode']
  readonly #known = new WeakMap<SignalResource, DirectionStreams>()

  constructor(sets: SharedSets, mode: MetricForm['resourceMode']) {
    this.#sets = sets
    this.#mode = mode
  }

  /** What belongs to no pod of Kubernetes is the agent's. */
  of(owner: InterfaceOwner | undefined): DirectionStreams {
    const { resources } = this.#sets
    const pod = this.#mode === 'pod' ? owner?.identity.pod : undefined
    const resource = pod ? resources.ofPod(pod, owner?.identity.place) : resources.agent
    const known = this.#known.get(resource)
    if (known) return known
    const streams = new Map(directions.map(direction => [direction, this.#make(resource, direction)]))
    this.#known.set(resource, streams)
    return streams
  }

  #make(resource: SignalResource, direction: Direction): [Stream, Stream, Stream] {
    const more = this.#sets.beside({ [attribute.ioDirection]: direction })
    const stream = (metric: Stream['metric']) => new Stream({ resource, metric, more })
    return [stream(podMetric.io), stream(podMetric.packets), stream(podMetric.unobserved)]
  }
}
