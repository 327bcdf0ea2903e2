// All that is told as metrics: what is counted, to each exporter, and what the agent says of itself.
import type { FlowTable } from '../aggregate/flow-table.ts'
import type { Config } from '../config/config.ts'
import type { ExporterConfig } from '../config/exporters.ts'
import type { OtlpTarget } from '../config/otlp-exporters.ts'
import { outletsOf } from '../config/outlets.ts'
import { podweirScope } from '../encode/scope.ts'
import type { Clock } from '../host/clock.ts'
import type { Log } from '../host/log.ts'
import { ownUsage } from '../host/own-usage.ts'
import { AgentFigures, type AgentFiguresParts } from '../signals/agent-figures.ts'
import type { ExporterRecord } from '../signals/flow-record.ts'
import type { ItemRecord } from '../signals/item-record.ts'
import { nodeTotals } from '../signals/ledger-totals.ts'
import type { MetricSources } from '../signals/metric-walk.ts'
import { SharedSets } from '../signals/shared-sets.ts'
import { MetricOutlets, type MetricOutletsParts } from './metric-outlets.ts'
import type { OwnTelemetry, OwnTelemetryParts } from './own-telemetry.ts'
import { agentResource, clusterAttribute } from './resource.ts'

export interface MetricExportParts {
  readonly config: Config
  readonly version: string
  readonly sources: Omit<MetricSources, 'agent' | 'sets' | 'active' | 'clock'>
  readonly table: FlowTable
  /** What became of spans and log records. */
  readonly eventItems: () => readonly ItemRecord[]
  readonly figures: Omit<AgentFiguresParts, 'edges' | 'table' | 'items' | 'usage'>
  /** Follows the first exporter. */
  readonly tracker: MetricOutletsParts['tracker'] | undefined
  /** Absent: what the agent says of itself is told with the data. */
  readonly ownTelemetry: ((parts: OwnTelemetryParts) => OwnTelemetry) | undefined
  readonly log: Log
  readonly clock: Clock
}

const DELIVER_TRIES = 3

export class MetricExport {
  readonly #sources: MetricExportParts['sources']
  readonly #clock: Clock
  readonly #outlets: MetricOutlets
  readonly #own: OwnTelemetry | undefined

  constructor({ config, version, sources, table, tracker, ownTelemetry, log, clock, ...parts }: MetricExportParts) {
    this.#sources = sources
    this.#clock = clock
    const resource = agentResource(version, config.resourceAttributes)
    const everyPoint = clusterAttribute(config.resourceAttributes)
    const scope = podweirScope(version)
    const outlets = outletsOf(config, 'metrics')
    const exporters = outlets.map(({ exporter }) => exporter)
    const figures = new AgentFigures({
      ...parts.figures,
      table,
      edges: sources.edges,
      items: () => [...this.#outlets.items, ...parts.eventItems()],
      usage: ownUsage,
    })
    this.#own = ownTelemetry?.({
      ...{ config: config.ownTelemetry, targets: grpcTargets(exporters), resource, everyPoint, scope },
      ...{ figures, drains: sources.drains, log, clock },
    })
    this.#outlets = new MetricOutlets({
      outlets,
      sources: {
        ...sources,
        active: () => table.activeByEdge(),
        ...(!this.#own && { agent: figures }),
        sets: new SharedSets(resource, everyPoint),
        clock,
      },
      ...(tracker && { tracker }),
      meterProvider: this.#own?.meterProvider,
      ...{ scope, intervalMs: config.exportIntervalMs, log, clock },
    })
  }

  status(): ExporterRecord[] {
    return this.#outlets.status()
  }

  /** Packets that not every receiver has acknowledged. */
  get queuedPackets(): number {
    return nodeTotals(this.#sources).delivery.packets.queued
  }

  /** Tells what there is until all of it has arrived. false: something still waits for its acknowledgment. */
  async deliver(timeoutMs: number): Promise<boolean> {
    const endMs = this.#clock.monotonicMs() + timeoutMs
    for (let i = 0; i < DELIVER_TRIES && this.queuedPackets > 0; i++) {
      const leftMs = endMs - this.#clock.monotonicMs()
      if (leftMs <= 0) break
      await this.#outlets.flush(leftMs)
    }
    return this.queuedPackets === 0
  }

  /** Tells what there is a last time and closes, within the time also when a receiver never answers. */
  async close(timeoutMs: number): Promise<void> {
    await Promise.all([this.#outlets.close(timeoutMs), this.#own?.close(timeoutMs)])
  }
}

function grpcTargets(exporters: readonly ExporterConfig[]): OtlpTarget[] {
  return exporters.flatMap(exporter => (exporter.type === 'otlp_grpc' ? [exporter.targets.metrics] : []))
}
