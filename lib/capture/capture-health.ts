// What the capture says of itself: faults, and audits that did not balance. Each kind is logged once, and counted.
import type { Log } from '../host/log.ts'
import type { CaptureFaults, FlowBatch, SelfAudit } from './flow-batch.ts'

/** By name of the column: what happened, and to how many of what. */
const faultTexts: Readonly<Record<keyof CaptureFaults, string>> = {
  tailCallFailed: 'skbs were not counted: a dispatcher did not reach the shared program',
  indexInsertFailed: 'flows have no slot although one was free: they are in overflow',
  slotPushFailed: 'slots are lost until the agent starts again',
  connectionsMerged: 'connections are counted with an earlier one on the same ports: raise flow_limit',
}

export class CaptureHealth {
  faults: CaptureFaults = { tailCallFailed: 0, indexInsertFailed: 0, slotPushFailed: 0, connectionsMerged: 0 }
  audit: SelfAudit = { audits: 0, violations: 0, newest: '' }
  readonly #log: Log
  readonly #told = new Set<string>()

  constructor(log: Log) {
    this.#log = log
  }

  update({ faults, audit }: Pick<FlowBatch, 'faults' | 'audit'>): void {
    this.faults = faults
    this.audit = audit
    for (const [name, text] of Object.entries(faultTexts)) {
      const count = faults[name as keyof CaptureFaults]
      if (count > 0 && this.#isNew(name)) this.#log.warn({ [name]: count }, `capture: ${count} ${text}`)
    }
    const { violations, newest } = audit
    // Another amount is no other kind.
    if (violations > 0 && this.#isNew(newest.replace(/-?\d+/g, '#')))
      this.#log.error({ violations }, `self-audit: ${newest}: counts may be wrong, please report it`)
  }

  #isNew(kind: string): boolean {
    if (this.#told.has(kind)) return false
    this.#told.add(kind)
    return true
  }
}
