// Of a feed, the flows alone that fit.
import { RecordSubject } from './filter-subject.ts'
import type { FlowPredicate } from './flow-predicate.ts'
import type { FlowFeed, FlowRecord } from './flow-record.ts'

export function filteredFlows(feed: FlowFeed, fits: FlowPredicate): FlowFeed {
  const isWanted = (record: FlowRecord) => fits(new RecordSubject(record))
  return {
    *snapshot() {
      for (const record of feed.snapshot()) if (isWanted(record)) yield record
    },
    status: () => feed.status(),
    subscribe: onBatch => feed.subscribe(records => onBatch(records.filter(isWanted))),
  }
}
