// One interval after the other: drain, count, name; export on its own clock. Read this first.
import { EdgeTable } from './aggregate/edge-table.ts'
import { FlowTable } from './aggregate/flow-table.ts'
import { InterfaceLedger } from './aggregate/interface-ledger.ts'
import type { OwnTraffic } from './aggregate/own-flows.ts'
import { CaptureHealth } from './capture/capture-health.ts'
import type { DropSource } from './capture/drop-source.ts'
import type { FlowBatch, InterfaceColumns } from './capture/flow-batch.ts'
import type { FlowSource } from './capture/flow-source.ts'
import { type BudgetTimes, brake, type MeasuredPrograms, type ProgramBudget } from './capture/program-budget.ts'
import { quiesce } from './capture/quiesce.ts'
import type { Config } from './config/config.ts'
import type { Inventory } from './config/inventory.ts'
import { Attachments } from './enrich/attachments.ts'
import { DropWatch, watchedInterface } from './enrich/drop-watch.ts'
import { type FlowNameSources, FlowNames } from './enrich/flow-names.ts'
import { deviceFollower } from './enrich/follow-devices.ts'
import { InterfaceScope } from './enrich/interface-scope.ts'
import { InterfaceWatch } from './enrich/interface-watch.ts'
import type { PodNames } from './enrich/pod-names.ts'
import { notReady } from './enrich/readiness.ts'
import { AgentFeed } from './export/agent-feed.ts'
import type { EventOutlets } from './export/event-outlets.ts'
import { EventStream } from './export/event-stream.ts'
import { MetricExport } from './export/metric-export.ts'
import type { OwnTelemetry, OwnTelemetryParts } from './export/own-telemetry.ts'
import type { Clock } from './host/clock.ts'
import type { Log } from './host/log.ts'
import { namespaceInode, type OwnProcess } from './host/own-process.ts'
import type { ResourceState } from './kubernetes/watch-health.ts'
import { Delivery } from './signals/delivery.ts'
import { DrainDurations } from './signals/drain-durations.ts'
import { EdgeChoices } from './signals/edge-choices.ts'
import { Handover } from './signals/handover.ts'
import { interfaceStates } from './signals/interface-states.ts'
import type { Books } from './signals/ledger-totals.ts'

export interface PipelineParts extends FlowNameSources {
  readonly source: FlowSource
  /** With them the brake of `cpu_budget` works. */
  readonly programs?: MeasuredPrograms
  readonly budgetTimes?: BudgetTimes
  /** Absent: the module "drops" is off, or can't work here. */
  readonly drops?: DropSource
  /** Where spans and log records go; absent: no pipeline carries any, and none are made. Closed with the pipeline. */
  readonly outlets?: EventOutlets
  /** Absent: flows of our own are exported like any other. */
  readonly ownTraffic?: OwnTraffic
  readonly config: Config
  readonly names: PodNames
  /** Absent: what the agent says of itself is told with the data. */
  readonly ownTelemetry?: (parts: OwnTelemetryParts) => OwnTelemetry
  /** How the API server's objects come in; absent: it is not asked. */
  readonly cluster?: () => readonly ResourceState[]
  readonly own: OwnProcess
  readonly version: string
  readonly log: Log
  readonly clock: Clock
}

export class Pipeline {
  readonly feed: AgentFeed
  readonly table: FlowTable
  readonly books: Books
  readonly attachments: Attachments
  readonly health: CaptureHealth
  readonly startedAtMs: number
  readonly #parts: PipelineParts
  readonly #budget: ProgramBudget | undefined
  readonly #metrics: MetricExport
  readonly #drains: DrainDurations
  readonly #drops: DropWatch | undefined
  readonly #names: FlowNames
  readonly #handover: Handover | undefined
  readonly #events: EventStream | undefined
  readonly #scope: InterfaceScope
  readonly #interfaces: InterfaceWatch
  readonly #follow: (interfaces: InterfaceColumns) => void
  readonly #onBatch = new Set<(batch: FlowBatch) => void>()
  #timer: NodeJS.Timeout | undefined
  #draining: Promise<FlowBatch | undefined> = Promise.resolve(undefined)
  #drainedAtMs: number | undefined
  #stopped = false

