// Has the wanted interfaces attached as the machine changes: look, plan, reconcile.
import type { FlowSource } from '../capture/flow-source.ts'
import type { Inventory } from '../config/inventory.ts'
import type { Log } from '../host/log.ts'
import type { Attachments } from './attachments.ts'
import { Discovery, type DiscoveryParts, type IgnoredPod } from './discovery.ts'
import { Rescan, type Settled } from './rescan.ts'

export interface InterfaceWatchParts extends Omit<DiscoveryParts, 'source' | 'mode'> {
  readonly source: FlowSource
  readonly attachments: Pick<Attachments, 'interfaces' | 'reconcile'>
  /** Absent: `inventory` where there is one. */
  readonly mode: DiscoveryParts['mode'] | undefined
  readonly log: Log
}

export class InterfaceWatch {
  readonly #parts: InterfaceWatchParts
  readonly #discovery: Discovery
  readonly #rescan: Rescan
  #inventory: Inventory | undefined
  #watch: { close(): void } | undefined
  #ignored: readonly IgnoredPod[] = []

  constructor(parts: InterfaceWatchParts, inventory: Inventory | undefined) {
    this.#parts = parts
    this.#inventory = inventory
    this.#discovery = new Discovery({ ...parts, mode: parts.mode ?? (inventory ? 'inventory' : 'auto') })
    this.#rescan = new Rescan(parts.clock, () => this.#look())
  }

  /** Pods that have nothing to observe. */
  get ignored(): readonly IgnoredPod[] {
    return this.#ignored
  }

  /** Resolves when what is there now has been found, and waits to be attached. */
  async start(): Promise<void> {
    // Before the first look, so that nothing falls in between.
    try {
      this.#watch = this.#parts.source.watch(changes => {
        this.#discovery.changed(changes)
        this.#rescan.changed()
      })
    } catch (error) {
      this.#parts.log.warn(`${(error as Error).message}; new pods are looked for every 30 s`)
    }
    await this.#rescan.look()
  }

  replaceInventory(inventory: Inventory): void {
    this.#inventory = inventory
    void this.#rescan.look()
  }

  /** To be called when pods of this node are called otherwise than before, as often as one likes. */
  namesChanged(): void {
    this.#rescan.changed()
  }

  /** To be called when a device was found to be gone: another may take its place, and no event tells of that. */
  deviceGone(): void {
    this.#rescan.changed()
  }

  stop(): void {
    this.#rescan.stop()
    this.#watch?.close()
  }

  async #look(): Promise<Settled> {
    const { attachments, log, clock } = this.#parts
    const beganMs = clock.monotonicMs()
    let tookMs = 0
    try {
      const { wanted, continued, ignored, unsettled, young } = await this.#discovery.plan(this.#inventory)
      tookMs = clock.monotonicMs() - beganMs
      this.#ignored = ignored
      if (continued.length < wanted.length) await attachments.reconcile(continued)
      await attachments.reconcile(wanted)
      return {
        tookMs,
        unsettled,
        young,
        lacking: [...attachments.interfaces()].some(({ state }) => state !== 'attached'),
      }
    } catch (error) {
      log.error((error as Error).message)
      return { tookMs, unsettled: true, young: false, lacking: true }
    }
  }
}
