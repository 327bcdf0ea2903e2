// Spans and log records as a pipeline's processors leave them.

import { attribute } from './attribute-names.ts'
import type { AttributeNaming } from './attribute-naming.ts'
import type { AttributeSet } from './attribute-set.ts'
import { AttributeSubject } from './filter-subject.ts'
import type { FlowPredicate } from './flow-predicate.ts'
import type { SpanEvent } from './span-record.ts'

export interface Attributed {
  readonly base: AttributeSet
  readonly more?: AttributeSet
  readonly events?: readonly SpanEvent[]
}

/** Those that fit. What tells of no flow always does. */
export function fitting<Item extends Attributed>(items: readonly Item[], fits: FlowPredicate): Item[] {
  return items.filter(({ base, more }) => {
    const read = (key: string) => base.attributes[key] ?? more?.attributes[key]
    return read(attribute.transport) === undefined || fits(new AttributeSubject(read))
  })
}

/** With the names that a receiver wants. Resources keep theirs. */
export function named<Item extends Attributed>(items: readonly Item[], naming: AttributeNaming): Item[] {
  return items.map(item => ({
    ...item,
    base: naming.of(item.base),
    ...(item.more && { more: naming.once(item.more) }),
    ...(item.events && { events: item.events.map(event => namedEvent(event, naming)) }),
  }))
}

function namedEvent(event: SpanEvent, naming: AttributeNaming): SpanEvent {
  return event.attributes ? { ...event, attributes: naming.once(event.attributes) } : event
}