  constructor(parts: PipelineParts, inventory: Inventory | undefined) {
    const { source, drops, config, names, log, clock, version } = parts
    this.#parts = parts
    this.startedAtMs = clock.nowMs()
    this.health = new CaptureHealth(log)
    this.#drains = new DrainDurations(this.startedAtMs)
    const owner = (interfaceSlot: number) => this.attachments.owner(interfaceSlot)
    const ledger = new InterfaceLedger(owner)
    this.#drops = drops && new DropWatch({ source: drops, log, clock })
    this.#names = new FlowNames({ ...parts, owner })
    this.#scope = new InterfaceScope(config.scope, source, log)
    this.attachments = new Attachments({
      source,
      attach: config.attach,
      hook: config.hook,
      paceMs: config.attachPaceMs,
      log,
      clock,
      onUnattached: device => ledger.unattached(device),
      onAttached: (attachment, request) => {
        ledger.attached(attachment)
        if (attachment.adopted) this.#handover?.claimed()
        void this.#scope.tell(attachment.interfaceSlot, owner(attachment.interfaceSlot))
        this.#drops?.attached(watchedInterface(attachment, owner), request)
      },
    })
    this.#interfaces = new InterfaceWatch(
      {
        ...{ source, names, own: parts.own, inodeOf: namespaceInode, log, clock },
        attachments: this.#scope.around(this.attachments),
        mode: config.discovery,
        nodeName: config.kubernetes.nodeName ?? config.resourceAttributes['k8s.node.name'],
      },
      inventory,
    )
    const { attachments } = this
    const modules = { drops: this.#drops, dns: this.#names.dns }
    this.#follow = deviceFollower({ attachments, scope: this.#scope, watch: this.#interfaces, ...modules })
    const edges = new EdgeTable(config)
    const delivery = new Delivery(new EdgeChoices(edges))
    this.books = { edges, ledger, delivery }
    const { startedAtMs } = this
    this.#events = parts.outlets && new EventStream({ ...parts, outlets: parts.outlets, edges, startedAtMs })
    this.table = new FlowTable({
      ...{ flowLimit: config.flowLimit, parkedForMs: config.retire.abandonedMs },
      ...{ names: this.#names, owner, edges, ledger },
      ...(parts.ownTraffic && { ownTraffic: parts.ownTraffic }),
      ...(this.#events?.connections && { connections: this.#events.connections }),
      startedAtMs,
    })
    const { continuity } = source
    this.#handover =
      continuity &&
      new Handover({ ...this.books, continuity, log, drain: async mark => (await this.drain(mark)) !== undefined })
    this.#handover?.begin()
    this.#budget = brake(parts.programs, config.cpuBudget, { clock, log, times: parts.budgetTimes })
    this.#metrics = this.#export()
    this.feed = new AgentFeed({
      ...this.books,
      ...{ table: this.table, health: this.health, attachments },
      ignored: () => this.#interfaces.ignored,
      brakingSinceMs: () => this.#budget?.brakingSinceMs,
      exporters: () => this.#metrics.status(),
      ...(parts.cluster && { cluster: parts.cluster }),
      ...{ version, startedAtMs },
    })
  }

  /** Drains until `stop`, and attaches to what is there now: resolves when each interface of it has had its turn. */
  async start(): Promise<void> {
    await this.#interfaces.start()
    this.#schedule()
    this.#budget?.start()
    await this.attachments.settled()
    await this.#parts.source.continuity?.detachUnclaimed()
    this.#handover?.ready()
  }

  /** Why we are not ready; empty: we are. */
  notReady(minAttached: number): string[] {
    const { clock, config } = this.#parts
    const sinceDrainMs = this.#drainedAtMs === undefined ? undefined : clock.monotonicMs() - this.#drainedAtMs
    const { drainIntervalMs } = config
    return notReady({ interfaces: this.attachments.interfaces(), minAttached, sinceDrainMs, drainIntervalMs })
  }

  /** Called after each batch has been counted. */
  onBatch(listener: (batch: FlowBatch) => void): void {
    this.#onBatch.add(listener)
  }

  replaceInventory(inventory: Inventory): void {
    this.#parts.names.replace(inventory)
    this.#interfaces.replaceInventory(inventory)
  }

  /** To be called when pods of this node are called otherwise than before. */
  namesChanged(): void {
    this.#interfaces.namesChanged()
  }

  /** One after the other, whoever asks. undefined when the capture failed; the log says why. */
  drain(mark?: number): Promise<FlowBatch | undefined> {
    this.#draining = this.#draining.then(() => this.#drain(mark))
    return this.#draining
  }

  /** Drains until nothing moves any more. false: the time was over before. */
  quiesce(timeoutMs: number): Promise<boolean> {
    return quiesce(() => this.drain(), this.#parts.clock, timeoutMs)
  }

  /** Sends what there is. false: something still waits for its acknowledgment. */
  flush(timeoutMs: number): Promise<boolean> {
    return this.#metrics.deliver(timeoutMs)
  }

  /** Last drain, last export, then everything is closed; `timeoutMs` bounds the export. */
  async stop(timeoutMs: number): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#interfaces.stop()
    await this.#budget?.stop()
    await this.attachments.stop()
    this.#handover?.ready()
    await this.drain()
    await Promise.all([this.#metrics.close(timeoutMs), this.#events?.close(timeoutMs)])
    const queued = this.#metrics.queuedPackets
    if (queued > 0) this.#parts.log.warn({ packets: queued }, `stop: counts of ${queued} packets were not delivered`)
    await this.#parts.source.close(this.#parts.config.onStop === 'keep')
    await this.#parts.drops?.close()
  }

  #export(): MetricExport {
    const { source, config, log, clock, version, ownTelemetry } = this.#parts
    return new MetricExport({
      ...{ config, version, table: this.table, tracker: this.#handover, ownTelemetry, log, clock },
      sources: {
        ...this.books,
        ...(this.#drops && { drops: this.#drops.table }),
        ...(this.#names.dns && { lookups: this.#names.dns.table }),
        ...(this.#events && { exemplars: this.#events.exemplars }),
        drains: this.#drains,
        startedAtMs: this.startedAtMs,
        ...(source.continuity && { ledgerStartedAtMs: source.continuity.adoption.startedAtMs }),
      },
      eventItems: () => this.#events?.items ?? [],
      figures: {
        health: this.health,
        interfaces: () => this.#interfaceStates(),
        reattachments: () => this.attachments.reattachments,
        programTime: () => this.#budget?.sampled,
        ...(this.#names.backends && { translations: this.#names.backends.counts }),
      },
    })
  }

  #interfaceStates() {
    const isBraking = this.#budget?.brakingSinceMs !== undefined
    const ignored = [...this.#scope.ignored.map(() => 'scope'), ...this.#interfaces.ignored.map(({ reason }) => reason)]
    return interfaceStates(this.attachments.interfaces(), ignored, isBraking)
  }

  #schedule(): void {
    if (this.#stopped) return
    this.#timer = setTimeout(async () => {
      await this.drain()
      this.#schedule()
    }, this.#parts.config.drainIntervalMs)
  }

  async #drain(mark?: number): Promise<FlowBatch | undefined> {
    try {
      const beganMs = this.#parts.clock.monotonicMs()
      const batch = await this.#parts.source.drain(mark)
      this.#drainedAtMs = this.#parts.clock.monotonicMs()
      this.#drains.add((this.#drainedAtMs - beganMs) / 1000)
      await this.#names.learn(batch)
      this.#events?.drained(batch.readAtMs)
      this.table.apply(batch)
      this.#events?.counted()
      this.health.update(batch)
      this.#follow(batch.interfaces)
      this.#handover?.batchApplied(batch)
      this.feed.batchApplied()
      for (const listener of this.#onBatch) listener(batch)
      await this.#drops?.drain()
      await this.attachments.readFailed()
      return batch
    } catch (error) {
      this.#parts.log.error((error as Error).message)
      return undefined
    }
  }
}
