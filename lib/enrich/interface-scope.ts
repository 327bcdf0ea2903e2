// Which interfaces are in scope: devices by their names before they are attached to, pods' interfaces afterwards.
import type { InterfaceOwner } from '../aggregate/identity.ts'
import type { FlowSource } from '../capture/flow-source.ts'
import type { ScopeConfig } from '../config/scope.ts'
import type { Log } from '../host/log.ts'
import type { Attachments } from './attachments.ts'
import { DeviceScope, type IgnoredDevice } from './device-scope.ts'
import type { WantedInterface } from './interface-plan.ts'
import type { TrackedInterface } from './tracked-interface.ts'

type ScopedAttachments = Pick<Attachments, 'interfaces' | 'reconcile'>

export class InterfaceScope {
  readonly #devices: DeviceScope
  readonly #source: FlowSource
  readonly #log: Log
  /** Interface slots that the capture was told are out of scope. */
  readonly #out = new Set<number>()
  #ignored: readonly IgnoredDevice[] = []

  constructor(scope: ScopeConfig, source: FlowSource, log: Log) {
    this.#devices = new DeviceScope(scope)
    this.#source = source
    this.#log = log
  }

  /** Devices that the last plan left out: nobody attaches to them. */
  get ignored(): readonly IgnoredDevice[] {
    return this.#ignored
  }

  /** `attachments` that are told what is in scope alone. */
  around(attachments: ScopedAttachments): ScopedAttachments {
    return {
      interfaces: () => attachments.interfaces(),
      reconcile: async plan => {
        await attachments.reconcile(await this.choose(plan))
        await this.follow(attachments.interfaces())
      },
    }
  }

  /** What is left of the plan. */
  async choose(plan: readonly WantedInterface[]): Promise<readonly WantedInterface[]> {
    const { wanted, ignored } = await this.#devices.choose(plan, this.#source)
    this.#ignored = ignored
    return wanted
  }

  /** To be called when owners may have changed. Never rejects: what failed is in the log and is tried again next time. */
  async follow(interfaces: Iterable<TrackedInterface>): Promise<void> {
    for (const { attachment, owner } of interfaces) if (attachment) await this.tell(attachment.interfaceSlot, owner)
  }

  async tell(interfaceSlot: number, owner: InterfaceOwner | undefined): Promise<void> {
    const isOut = owner?.identity.outOfScope === true
    if (this.#out.has(interfaceSlot) === isOut) return
    this.#note(interfaceSlot, isOut)
    try {
      await this.#source.setOutOfScope(interfaceSlot, isOut)
    } catch (error) {
      this.#note(interfaceSlot, !isOut)
      this.#log.warn((error as Error).message)
    }
  }

  /** To be called when the interface's last row has been read: the capture takes the slot back as one in scope. */
  forget(interfaceSlot: number): void {
    this.#out.delete(interfaceSlot)
  }

  #note(interfaceSlot: number, isOut: boolean): void {
    if (isOut) this.#out.add(interfaceSlot)
    else this.#out.delete(interfaceSlot)
  }
}
