// The live Continuity: what survives the process, written by the addon.
import type { Adoption, Continuity } from './continuity.ts'
import { told } from './native-failure.ts'

/** What the addon's class Probe has of it. */
export interface NativeJournal {
  commit(mark: number, memo: string): Promise<void>
  saveLedger(sequence: number, memo: string): Promise<void>
  detachUnclaimed(): Promise<void>
}

export class NativeContinuity implements Continuity {
  readonly adoption: Adoption
  readonly #probe: NativeJournal

  constructor(probe: NativeJournal, adoption: Adoption) {
    this.#probe = probe
    this.adoption = adoption
  }

  commit(mark: number, memo: string): Promise<void> {
    return told(this.#probe.commit(mark, memo))
  }

  saveLedger(sequence: number, memo: string): Promise<void> {
    return told(this.#probe.saveLedger(sequence, memo))
  }

  detachUnclaimed(): Promise<void> {
    return told(this.#probe.detachUnclaimed())
  }
}
