// Where spans and log records go: an outlet for each of the two, with a queue for each exporter that a pipeline names.
import type { ExporterConfig } from '../config/exporters.ts'
import type { FileStorageConfig } from '../config/file-storage.ts'
import type { OutletConfig } from '../config/outlets.ts'
import type { ProcessorConfig } from '../config/processors.ts'
import type { Signal } from '../config/signal.ts'
import type { Verbosity } from '../encode/attribute-text.ts'
import type { EventEncoder } from '../encode/encoded-request.ts'
import { LogJsonEncoder } from '../encode/log-json.ts'
import { LogProtobufEncoder } from '../encode/log-protobuf.ts'
import { LogTextEncoder } from '../encode/log-text.ts'
import type { Scope } from '../encode/scope.ts'
import { SpanJsonEncoder } from '../encode/span-json.ts'
import { SpanProtobufEncoder } from '../encode/span-protobuf.ts'
import { SpanTextEncoder } from '../encode/span-text.ts'
import type { Clock } from '../host/clock.ts'
import type { Log } from '../host/log.ts'
import type { ItemRecord } from '../signals/item-record.ts'
import type { LogRecord } from '../signals/log-record.ts'
import { eventProcessing } from '../signals/processing.ts'
import type { SpanRecord } from '../signals/span-record.ts'
import { EventForm, type EventFormParts, type OfTrace } from './event-form.ts'
import { EventOutlet } from './event-outlet.ts'
import { MemoryLimiter } from './memory-limiter.ts'
import { RequestQueue } from './request-queue.ts'
import { RequestSpool } from './request-spool.ts'
import type { Sender } from './sender.ts'
import { createSender } from './senders.ts'

export interface EventOutletsParts {
  /** Of pipelines of traces. */
  readonly traces: readonly OutletConfig[]
  /** Of pipelines of logs. */
  readonly logs: readonly OutletConfig[]
  readonly scope: Scope
  readonly log: Log
  readonly clock: Clock
}

type EventSignal = Exclude<Signal, 'metrics'>

/** How each signal is written in each form. */
interface Encoders<Item> {
  readonly protobuf: (scope: Scope) => EventEncoder<Item>
  readonly json: (scope: Scope) => EventEncoder<Item>
  readonly text: (verbosity: Verbosity) => EventEncoder<Item>
}

const spanEncoders: Encoders<SpanRecord> = {
  protobuf: scope => new SpanProtobufEncoder(scope),
  json: scope => new SpanJsonEncoder(scope),
  text: verbosity => new SpanTextEncoder(verbosity),
}

const logEncoders: Encoders<LogRecord> = {
  protobuf: scope => new LogProtobufEncoder(scope),
  json: scope => new LogJsonEncoder(scope),
  text: verbosity => new LogTextEncoder(verbosity),
}

export class EventOutlets {
  readonly spans: EventOutlet<SpanRecord>
  readonly records: EventOutlet<LogRecord>
  readonly #senders: readonly Sender[]
  readonly #spools: readonly RequestSpool[]

  private constructor(
    spans: EventOutlet<SpanRecord>,
    records: EventOutlet<LogRecord>,
    senders: readonly Sender[],
    spools: readonly RequestSpool[],
  ) {
    this.spans = spans
    this.records = records
    this.#senders = senders
    this.#spools = spools
  }

  /** What the agent before this one has left is sent at once. A Failure for settings that can't be used. */
  static async open(parts: EventOutletsParts): Promise<EventOutlets> {
    const opening = new Opening(parts)
    try {
      const spans = new EventOutlet(await opening.forms('traces', parts.traces, spanEncoders))
      const records = new EventOutlet(await opening.forms('logs', parts.logs, logEncoders))
      return new EventOutlets(spans, records, opening.senders, [...opening.spools.values()])
    } catch (error) {
      await opening.giveUp()
      throw error
    }
  }

  /** Of each exporter and signal: what became of its items, and how far it got. */
  get queues(): readonly RequestQueue[] {
    return [...this.spans.queues, ...this.records.queues]
  }

