// One interval after the other: drain, count, name; export on its own clock. Read this first.
import { EdgeTable } from './aggregate/edge-table.ts'
import { FlowTable } from './aggregate/flow-table.ts'
import type { InterfaceOwner } from './aggregate/identity.ts'
import { InterfaceLedger } from './aggregate/interface-ledger.ts'
import { CaptureHealth } from './capture/capture-health.ts'
import type { DropSource } from './capture/drop-source.ts'
import type { FlowBatch } from './capture/flow-batch.ts'
import type { Attachment, FlowSource } from './capture/flow-source.ts'
import { type BudgetTimes, type MeasuredPrograms, ProgramBudget } from './capture/program-budget.ts'
import type { Config } from './config/config.ts'
import type { Inventory } from './config/inventory.ts'
import { Attachments } from './enrich/attachments.ts'
import { DropWatch } from './enrich/drop-watch.ts'
import { InterfaceWatch } from './enrich/interface-watch.ts'
import type { InventoryNames } from './enrich/inventory-names.ts'
import { AgentFeed } from './export/agent-feed.ts'
import { MetricReaders } from './export/metric-readers.ts'
import { agentResource } from './export/resource.ts'
import type { Clock } from './host/clock.ts'
import type { Log } from './host/log.ts'
import { namespaceInode, type OwnProcess } from './host/own-process.ts'
import { BRAKING, type InterfaceState } from './signals/agent-series.ts'
import { attribute } from './signals/attribute-names.ts'
import { Delivery } from './signals/delivery.ts'
import { type Books, nodeTotals } from './signals/ledger-totals.ts'
import { FlowMetricProducer } from './signals/metric-producer.ts'

export interface PipelineParts {
  readonly source: FlowSource
  /** With them the brake of `cpu_budget` works. */
  readonly programs?: MeasuredPrograms
  readonly budgetTimes?: BudgetTimes
  /** Absent: the module "drops" is off, or can't work here. */
  readonly drops?: DropSource
  readonly config: Config
  readonly names: InventoryNames
  readonly own: OwnProcess
  readonly version: string
  readonly log: Log
  readonly clock: Clock
}

const QUIET_READINGS = 3
const QUIET_APART_MS = 50
const FLUSH_TRIES = 3

export class Pipeline {
  readonly feed: AgentFeed
  readonly table: FlowTable
  readonly books: Books
  readonly attachments: Attachments
  readonly health: CaptureHealth
  readonly startedAtMs: number
  readonly #parts: PipelineParts
  readonly #budget: ProgramBudget | undefined
  readonly #readers: MetricReaders
  readonly #drops: DropWatch | undefined
  readonly #interfaces: InterfaceWatch
  readonly #onBatch = new Set<(batch: FlowBatch) => void>()
  #timer: NodeJS.Timeout | undefined
  #draining: Promise<FlowBatch | undefined> = Promise.resolve(undefined)
  #stopped = false

