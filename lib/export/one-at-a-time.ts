// Collections of one receiver, none of them begun before the answer to the one before.
import { emptyResource } from '@opentelemetry/resources'
import type { CollectionResult, MetricProducer } from '@opentelemetry/sdk-metrics'

/**
 * `producer`, asked only when nothing is under way. A reader that has given up waiting asks once more: of those that
 * wait the newest is answered, and the others get nothing.
 */
export function oneAtATime(producer: MetricProducer, idle: () => Promise<void>): MetricProducer {
  let last: Promise<unknown> = Promise.resolve()
  let newest = 0
  return {
    collect: () => {
      const turn = ++newest
      const collected = last.then(idle).then(() => (turn === newest ? producer.collect() : nothing()))
      // The reader hands over what it got before the event loop's next turn.
      last = collected.then(nextTurn, nextTurn)
      return collected
    },
  }
}

function nothing(): CollectionResult {
  return { resourceMetrics: { resource: emptyResource(), scopeMetrics: [] }, errors: [] }
}

const nextTurn = () => new Promise<void>(resolve => setImmediate(resolve))
