// The small cluster with an outlet for its metrics and a clock that the test moves.

import { DropTable } from '../../lib/aggregate/drop-table.ts'
import type { EdgeTableOptions } from '../../lib/aggregate/edge-table.ts'
import { LookupTable } from '../../lib/aggregate/lookup-table.ts'
import { CaptureHealth } from '../../lib/capture/capture-health.ts'
import type { MetricForm } from '../../lib/config/metric-form.ts'
import { AgentFigures, type InterfaceState } from '../../lib/signals/agent-figures.ts'
import { Delivery } from '../../lib/signals/delivery.ts'
import { DrainDurations } from '../../lib/signals/drain-durations.ts'
import { EdgeChoices } from '../../lib/signals/edge-choices.ts'
import type { ItemRecord } from '../../lib/signals/item-record.ts'
import { SharedSets } from '../../lib/signals/shared-sets.ts'
import { smallCluster, startedAtMs } from '../aggregate/small-cluster.ts'
import { capturedLog } from '../support/captured-log.ts'
import { type Filter, PretendOutlet } from './pretend-outlet.ts'

export function observedCluster(
  parts: EdgeTableOptions & {
    flowLimit?: number
    edgeIdleMs?: number
    everyPoint?: Record<string, string>
    resource?: Record<string, string>
  } = {},
) {
  const cluster = smallCluster(parts)
  const delivery = new Delivery(new EdgeChoices(cluster.edges))
  const clock = { ms: 1_003_000, nowMs: () => clock.ms, monotonicMs: () => clock.ms }
  const interfaces: InterfaceState[] = []
  const drops = new DropTable()
  const lookups = new LookupTable()
  const items: ItemRecord[] = []
  const programTime = { runs: 0, nanoseconds: 0 }
  const health = new CaptureHealth(capturedLog().log)
  const books = { edges: cluster.edges, ledger: cluster.ledger, delivery }
  const agent = new AgentFigures({
    table: cluster.table,
    health,
    programTime: () => programTime,
    interfaces: () => interfaces,
    reattachments: () => 0,
    translations: { translated: 0, untracked: 0 },
    edges: cluster.edges,
    items: () => items,
    usage: () => ({ userSeconds: 1.5, systemSeconds: 0.25, residentBytes: 2 ** 27 }),
  })
  const drains = new DrainDurations(startedAtMs)
  const sources = {
    ...books,
    active: () => cluster.table.activeByEdge(),
    drops,
    lookups,
    agent,
    drains,
    sets: new SharedSets(parts.resource ?? { 'service.name': 'podweir' }, parts.everyPoint ?? {}),
    clock,
    startedAtMs,
  }
  /** `filter`: of edges; without it all are told. */
  const newOutlet = (form: Partial<MetricForm> = {}, filter?: Filter) => new PretendOutlet(sources, form, filter)
  const outlet = newOutlet()
  const collect = async (from = outlet) => from.collect()
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
    sources,
    drains,
    items,
    outlet,
    newOutlet,
    collect,
  }
}
