// The small cluster with a producer of metrics and a clock that the test moves.

import { DropTable } from '../../lib/aggregate/drop-table.ts'
import type { EdgeTableOptions } from '../../lib/aggregate/edge-table.ts'
import { LookupTable } from '../../lib/aggregate/lookup-table.ts'
import { CaptureHealth } from '../../lib/capture/capture-health.ts'
import type { InterfaceState } from '../../lib/signals/agent-series.ts'
import { Delivery } from '../../lib/signals/delivery.ts'
import { FlowMetricProducer } from '../../lib/signals/metric-producer.ts'
import { smallCluster, startedAtMs } from '../aggregate/small-cluster.ts'
import { capturedLog } from '../support/captured-log.ts'

export function observedCluster(
  parts: EdgeTableOptions & { flowLimit?: number; everyPoint?: Record<string, string> } = {},
) {
  const cluster = smallCluster(parts)
  const delivery = new Delivery()
  const clock = { ms: 1_003_000, nowMs: () => clock.ms, monotonicMs: () => clock.ms }
  const interfaces: InterfaceState[] = []
  const drops = new DropTable()
  const lookups = new LookupTable()
  const programTime = { runs: 0, nanoseconds: 0 }
  const health = new CaptureHealth(capturedLog().log)
  const books = { edges: cluster.edges, ledger: cluster.ledger, delivery }
  const newProducer = () =>
    new FlowMetricProducer({
      ...books,
      table: cluster.table,
      health,
      drops,
      lookups,
      programTime: () => programTime,
      interfaces: () => interfaces,
      reattachments: () => 0,
      clock,
      startedAtMs,
      version: '0.1.0',
      ...(parts.everyPoint && { everyPoint: parts.everyPoint }),
    })
  const producer = newProducer()
  const collect = async (from = producer) => (await from.collect()).resourceMetrics
  return {
    ...cluster,
    health,
    programTime,
    drops,
    lookups,
    books,
    delivery,
    clock,
    interfaces,
    producer,
    newProducer,
    collect,
  }
}