  constructor(parts: PipelineParts, inventory: Inventory | undefined) {
    const { source, drops, config, names, log, clock, version } = parts
    this.#parts = parts
    this.startedAtMs = clock.nowMs()
    this.health = new CaptureHealth(log)
    const owner = (interfaceSlot: number) => this.attachments.owner(interfaceSlot)
    const ledger = new InterfaceLedger(owner)
    this.#drops = drops && new DropWatch({ source: drops, log, clock })
    this.attachments = new Attachments({
      source,
      attach: config.attach,
      hook: config.hook,
      log,
      clock,
      onAttached: (attachment, request) => {
        ledger.attached(attachment)
        this.#drops?.attached(watchedInterface(attachment, owner), request)
      },
    })
    this.#interfaces = new InterfaceWatch(
      {
        ...{ source, attachments: this.attachments, names, own: parts.own, inodeOf: namespaceInode, log, clock },
        ...{ mode: config.discovery, nodeName: config.resourceAttributes['k8s.node.name'] },
      },
      inventory,
    )
    const edges = new EdgeTable(config.seriesLimit, config.detail)
    const delivery = new Delivery()
    this.books = { edges, ledger, delivery }
    this.table = new FlowTable({
      flowLimit: config.flowLimit,
      parkedForMs: config.retire.abandonedMs,
      names,
      owner,
      edges,
      ledger,
      startedAtMs: this.startedAtMs,
    })
    this.#budget = this.#brake()
    this.#readers = this.#export()
    this.feed = new AgentFeed({
      ...this.books,
      table: this.table,
      health: this.health,
      attachments: this.attachments,
      ignored: () => this.#interfaces.ignored,
      brakingSinceMs: () => this.#budget?.brakingSinceMs,
      exporters: () => this.#readers.status(),
      version,
      startedAtMs: this.startedAtMs,
    })
  }

  /** Attaches to what is there now, then drains until `stop`. */
  async start(): Promise<void> {
    await this.#interfaces.start()
    this.#schedule()
    this.#budget?.start()
  }

  /** Called after each batch has been counted. */
  onBatch(listener: (batch: FlowBatch) => void): void {
    this.#onBatch.add(listener)
  }

  replaceInventory(inventory: Inventory): void {
    this.#parts.names.replace(inventory)
    this.#interfaces.replaceInventory(inventory)
  }

  /** One after the other, whoever asks. undefined when the capture failed; the log says why. */
  drain(): Promise<FlowBatch | undefined> {
    this.#draining = this.#draining.then(() => this.#drain())
    return this.#draining
  }

  /** Drains until neither devices nor we count anything new in three readings. */
  async quiesce(timeoutMs: number): Promise<boolean> {
    const { clock } = this.#parts
    const endMs = clock.monotonicMs() + timeoutMs
    let before = ''
    for (let same = 0; same < QUIET_READINGS; ) {
      if (clock.monotonicMs() > endMs) return false
      const batch = await this.drain()
      const now = batch ? counterText(batch) : ''
      same = now === before ? same + 1 : 0
      before = now
      await new Promise(resolve => setTimeout(resolve, QUIET_APART_MS))
    }
    return true
  }

  /** Sends what there is. false: something still waits for its acknowledgment. */
  async flush(timeoutMs: number): Promise<boolean> {
    const { clock } = this.#parts
    const endMs = clock.monotonicMs() + timeoutMs
    for (let i = 0; i < FLUSH_TRIES && this.#queued() > 0; i++) {
      const leftMs = endMs - clock.monotonicMs()
      if (leftMs <= 0) break
      await this.#readers.forceFlush(leftMs)
    }
    return this.#queued() === 0
  }

  /** Last drain, last export, then everything is closed; `timeoutMs` bounds the export. */
  async stop(timeoutMs: number): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#interfaces.stop()
    await this.#budget?.stop()
    await this.attachments.stop()
    await this.drain()
    await this.#readers.shutdown(timeoutMs)
    const queued = this.#queued()
    if (queued > 0) this.#parts.log.warn({ packets: queued }, `stop: counts of ${queued} packets were not delivered`)
    await this.#parts.source.close()
    await this.#parts.drops?.close()
  }

  #brake(): ProgramBudget | undefined {
    const { programs, budgetTimes, config, clock, log } = this.#parts
    if (!programs || config.cpuBudget === 0) return undefined
    const times = budgetTimes && { times: budgetTimes }
    return new ProgramBudget({ programs, share: config.cpuBudget, clock, log, ...times })
  }

  #export(): MetricReaders {
    const { config, log, clock, version } = this.#parts
    return new MetricReaders({
      exporters: config.exporters,
      resource: agentResource(version, config.resourceAttributes),
      exportIntervalMs: config.exportIntervalMs,
      log,
      clock,
      streamFor: () => {
        const producer = new FlowMetricProducer({
          ...this.books,
          table: this.table,
          health: this.health,
          ...(this.#drops && { drops: this.#drops.table }),
          interfaces: () => this.#interfaceStates(),
          programTime: () => this.#budget?.sampled,
          clock,
          startedAtMs: this.startedAtMs,
          version,
          everyPoint: clusterName(config),
        })
        return { producer, acknowledged: m => producer.acknowledged(m), failed: () => producer.failed() }
      },
    })
  }

  *#interfaceStates(): Generator<InterfaceState> {
    const isBraking = this.#budget?.brakingSinceMs !== undefined
    for (const { state, reason, attachment } of this.attachments.interfaces())
      yield {
        ...(isBraking && state === 'attached' ? BRAKING : { state, ...(reason !== undefined && { reason }) }),
        ...(attachment && { mode: attachment.hook, place: attachment.place }),
      }
    for (const { reason } of this.#interfaces.ignored) yield { state: 'ignored', reason }
  }

  #schedule(): void {
    if (this.#stopped) return
    this.#timer = setTimeout(async () => {
      await this.drain()
      this.#schedule()
    }, this.#parts.config.drainIntervalMs)
  }

  async #drain(): Promise<FlowBatch | undefined> {
    try {
      const batch = await this.#parts.source.drain()
      this.table.apply(batch)
      this.health.update(batch)
      this.#followDevices(batch)
      this.feed.batchApplied()
      for (const listener of this.#onBatch) listener(batch)
      await this.#drops?.drain()
      return batch
    } catch (error) {
      this.#parts.log.error((error as Error).message)
      return undefined
    }
  }

  #followDevices({ interfaces }: FlowBatch): void {
    for (let i = 0; i < interfaces.length; i++) {
      const interfaceSlot = interfaces.interfaceSlot[i]!
      if (interfaces.ended[i] === 1) {
        this.attachments.forget(interfaceSlot)
        this.#drops?.ended(interfaceSlot)
      } else if (interfaces.devicePresent[i] === 0) {
        void this.attachments.lost(interfaceSlot)
        this.#interfaces.deviceGone()
      }
    }
  }

  #queued(): number {
    return nodeTotals(this.books).delivery.packets.queued
  }
}

/** Whose it is may turn out later. */
function watchedInterface(attachment: Attachment, owner: (interfaceSlot: number) => InterfaceOwner | undefined) {
  let known: InterfaceOwner | undefined
  return {
    attachment,
    get owner() {
      known = owner(attachment.interfaceSlot) ?? known
      return known
    },
  }
}

/** A backend that keeps no resource attributes on series must still tell clusters apart. */
function clusterName({ resourceAttributes }: Config): Record<string, string> {
  const name = resourceAttributes[attribute.clusterName]
  return name === undefined ? {} : { [attribute.clusterName]: name }
}

function counterText({ interfaces }: FlowBatch): string {
  return [interfaces.fromPod, interfaces.toPod].map(({ devicePackets, skbs }) => `${devicePackets}/${skbs}`).join(' ')
}
