// The capture alone, for another program: attach to interfaces, and have what their flows did as batches or as objects.
import { setTimeout as sleep } from 'node:timers/promises'
import type { FlowBatch } from '../capture/flow-batch.ts'
import type { Attachment, AttachRequest, FlowSource, Link, Namespace } from '../capture/flow-source.ts'
import { NativeProbeSource, RETIRE_TIMES, type RetireTimes } from '../capture/native-probe.ts'
import { Failure } from '../host/failure.ts'
import { claimNode } from '../host/only-agent.ts'
import { podweirVersion } from '../host/version.ts'
import { type FlowChange, FlowReader } from './flow-change.ts'

export interface ProbeSettings {
  /** Flows that the kernel keeps apart at a time, 16 to 1,048,576: 32,768 unless set. What finds no place is counted all the same. */
  readonly flowLimit?: number
  /** When a flow leaves the kernel's table. */
  readonly retire?: Partial<RetireTimes>
  /** Drains from one comparison of the kernel's table with its own totals to the next: 60 unless set, 0 for none. */
  readonly auditEvery?: number
}

/** An interface that is to be observed. */
export type ProbeTarget = Pick<AttachRequest, 'netns' | 'device'> & Partial<Pick<AttachRequest, 'place' | 'hook'>>

export interface ReadingOptions {
  /** From the end of one reading to the beginning of the next, ms: 1000 unless set. */
  readonly everyMs?: number
  /** Ends the iteration, without an error. */
  readonly signal?: AbortSignal
}

const FLOW_LIMIT = 32_768
const AUDIT_EVERY = 60
const EVERY_MS = 1_000

/**
 * Loads the kernel programs. Needs CAP_BPF and CAP_NET_ADMIN, and for interfaces in other network namespaces
 * CAP_SYS_ADMIN and CAP_SYS_PTRACE. Rejects with an error that names step, subject, cause and remedy; also where an
 * agent or another probe runs on this node.
 */
export async function openProbe(settings: ProbeSettings = {}): Promise<Probe> {
  const { flowLimit = FLOW_LIMIT, retire, auditEvery = AUDIT_EVERY } = settings
  const place = await claimNode(podweirVersion())
  try {
    const source = await NativeProbeSource.open({ flowLimit, auditEvery, retire: { ...RETIRE_TIMES, ...retire } })
    return new Probe(source, () => place.close())
  } catch (error) {
    place.close()
    throw error
  }
}

export class Probe implements AsyncDisposable {
  readonly #source: FlowSource
  readonly #leavePlace: () => void
  #reading = false
  #closing: Promise<void> | undefined

  /** Use `openProbe`. */
  constructor(source: FlowSource, leavePlace: () => void) {
    this.#source = source
    this.#leavePlace = leavePlace
  }

  /** Counts from now on. `place` is `pod` unless set: the device is the pod's own end of its pair. */
  attach(target: ProbeTarget): Promise<Attachment> {
    return this.#source.attach({ place: 'pod', hook: 'auto', ...target })
  }

  /** What it has counted until now is in the next batch, under `ended`. */
  detach({ interfaceSlot }: Pick<Attachment, 'interfaceSlot'>): Promise<void> {
    return this.#source.detach(interfaceSlot)
  }

  /** Network namespaces that have a name or a process. */
  namespaces(): Promise<Namespace[]> {
    return this.#source.namespaces()
  }

  /** Devices of a network namespace; without a path, of this process's own. */
  links(netns?: string): Promise<Link[]> {
    return this.#source.links(netns)
  }

  /** What was counted since the reading before, as columns; resolves at once. */
  async drain(): Promise<FlowBatch> {
    if (this.#reading) throw misuse('drain', 'batches() or flows() is reading')
    return this.#source.drain()
  }

  /** A batch again and again, until the loop ends or the signal comes. One loop at a time: a batch is read once. */
  async *batches({ everyMs = EVERY_MS, signal }: ReadingOptions = {}): AsyncGenerator<FlowBatch, void, undefined> {
    if (this.#reading) throw misuse('batches', 'another loop is reading')
    this.#reading = true
    try {
      while (!signal?.aborted && !this.#closing) {
        yield await this.#source.drain()
        await pause(everyMs, signal)
      }
    } finally {
      this.#reading = false
    }
  }

  /** Each flow that did something, again and again, until the loop ends or the signal comes. */
  async *flows(options: ReadingOptions = {}): AsyncGenerator<FlowChange, void, undefined> {
    const reader = new FlowReader()
    for await (const batch of this.batches(options)) yield* reader.read(batch)
  }

  /** Takes everything off the machine. */
  close(): Promise<void> {
    this.#closing ??= this.#source.close().finally(this.#leavePlace)
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, signal ? { signal } : {})
  } catch (error) {
    if (!signal?.aborted) throw error
  }
}

function misuse(call: string, cause: string): Failure {
  const remedy = 'use one loop, and hand on what it yields'
  return new Failure({ step: 'read', subject: `${call}()`, cause, remedy })
}
