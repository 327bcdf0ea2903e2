// From one agent to the next: how far delivery has come, and what the ledger knows of interfaces that are gone.
import type { LedgerMemo } from '../aggregate/interface-ledger.ts'
import type { Continuity, Counted } from '../capture/continuity.ts'
import type { FlowBatch } from '../capture/flow-batch.ts'
import type { Log } from '../host/log.ts'
import type { Collection } from './collection.ts'
import type { Books } from './ledger-totals.ts'
import type { MetricWalk } from './metric-walk.ts'

export interface HandoverParts extends Books {
  readonly continuity: Continuity
  /** Drains and applies a batch, under this mark. false: the capture failed. */
  readonly drain: (mark: number) => Promise<boolean>
  readonly log: Log
}

interface DeliveryMemo {
  readonly exported: Counted
  readonly otherEnd: Counted
  readonly excluded: Counted
  readonly lost: Counted
  readonly restart: Counted
}

/** What the newest collection would hand over. */
interface Marked {
  readonly mark: number
  readonly memo: string
}

/**
 * The watermarks follow one receiver. Each of its collections starts with a drain of its own under a mark; when all
 * of it is acknowledged, the next agent would go on from that mark.
 */
export class Handover {
  readonly #parts: HandoverParts
  #lastMark = 0
  #marked: Marked | undefined
  readonly #ready = Promise.withResolvers<void>()
  #unclaimed: number

  constructor(parts: HandoverParts) {
    this.#parts = parts
    this.#unclaimed = parts.continuity.adoption.interfaces.length
    if (this.#unclaimed === 0) this.ready()
  }

  /** To be called with each interface of the agent before this one that goes on. */
  claimed(): void {
    if (--this.#unclaimed === 0) this.ready()
  }

  /** To be called when no more of them will be claimed: until then nothing is told, since it would be less than before. */
  ready(): void {
    this.#ready.resolve()
  }

  /** Takes over from the agent before this one. To be called before anything is drained. */
  begin(): void {
    const { continuity, ledger, delivery } = this.#parts
    const { adopted, drained, restart, delivery: memo, ledger: ledgerMemo, interfaces } = continuity.adoption
    const before = adopted ? parseMemo<DeliveryMemo>(memo) : undefined
    ledger.continue(interfaces, adopted ? parseMemo<LedgerMemo>(ledgerMemo) : undefined, drained)
    const { totals } = ledger
    totals.restartPackets = restart.packets + (before?.restart.packets ?? 0)
    totals.restartBytes = restart.bytes + (before?.restart.bytes ?? 0)
    if (!before) return
    totals.otherEndPackets = before.otherEnd.packets
    totals.otherEndBytes = before.otherEnd.bytes
    totals.excludedPackets = before.excluded.packets
    totals.excludedBytes = before.excluded.bytes
    totals.unattributedPackets = before.lost.packets
    totals.unattributedBytes = before.lost.bytes
    delivery.continue(before.exported)
  }

  /** `walk` with a mark for each collection. It must not be asked while a request is under way. */
  track(walk: MetricWalk) {
    return { collect: () => this.#collect(walk), delivered: () => this.#delivered() }
  }

  /** To be called when a batch has been counted. */
  batchApplied({ interfaces, sequence }: FlowBatch): void {
    if (!interfaces.ended.includes(1)) return
    const { continuity, ledger } = this.#parts
    this.#tell(continuity.saveLedger(sequence, JSON.stringify(ledger.memo())))
  }

  async #collect(walk: MetricWalk): Promise<Collection> {
    await this.#ready.promise
    const mark = ++this.#lastMark
    // Without a drain there is nothing new to hand over either.
    const isMarked = await this.#parts.drain(mark)
    this.#marked = isMarked ? { mark, memo: this.#memo() } : undefined
    return walk.collect()
  }

  #delivered(): void {
    const marked = this.#marked
    this.#marked = undefined
    if (marked) this.#tell(this.#parts.continuity.commit(marked.mark, marked.memo))
  }

  /** As it will be true when this collection has been delivered. */
  #memo(): string {
    const { edges, ledger, delivery } = this.#parts
    const inEdges = edges.totals()
    const excluded = delivery.excluded()
    const { totals } = ledger
    const memo: DeliveryMemo = {
      exported: {
        packets: delivery.before.packets + inEdges.packets - excluded.packets,
        bytes: delivery.before.bytes + inEdges.bytes - excluded.bytes,
      },
      otherEnd: { packets: totals.otherEndPackets, bytes: totals.otherEndBytes },
      excluded: {
        packets: totals.excludedPackets + excluded.packets,
        bytes: totals.excludedBytes + excluded.bytes,
      },
      lost: { packets: totals.unattributedPackets, bytes: totals.unattributedBytes },
      restart: { packets: totals.restartPackets, bytes: totals.restartBytes },
    }
    return JSON.stringify(memo)
  }

  /** What can't be handed over costs the next agent its start from there, and this one nothing. */
  #tell(done: Promise<void>): void {
    done.catch((error: Error) => this.#parts.log.warn(error.message))
  }
}

function parseMemo<Memo>(text: string): Memo | undefined {
  return text === '' ? undefined : (JSON.parse(text) as Memo)
}
