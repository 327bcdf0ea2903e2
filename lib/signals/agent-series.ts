// What the agent says about itself: how full its table is, and how far it got with each interface.
import type { Attributes } from '@opentelemetry/api'
import type { MetricData } from '@opentelemetry/sdk-metrics'
import type { FlowTable } from '../aggregate/flow-table.ts'
import { attribute } from './attribute-names.ts'
import { metricData, type Points } from './metric-data.ts'
import { agentMetric } from './metric-names.ts'
import type { Moment } from './series.ts'

/** One interface that the agent knows. */
export interface InterfaceState {
  readonly state: 'wanted' | 'attached' | 'degraded' | 'failed' | 'ignored'
  /** `bypass`, `permission`, `qdisc`, …: few and fixed, it becomes an attribute. */
  readonly reason?: string
  readonly mode?: 'tcx' | 'clsact'
  readonly place?: 'pod' | 'host'
}

export class AgentSeries {
  readonly #table: FlowTable
  readonly #interfaces: () => Iterable<InterfaceState>
  /** A combination that was seen once goes on being sent, as 0 when no interface has it any more. */
  readonly #combinations = new Map<string, Attributes>()

  constructor(table: FlowTable, interfaces: () => Iterable<InterfaceState>) {
    this.#table = table
    this.#interfaces = interfaces
  }

  collect(moment: Moment): MetricData[] {
    return [
      metricData(agentMetric.flowCount, [point(moment, {}, this.#table.liveFlows)]),
      metricData(agentMetric.flowLimit, [point(moment, {}, this.#table.flowLimit)]),
      metricData(agentMetric.interfaces, this.#interfacePoints(moment)),
    ]
  }

  #interfacePoints(moment: Moment): Points {
    const counts = new Map<string, number>()
    for (const { state, reason, mode, place } of this.#interfaces()) {
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
}

function point({ start, now, everyPoint }: Moment, attributes: Attributes, value: number) {
  return { startTime: start, endTime: now, attributes: { ...attributes, ...everyPoint }, value }
}
