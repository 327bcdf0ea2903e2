// What the agent says about itself: how full its table is, what went wrong with it, and how far it got with each interface.
import type { Attributes } from '@opentelemetry/api'
import type { MetricData } from '@opentelemetry/sdk-metrics'
import { attributionResults } from '../aggregate/attribution.ts'
import type { FlowTable } from '../aggregate/flow-table.ts'
import type { CaptureHealth } from '../capture/capture-health.ts'
import type { ProgramTime } from '../capture/flow-source.ts'
import { attribute } from './attribute-names.ts'
import { metricData, type Points } from './metric-data.ts'
import { agentMetric } from './metric-names.ts'
import type { Moment, Series, SeriesWriter } from './series.ts'

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

export interface AgentSeriesParts {
  readonly table: FlowTable
  readonly health: CaptureHealth
  readonly interfaces: () => Iterable<InterfaceState>
  /** How often an interface that had lost our programs was attached again. */
  readonly reattachments: () => number
  /** While kernel statistics were on; undefined: they never are. */
  readonly programTime: () => ProgramTime | undefined
  /** Wall clock. */
  readonly startedAtMs: number
}

export class AgentSeries {
  readonly #parts: AgentSeriesParts
  readonly #writer: SeriesWriter
  readonly #counters = new Map<string, Series>()
  /** A combination that was seen once goes on being sent, as 0 when no interface has it any more. */
  readonly #combinations = new Map<string, Attributes>()

  constructor(parts: AgentSeriesParts, writer: SeriesWriter) {
    this.#parts = parts
    this.#writer = writer
  }

  collect(moment: Moment): MetricData[] {
    const { table } = this.#parts
    return [
      metricData(agentMetric.flowCount, [point(moment, {}, table.liveFlows)]),
      metricData(agentMetric.flowLimit, [point(moment, {}, table.flowLimit)]),
      metricData(agentMetric.interfaces, this.#interfacePoints(moment)),
      metricData(agentMetric.reattachments, this.#reattachmentPoints(moment)),
      metricData(agentMetric.faults, this.#faultPoints(moment)),
      metricData(agentMetric.attribution, this.#attributionPoints(moment)),
      metricData(agentMetric.violations, this.#violationPoints(moment)),
      ...this.#programs(moment),
    ]
  }

  #interfacePoints(moment: Moment): Points {
    const counts = new Map<string, number>()
    for (const { state, reason, mode, place } of this.#parts.interfaces()) {
      const key = JSON.stringify([state, reason, mode, place])
      counts.set(key, (counts.get(key) ?? 0) + 1)
      if (this.#combinations.has(key)) continue
      this.#combinations.set(key, {
        [attribute.attachState]: state,
        ...(reason !== undefined && { [attribute.attachReason]: reason }),
        ...(mode !== undefined && { [attribute.attachMode]: mode }),
        ...(place !== undefined && { [attribute.attachPlace]: place }),
      })
    }
    return [...this.#combinations].map(([key, attributes]) => point(moment, attributes, counts.get(key) ?? 0))
  }

  #reattachmentPoints(moment: Moment): Points {
    const points: Points = []
    const series = this.#counter('reattachments', { [attribute.attachReason]: 'removed' })
    this.#writer.write(points, series, this.#parts.reattachments(), moment)
    return points
  }

  #faultPoints(moment: Moment): Points {
    const { faults } = this.#parts.health
    const kinds = {
      tail_call_failed: faults.tailCallFailed,
      index_insert_failed: faults.indexInsertFailed,
      slot_push_failed: faults.slotPushFailed,
      connections_merged: faults.connectionsMerged,
      parked_dropped: this.#parts.table.parked.dropped,
    }
    const points: Points = []
    for (const [kind, value] of Object.entries(kinds))
      this.#writer.write(points, this.#counter(kind, { [attribute.faultKind]: kind }), value, moment)
    return points
  }

  #attributionPoints(moment: Moment): Points {
    const points: Points = []
    const { bytes } = this.#parts.table.attribution
    for (const [i, result] of attributionResults.entries()) {
      const series = this.#counter(`attribution ${result}`, { [attribute.attributionResult]: result })
      this.#writer.write(points, series, bytes[i]!, moment)
    }
    return points
  }

  #violationPoints(moment: Moment): Points {
    const points: Points = []
    this.#writer.write(points, this.#counter('violations', {}), this.#parts.health.audit.violations, moment)
    return points
  }

  #programs(moment: Moment): MetricData[] {
    const time = this.#parts.programTime()
    if (!time) return []
    const seconds: Points = []
    const runs: Points = []
    this.#writer.write(seconds, this.#counter('seconds', {}), time.nanoseconds / 1e9, moment)
    this.#writer.write(runs, this.#counter('runs', {}), time.runs, moment)
    return [metricData(agentMetric.programTime, seconds), metricData(agentMetric.programRuns, runs)]
  }

  #counter(key: string, attributes: Attributes): Series {
    const known = this.#counters.get(key)
    if (known) return known
    const series = this.#writer.begin(attributes, this.#parts.startedAtMs)
    this.#counters.set(key, series)
    return series
  }
}

function point({ start, now, everyPoint }: Moment, attributes: Attributes, value: number) {
  return { startTime: start, endTime: now, attributes: { ...attributes, ...everyPoint }, value }
}
