// Attribute sets and resources that all receivers share: of each thing they are made once.
import type { Attributes } from '@opentelemetry/api'
import type { Edge } from '../aggregate/edge-table.ts'
import type { InterfaceOwner } from '../aggregate/identity.ts'
import type { Lookup } from '../aggregate/lookup-table.ts'
import type { Pair } from '../aggregate/pair-table.ts'
import type { ZoneCrossing } from '../aggregate/zone-table.ts'
import type { Attachment } from '../capture/flow-source.ts'
import { AttributeSet } from './attribute-set.ts'
import { attributesOf } from './edge-attributes.ts'
import { interfaceAttributes } from './interface-attributes.ts'
import { lookupAttributes } from './lookup-attributes.ts'
import { MadeByNumber } from './made-by-number.ts'
import { Resources } from './resources.ts'
import { crossingAttributes } from './zone-attributes.ts'

export interface EdgeSets {
  /** The client is the source. */
  readonly forward: AttributeSet
  readonly backward: AttributeSet
}

export class SharedSets {
  readonly resources: Resources
  /** Of what has no attributes of its own. */
  readonly plain: AttributeSet
  /** By their numbers in the tables of `lib/aggregate`. */
  readonly edges = new MadeByNumber((edge: Edge | Pair) => this.#edgeSets(edge))
  readonly pairs = new MadeByNumber((pair: Edge | Pair) => this.#edgeSets(pair))
  readonly crossings = new MadeByNumber((crossing: ZoneCrossing) => this.base(crossingAttributes(crossing)))
  readonly lookups = new MadeByNumber((lookup: Lookup) => this.base(lookupAttributes(lookup)))
  readonly #everyPoint: Attributes
  readonly #few = new Map<string, AttributeSet>()
  readonly #interfaces = new WeakMap<Attachment, { owner: InterfaceOwner | undefined; set: AttributeSet }>()

  /** `resource`: the agent's. `everyPoint`: attributes that each point of each series carries. */
  constructor(resource: Attributes, everyPoint: Attributes) {
    this.resources = new Resources(resource)
    this.#everyPoint = everyPoint
    this.plain = this.base({})
  }

  /** A new one, with what every point carries. */
  base(attributes: Attributes): AttributeSet {
    return new AttributeSet({ ...attributes, ...this.#everyPoint })
  }

  /** What goes beside a base. The same for the same attributes: it stays, so there must be few of them. */
  beside(attributes: Attributes): AttributeSet {
    const key = JSON.stringify(attributes)
    const known = this.#few.get(key)
    if (known) return known
    const set = new AttributeSet(attributes)
    this.#few.set(key, set)
    return set
  }

  interface(attachment: Attachment, owner: InterfaceOwner | undefined): AttributeSet {
    const known = this.#interfaces.get(attachment)
    if (known && known.owner === owner) return known.set
    const set = this.base(interfaceAttributes(attachment, owner))
    this.#interfaces.set(attachment, { owner, set })
    return set
  }

  #edgeSets(edge: Edge | Pair): EdgeSets {
    const { forward, backward } = attributesOf(edge)
    return { forward: this.base(forward), backward: this.base(backward) }
  }
}
