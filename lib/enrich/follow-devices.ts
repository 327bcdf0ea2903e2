// What a drain says of the attached devices themselves: gone, bare of our programs, bypassed.
import { type InterfaceColumns, InterfaceCondition } from '../capture/flow-batch.ts'
import type { Attachments } from './attachments.ts'
import type { DnsWatch } from './dns-watch.ts'
import type { DropWatch } from './drop-watch.ts'
import type { InterfaceScope } from './interface-scope.ts'
import type { InterfaceWatch } from './interface-watch.ts'

export interface DeviceFollowerParts {
  readonly attachments: Attachments
  readonly scope: InterfaceScope
  readonly watch: InterfaceWatch
  readonly drops: DropWatch | undefined
  readonly dns: DnsWatch | undefined
}

/** To be called with each batch's interfaces. */
export function deviceFollower({ attachments, scope, watch, drops, dns }: DeviceFollowerParts) {
  return (interfaces: InterfaceColumns): void => {
    for (let i = 0; i < interfaces.length; i++) {
      const interfaceSlot = interfaces.interfaceSlot[i]!
      const condition = interfaces.condition[i]!
      if (interfaces.ended[i] === 1) {
        attachments.forget(interfaceSlot)
        scope.forget(interfaceSlot)
        drops?.ended(interfaceSlot)
        dns?.ended(interfaceSlot)
      } else if (interfaces.devicePresent[i] === 0) {
        void attachments.lost(interfaceSlot)
        watch.deviceGone()
      } else if (condition & InterfaceCondition.removed) attachments.removed(interfaceSlot)
      else if (condition & InterfaceCondition.bypassed) attachments.bypassed(interfaceSlot)
    }
  }
}
