// Whose socket takes what is sent to a point of this node, as the kernel chooses among them.
import { ADDRESS_BYTES } from '../aggregate/address-order.ts'
import { addressKey } from '../capture/address.ts'
import type { Sockets } from '../capture/socket-source.ts'
import { type CgroupOwner, cgroupOwner } from './cgroup-owner.ts'
import type { Endpoint } from './dialled-flows.ts'

/** Nobody whom a cgroup names, or several between whom the kernel chooses. */
const NOBODY: CgroupOwner = {}

/** undefined: there is no socket. */
export function ownerAt(sockets: Sockets, endpoint: Endpoint): CgroupOwner | undefined {
  const own: number[] = []
  const any: number[] = []
  for (let i = 0; i < sockets.length; i++) {
    if (sockets.protocol[i] !== endpoint.protocol || sockets.port[i] !== endpoint.port) continue
    if (isAny(sockets, i)) {
      if (takesFamily(sockets, i, endpoint)) any.push(i)
    } else if (addressKey(sockets.address, i * ADDRESS_BYTES, sockets.family[i]!) === endpoint.address) own.push(i)
  }
  const taking = own.length > 0 ? own : any
  if (taking.length === 0) return undefined
  const owners = taking.map(i => cgroupOwner(`0::${sockets.cgroups[sockets.cgroup[i]!] ?? ''}`))
  return owners.every(owner => keyOf(owner) === keyOf(owners[0]!)) ? owners[0]! : NOBODY
}

function isAny({ address }: Sockets, i: number): boolean {
  for (let at = i * ADDRESS_BYTES; at < (i + 1) * ADDRESS_BYTES; at++) if (address[at] !== 0) return false
  return true
}

function takesFamily({ family, onlyIpv6 }: Sockets, i: number, { address }: Endpoint): boolean {
  const isIpv4 = typeof address === 'number'
  if (family[i] === 6) return !isIpv4 || onlyIpv6[i] === 0
  return isIpv4
}

/** Containers of one pod are one. */
function keyOf({ podUid, containerId }: CgroupOwner): string | undefined {
  return podUid ?? containerId
}
