// Flows of this process itself: telling them would make more of them.
import { formatAddress } from '../capture/address.ts'
import type { StartedColumns } from '../capture/flow-batch.ts'
import { ADDRESS_BYTES } from './address-order.ts'
import { Protocol } from './transport.ts'

export interface OwnTraffic {
  /** Our addresses in TCP connections from one port to another that were there at that time, wall clock in ms. */
  addresses(port: number, dialledPort: number, atMs: number): readonly string[]
}

/**
 * Whether row `i` is a connection that we opened: from the node, which is then the remote end, or from the pod that we
 * are in. A Service's address may stand for the other end's, so that its port alone is compared.
 */
export function isOwnFlow(started: StartedColumns, i: number, own: OwnTraffic): boolean {
  if (started.protocol[i] !== Protocol.tcp) return false
  const { localPort, remotePort, localAddress, remoteAddress, family, startMs } = started
  const opened = (address: Uint8Array, port: number, dialledPort: number) => {
    const ours = own.addresses(port, dialledPort, startMs[i]!)
    return ours.length > 0 && ours.includes(formatAddress(address, i * ADDRESS_BYTES, family[i]!))
  }
  return opened(remoteAddress, remotePort[i]!, localPort[i]!) || opened(localAddress, localPort[i]!, remotePort[i]!)
}
