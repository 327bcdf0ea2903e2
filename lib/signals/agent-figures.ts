// What the agent says about itself: how full its table is, what went wrong with it, and how far it got with each interface.
import type { Attributes } from '@opentelemetry/api'
import { attributionResults } from '../aggregate/attribution.ts'
import type { EdgeTable } from '../aggregate/edge-table.ts'
import type { FlowTable } from '../aggregate/flow-table.ts'
import type { CaptureHealth } from '../capture/capture-health.ts'
import type { ProgramTime } from '../capture/flow-source.ts'
import type { OwnUsage } from '../host/own-usage.ts'
import { agentMetric, processMetric } from './agent-metrics.ts'
import { attribute } from './attribute-names.ts'
import type { ItemRecord } from './item-record.ts'
import { ledgerMetric, type Metric } from './metric-names.ts'

/** One interface that the agent knows. */
export interface InterfaceState {
  readonly state: 'wanted' | 'attached' | 'degraded' | 'failed' | 'ignored'
  /** `bypass`, `permission`, `qdisc`, …: few and fixed, it becomes an attribute. */
  readonly reason?: string
  readonly mode?: 'tcx' | 'clsact'
  readonly place?: 'pod' | 'host'
}

/** What an attached interface is while its TCP detail is given up. */
export const BRAKING = { state: 'degraded', reason: 'budget' } as const

export interface AgentFiguresParts {
  readonly table: FlowTable
  readonly edges: Pick<EdgeTable, 'series'>
  readonly health: CaptureHealth
  readonly interfaces: () => Iterable<InterfaceState>
  /** How often an interface that had lost our programs was attached again. */
  readonly reattachments: () => number
  /** While kernel statistics were on; undefined: they never are. */
  readonly programTime: () => ProgramTime | undefined
  /** Present where the module "conntrack" asks: how often, by outcome. */
  readonly translations?: Readonly<Record<string, number>>
  /** Of each exporter and signal. */
  readonly items: () => Iterable<ItemRecord>
  readonly usage: () => OwnUsage
}

export interface Figure {
  readonly metric: Metric
  readonly attributes: Attributes
  readonly value: number
}

export class AgentFigures {
  readonly #parts: AgentFiguresParts
  /** A combination that was seen once goes on being told, as 0 when no interface has it any more. */
  readonly #combinations = new Map<string, Attributes>()

  constructor(parts: AgentFiguresParts) {
    this.#parts = parts
  }

  /** All of one moment. */
  *now(): Generator<Figure> {
    const { table, edges, health, reattachments } = this.#parts
    yield figure(agentMetric.flowCount, table.liveFlows)
    yield figure(agentMetric.flowLimit, table.flowLimit)
    yield* this.#interfaces()
    yield figure(agentMetric.reattachments, reattachments(), { [attribute.attachReason]: 'removed' })
    yield* this.#faults()
    for (const [i, result] of attributionResults.entries())
      yield figure(agentMetric.attribution, table.attribution.bytes[i]!, { [attribute.attributionResult]: result })
    yield figure(agentMetric.violations, health.audit.violations)
    yield* this.#programs()
    for (const [outcome, count] of Object.entries(this.#parts.translations ?? {}))
      yield figure(agentMetric.translations, count, { [attribute.conntrackOutcome]: outcome })
    yield figure(agentMetric.seriesCount, edges.series.count)
    yield figure(agentMetric.seriesLimit, edges.series.limit)
    yield* this.#items()
    yield* this.#process()
  }

  *#interfaces(): Generator<Figure> {
    const counts = new Map<string, number>()
    for (const { state, reason, mode, place } of this.#parts.interfaces()) {
      const key = `${state} ${reason} ${mode} ${place}`
      counts.set(key, (counts.get(key) ?? 0) + 1)
      if (this.#combinations.has(key)) continue
      this.#combinations.set(key, {
        [attribute.attachState]: state,
        ...(reason !== undefined && { [attribute.attachReason]: reason }),
        ...(mode !== undefined && { [attribute.attachMode]: mode }),
        ...(place !== undefined && { [attribute.attachPlace]: place }),
      })
    }
    for (const [key, attributes] of this.#combinations)
      yield figure(agentMetric.interfaces, counts.get(key) ?? 0, attributes)
  }

  *#faults(): Generator<Figure> {
    const { faults } = this.#parts.health
    const kinds = {
      tail_call_failed: faults.tailCallFailed,
      index_insert_failed: faults.indexInsertFailed,
      slot_push_failed: faults.slotPushFailed,
      connections_merged: faults.connectionsMerged,
      parked_dropped: this.#parts.table.parked.dropped,
    }
    for (const [kind, value] of Object.entries(kinds))
      yield figure(agentMetric.faults, value, { [attribute.faultKind]: kind })
  }

  *#programs(): Generator<Figure> {
    const time = this.#parts.programTime()
    if (!time) return
    yield figure(agentMetric.programTime, time.nanoseconds / 1e9)
    yield figure(agentMetric.programRuns, time.runs)
  }

  *#items(): Generator<Figure> {
    for (const { exporter, signal, counts } of this.#parts.items()) {
      const of = { [attribute.signal]: signal, [attribute.exporter]: exporter }
      const { produced, delivered, superseded, lost, queue } = counts
      for (const [stage, value] of Object.entries({ produced, delivered, superseded }))
        yield figure(ledgerMetric.items, value, { [attribute.ledgerStage]: stage, ...of })
      for (const [reason, value] of lost)
        yield figure(ledgerMetric.items, value, {
          [attribute.ledgerStage]: 'lost',
          ...of,
          [attribute.lossReason]: reason,
        })
      yield figure(agentMetric.queueItems, queue.items, of)
      yield figure(agentMetric.queueBytes, queue.bytes, of)
    }
  }

  *#process(): Generator<Figure> {
    const { userSeconds, systemSeconds, residentBytes } = this.#parts.usage()
    for (const [mode, seconds] of Object.entries({ user: userSeconds, system: systemSeconds }))
      yield figure(processMetric.cpuTime, seconds, { [attribute.cpuMode]: mode })
    yield figure(processMetric.memory, residentBytes)
  }
}

function figure(metric: Metric, value: number, attributes: Attributes = {}): Figure {
  return { metric, attributes, value }
}
