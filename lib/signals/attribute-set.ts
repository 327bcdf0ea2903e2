// Attributes of points, spans and records that are made once and shared by all receivers.
import type { Attributes } from '@opentelemetry/api'
import { doubleAttributes } from './attribute-names.ts'

export class AttributeSet {
  readonly attributes: Attributes
  /** What an encoder has made of them, at the index that is its own: an edge is encoded once, not with each point. */
  readonly encoded: unknown[] = []
  /** Keys whose values are doubles, also where one is whole. */
  readonly doubles: ReadonlySet<string>

  constructor(attributes: Attributes, doubles = doubleAttributes) {
    this.attributes = attributes
    this.doubles = doubles
  }
}

/** The resource of what follows; one object for all that share it. */
export interface SignalResource {
  readonly set: AttributeSet
}
