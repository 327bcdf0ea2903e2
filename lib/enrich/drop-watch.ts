// Has the drops of every attached interface counted, and reads them into the table.
import { DropTable, type WatchedInterface } from '../aggregate/drop-table.ts'
import type { InterfaceOwner } from '../aggregate/identity.ts'
import type { DropSource } from '../capture/drop-source.ts'
import type { Attachment, AttachRequest } from '../capture/flow-source.ts'
import type { Clock } from '../host/clock.ts'
import type { Log } from '../host/log.ts'

export interface DropWatchParts {
  readonly source: DropSource
  readonly log: Log
  readonly clock: Clock
}

export class DropWatch {
  readonly table = new DropTable()
  readonly #parts: DropWatchParts
  /** By interface slot; undefined when it failed. */
  readonly #watches = new Map<number, Promise<number | undefined>>()
  #ending: Promise<number | undefined>[] = []

  constructor(parts: DropWatchParts) {
    this.#parts = parts
  }

  attached(at: WatchedInterface, request: AttachRequest): void {
    this.#watches.set(at.attachment.interfaceSlot, this.#watch(at, request))
  }

  /** To be called when the interface's last row has been read. */
  ended(interfaceSlot: number): void {
    const watch = this.#watches.get(interfaceSlot)
    if (!watch) return
    this.#watches.delete(interfaceSlot)
    this.#ending.push(watch)
  }

  /** One at a time. Never rejects: what failed is in the log, and the next reading has it all. */
  async drain(): Promise<void> {
    const { source, clock, log } = this.#parts
    const ending = this.#ending
    this.#ending = []
    try {
      const ended = (await Promise.all(ending)).filter(watch => watch !== undefined)
      for (const watch of ended) await source.unwatch(watch)
      this.table.apply(await source.read(), clock.nowMs(), ended)
    } catch (error) {
      log.error((error as Error).message)
    }
  }

  async #watch(at: WatchedInterface, request: AttachRequest): Promise<number | undefined> {
    try {
      const watch = await this.#parts.source.watch(request)
      this.table.watched(watch, at)
      return watch
    } catch (error) {
      this.#parts.log.warn(`${(error as Error).message}; its drops are counted as the node’s`)
      return undefined
    }
  }
}

/** Whose it is may turn out later. */
export function watchedInterface(
  attachment: Attachment,
  owner: (interfaceSlot: number) => InterfaceOwner | undefined,
): WatchedInterface {
  // It may be forgotten before its first drop is read.
  let known = owner(attachment.interfaceSlot)
  return {
    attachment,
    get owner() {
      known = owner(attachment.interfaceSlot) ?? known
      return known
    },
  }
}