  get items(): ItemRecord[] {
    return this.queues.map(({ id, signal, counts }) => ({ exporter: id, signal, counts }))
  }

  /** Sends what there is; what is left when the time is over is on disk, or lost. */
  async close(timeoutMs: number): Promise<void> {
    await Promise.all([this.spans.close(timeoutMs), this.records.close(timeoutMs)])
    await Promise.all(this.#senders.map(sender => sender.close()))
    await Promise.all(this.#spools.map(spool => spool.close()))
  }
}

class Opening {
  readonly senders: Sender[] = []
  readonly spools = new Map<string, RequestSpool>()
  readonly #queues: RequestQueue[] = []
  readonly #limiters = new Map<string, MemoryLimiter>()
  readonly #parts: EventOutletsParts

  constructor(parts: EventOutletsParts) {
    this.#parts = parts
  }

  async forms<Item extends OfTrace>(
    signal: EventSignal,
    outlets: readonly OutletConfig[],
    encoders: Encoders<Item>,
  ): Promise<EventForm<Item>[]> {
    const forms = new Map<string, { parts: Omit<EventFormParts<Item>, 'queues'>; queues: RequestQueue[] }>()
    for (const { exporter, processors } of outlets) {
      const { name, encoder } = formOf(exporter, this.#parts.scope, encoders)
      const key = [name, ...processors.map(({ id }) => id)].join()
      const form = forms.get(key) ?? { parts: { encoder: encoder(), ...this.#processing(processors) }, queues: [] }
      forms.set(key, form)
      form.queues.push(await this.#queue(signal, exporter))
    }
    return [...forms.values()].map(({ parts, queues }) => new EventForm({ ...parts, queues }))
  }

  #processing(processors: readonly ProcessorConfig[]) {
    const processing = eventProcessing(processors)
    const { memoryLimiter: config } = processing
    if (!config) return { processing }
    const limiter = this.#limiters.get(config.id) ?? new MemoryLimiter({ ...this.#parts, config })
    this.#limiters.set(config.id, limiter)
    return { processing, limiter }
  }

  async #queue(signal: EventSignal, exporter: ExporterConfig): Promise<RequestQueue> {
    const { clock, log } = this.#parts
    if (!('queue' in exporter)) throw new Error(`exporter ${exporter.id} takes no ${signal}`)
    const { id, retry, queue } = exporter
    const sender = createSender(exporter, { signal, clock })
    this.senders.push(sender)
    const spool = queue.storage && (await this.#spool(queue.storage))
    const folder = await spool?.folder(id, signal)
    const made = new RequestQueue({
      ...{ id, signal, sender, retry, limits: queue, log, clock },
      ...(folder && { spool: folder }),
    })
    this.#queues.push(made)
    return made
  }

  async #spool(storage: FileStorageConfig): Promise<RequestSpool> {
    const found = this.spools.get(storage.id) ?? (await RequestSpool.open(storage, this.#parts.log))
    this.spools.set(storage.id, found)
    return found
  }

  async giveUp(): Promise<void> {
    for (const queue of this.#queues) await queue.close(0)
    for (const sender of this.senders) await sender.close()
    for (const spool of this.spools.values()) await spool.close()
  }
}

/** `name`: the same for exporters that can share what was encoded. */
function formOf<Item>(exporter: ExporterConfig, scope: Scope, encoders: Encoders<Item>) {
  switch (exporter.type) {
    case 'debug':
      return { name: `text ${exporter.verbosity}`, encoder: () => encoders.text(exporter.verbosity) }
    case 'file':
      return { name: 'json', encoder: () => encoders.json(scope) }
    case 'otlp_http':
      if (exporter.encoding === 'json') return { name: 'json', encoder: () => encoders.json(scope) }
      break
    case 'kafka':
      if (exporter.encoding === 'otlp_json') return { name: 'json', encoder: () => encoders.json(scope) }
  }
  return { name: 'protobuf', encoder: () => encoders.protobuf(scope) }
}
