// Flows that a pod has dialled, and the point that each one goes to.
import { ADDRESS_BYTES } from '../aggregate/address-order.ts'
import type { RemotePoint } from '../aggregate/identity.ts'
import { isOpenedByRemote } from '../aggregate/opener.ts'
import { hasPorts } from '../aggregate/transport.ts'
import { type AddressKey, addressKey } from '../capture/address.ts'
import type { StartedColumns } from '../capture/flow-batch.ts'

/** A point that packets are sent to. */
export interface Endpoint {
  readonly address: AddressKey
  /** IPPROTO_*. */
  readonly protocol: number
  readonly port: number
}

/** Flow `i` is `slots[i]` with `generations[i]`, and goes to `endpoints[i]`. */
export class DialledFlows {
  readonly slots: number[] = []
  readonly generations: number[] = []
  readonly endpoints: Endpoint[] = []

  get length(): number {
    return this.slots.length
  }

  add(slot: number, generation: number, endpoint: Endpoint): void {
    this.slots.push(slot)
    this.generations.push(generation)
    this.endpoints.push(endpoint)
  }

  /** Of flows that start, those that a pod may have dialled, and that go to points of interest. */
  addStarted(
    started: StartedColumns,
    isOfInterest: (address: AddressKey, atMs: number, point: RemotePoint) => boolean,
  ): void {
    const { protocol, opener, confidence, flags, family, remoteAddress, remotePort, interfaceSlot } = started
    const point = { protocol: 0, port: 0, interfaceSlot: 0 }
    for (let i = 0; i < started.length; i++) {
      // Fragments and collapsed flows lack a port.
      if (flags[i] !== 0 || remotePort[i] === 0 || !hasPorts(protocol[i]!)) continue
      if (isOpenedByRemote(protocol[i]!, opener[i]!, confidence[i]!)) continue
      const address = addressKey(remoteAddress, i * ADDRESS_BYTES, family[i]!)
      point.protocol = protocol[i]!
      point.port = remotePort[i]!
      point.interfaceSlot = interfaceSlot[i]!
      if (!isOfInterest(address, started.startMs[i]!, point)) continue
      this.add(started.slot[i]!, started.generation[i]!, { address, protocol: point.protocol, port: point.port })
    }
  }
}
