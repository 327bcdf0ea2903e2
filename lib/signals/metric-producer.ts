// Everything that is counted as OpenTelemetry metrics, for one receiver: plug it into any MetricReader.
import type { Attributes, HrTime } from '@opentelemetry/api'
import { emptyResource } from '@opentelemetry/resources'
import type { CollectionResult, MetricData, MetricProducer, ResourceMetrics } from '@opentelemetry/sdk-metrics'
import type { DropTable } from '../aggregate/drop-table.ts'
import type { FlowTable } from '../aggregate/flow-table.ts'
import type { LookupTable } from '../aggregate/lookup-table.ts'
import type { CaptureHealth } from '../capture/capture-health.ts'
import type { ProgramTime } from '../capture/flow-source.ts'
import type { Clock } from '../host/clock.ts'
import { AgentSeries, type InterfaceState } from './agent-series.ts'
import { DnsSeries } from './dns-series.ts'
import { DropSeries } from './drop-series.ts'
import { EdgeSeries } from './edge-series.ts'
import { LedgerSeries } from './ledger-series.ts'
import type { Books } from './ledger-totals.ts'
import { toHrTime } from './metric-data.ts'
import { PairSeries } from './pair-series.ts'
import { PodSeries } from './pod-series.ts'
import { type Moment, SeriesWriter } from './series.ts'
import { ZoneSeries } from './zone-series.ts'

export interface MetricProducerParts extends Books {
  readonly table: FlowTable
  readonly health: CaptureHealth
  /** Present where the module "drops" counts. */
  readonly drops?: DropTable
  /** Present where the module "dns" listens. */
  readonly lookups?: LookupTable
  readonly interfaces: () => Iterable<InterfaceState>
  /** How often an interface that had lost our programs was attached again. */
  readonly reattachments: () => number
  /** While kernel statistics were on; undefined: they never are. */
  readonly programTime: () => ProgramTime | undefined
  readonly clock: Clock
  /** Wall clock: nothing was counted before. */
  readonly startedAtMs: number
  /** When the ledger began, which an agent before this one may have done. Absent: `startedAtMs`. */
  readonly ledgerStartedAtMs?: number
  readonly version: string
  /** For each point, beside its own: the cluster's name. */
  readonly everyPoint?: Attributes
  /** How long a series without change is not sent again. */
  readonly resendUnchangedMs?: number
}

export class FlowMetricProducer implements MetricProducer {
  readonly #clock: Clock
  readonly #start: HrTime
  readonly #version: string
  readonly #everyPoint: Attributes
  readonly #writer: SeriesWriter
  readonly #edges: EdgeSeries
  readonly #pairs: PairSeries
  readonly #pods: PodSeries
  readonly #ledger: LedgerSeries
  readonly #agent: AgentSeries
  readonly #modules: readonly { collect(moment: Moment): MetricData[] }[]
  #collectedAt: HrTime | undefined

  constructor(parts: MetricProducerParts) {
    this.#clock = parts.clock
    this.#version = parts.version
    this.#start = toHrTime(parts.startedAtMs)
    this.#everyPoint = parts.everyPoint ?? {}
    this.#writer = new SeriesWriter(parts.resendUnchangedMs ?? 60_000, this.#everyPoint, parts.startedAtMs)
    this.#edges = new EdgeSeries(parts.edges, () => parts.table.activeByEdge(), this.#writer)
    this.#pairs = new PairSeries(parts.edges, this.#writer)
    this.#pods = new PodSeries(parts.ledger, this.#writer)
    this.#ledger = new LedgerSeries(parts, this.#writer, parts.ledgerStartedAtMs ?? parts.startedAtMs)
    this.#agent = new AgentSeries(parts, this.#writer)
    this.#modules = [
      ...(parts.drops ? [new DropSeries(parts.drops, this.#writer, parts.startedAtMs)] : []),
      ...(parts.lookups ? [new DnsSeries(parts.lookups, this.#writer, parts.startedAtMs)] : []),
      ...(parts.edges.zones ? [new ZoneSeries(parts.edges.zones, this.#writer)] : []),
    ]
    parts.delivery.add(this.#writer.delivered)
  }

  /** Reads everything without a pause: no batch is applied half-way through. */
  async collect(): Promise<CollectionResult> {
    const nowMs = this.#clock.nowMs()
    this.#collectedAt = toHrTime(nowMs)
    const moment = { nowMs, now: this.#collectedAt, start: this.#start, everyPoint: this.#everyPoint }
    const always = [this.#pods, this.#edges, this.#pairs, this.#ledger, this.#agent]
    const metrics = [...always, ...this.#modules].flatMap(part => part.collect(moment))
    const scope = { name: 'podweir', version: this.#version }
    const withPoints = metrics.filter(metric => metric.dataPoints.length > 0)
    const scopeMetrics = [{ scope, metrics: withPoints }]
    return { resourceMetrics: { resource: emptyResource(), scopeMetrics }, errors: [] }
  }

  /** Time of the newest collection: its points have this very object as their end. */
  get collectedAt(): HrTime | undefined {
    return this.#collectedAt
  }

  /** To be told of each request that the receiver has taken, whole or a part of what was collected. */
  acknowledged(metrics: ResourceMetrics): void {
    this.#writer.acknowledge(metrics)
  }

  /** What is not acknowledged is sent again with the next collection. */
  failed(): void {}
}
